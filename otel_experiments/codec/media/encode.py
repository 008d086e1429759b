"""From whatever `run.log` is given to a value that is kept as media; numbers and what is neither are not."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.codec.media import figure, image, table
from otel_experiments.codec.media.media import Encoded, Media, Tell
from otel_experiments.errors import MediaRefusedError
from otel_experiments.process.interruption import is_interruption

MAX_ITEMS = 1024
"""Of a list of media that is logged at once."""


def media_of(value: object) -> Media | None:
    """Return what a value is as media, or None: figures, pictures of Pillow and frames are, arrays of numbers are not."""
    if isinstance(value, Media):
        return value
    if figure.is_plotly(value) or figure.is_drawn(value):
        return figure.Figure(value)
    if image.is_pillow(value):
        return image.Image(value)
    if table.is_frame(value):
        return table.Table(dataframe=value)
    return None


def listed_media(value: object) -> Sequence[object] | None:
    """Return a value, or each one of a list, as media; what of a list is none stays as it is. None where no one is media."""
    if not isinstance(value, (list, tuple)):
        found = media_of(value)
        return None if found is None else (found,)
    if not value or len(value) > MAX_ITEMS:
        return None
    listed = [media_of(item) for item in value]
    if all(media is None for media in listed):
        return None
    return [item if media is None else media for item, media in zip(value, listed, strict=True)]


def encode_media(value: object, tell: Tell) -> Encoded | None:
    """Return a value as it is stored, or None where it is no media; `tell` takes what of it could not be kept.

    Raises:
        MediaRefusedError: it is media, and cannot be kept.
    """
    media = media_of(value)
    if media is None:
        return None
    if media.ignored:
        words = ", ".join(f"{name}=" for name in media.ignored)
        tell(f"{words} changed nothing: what they say is not kept")
    try:
        return media.encode(tell)
    except MediaRefusedError:
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(why=f"it raised {type(error).__name__}: {error}") from error
