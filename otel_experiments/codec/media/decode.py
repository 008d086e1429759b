"""From the bytes of media to what they were: an array, an image of Pillow, a frame, a figure, a text, a distribution."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from otel_experiments.codec.media.audio import WAV, Audio
from otel_experiments.codec.media.figure import PLOTLY
from otel_experiments.codec.media.histogram import histogram_of
from otel_experiments.codec.media.image import PNG
from otel_experiments.codec.media.library import numpy
from otel_experiments.codec.media.plots import plot_of
from otel_experiments.codec.media.png_read import read_png
from otel_experiments.codec.media.table import PARQUET, Table, table_of
from otel_experiments.errors import MediaRefusedError, MissingPackageError
from otel_experiments.process.interruption import is_interruption

_EXTRA: Final = "media"
_HEAD_BYTES: Final = 44


class UnreadableMediaError(ValueError):
    """The bytes are not of the media type that was said."""


def decode_media(data: bytes, kind: str, media_type: str, *, source: str = "", caption: str = "") -> Any:
    """Return what bytes were before they were logged, or the next best where its library is not installed.

    Args:
        data: the bytes.
        kind: the type: image, figure, table, text, html, audio, histogram, plot; of others the bytes come back.
        media_type: of the bytes.
        source: what the value was: array, pillow, pandas, polars, arrow, plotly, ...
        caption: of the value.

    Raises:
        UnreadableMediaError: the bytes are not of this media type.
        MissingPackageError: reading needs a package that is not installed.
    """
    read = _READERS.get(kind, _as_it_is)
    try:
        return read(data, media_type, source, caption)
    except MissingPackageError:
        raise
    except MediaRefusedError as error:
        raise UnreadableMediaError(error.why) from error
    except Exception as error:
        if is_interruption(error):
            raise
        raise UnreadableMediaError(f"{type(error).__name__}: {error}") from error


def _picture(data: bytes, media_type: str, source: str, _: str) -> Any:
    if source == "array" and media_type == PNG:
        return read_png(data)
    try:
        opened = import_module("PIL.Image").open(io.BytesIO(data))
    except ImportError as error:
        raise MissingPackageError(package="pillow", purpose="reading a picture", extra=_EXTRA) from error
    opened.load()
    return opened


def _figure(data: bytes, media_type: str, source: str, caption: str) -> Any:
    if media_type != PLOTLY:
        return _picture(data, media_type, source, caption)
    try:
        plotly = import_module("plotly.io")
    except ImportError:
        return json.loads(data)
    return plotly.from_json(data.decode())


def _table(data: bytes, media_type: str, source: str, caption: str) -> Any:
    if media_type != PARQUET:
        raise UnreadableMediaError(f"a table of {media_type} is not read here")
    table = table_of(data, caption)
    convert: Callable[[Table], Any] | None = {
        "pandas": Table.to_pandas,
        "polars": Table.to_polars,
        "arrow": Table.to_arrow,
    }.get(source)
    try:
        return table if convert is None else convert(table)
    except MissingPackageError:
        return table


def _as_it_is(data: bytes, *_: str) -> bytes:
    return data


def _text(data: bytes, *_: str) -> str:
    return data.decode("utf-8", "surrogatepass")


def _sound(data: bytes, media_type: str, source: str, caption: str) -> Any:
    if source != "array" or media_type != WAV:
        return data
    channels = int.from_bytes(data[22:24], "little")
    rate = int.from_bytes(data[24:28], "little")
    samples = numpy().frombuffer(data[_HEAD_BYTES:], "<i2")
    return Audio(samples if channels == 1 else samples.reshape(-1, channels), rate, caption)


_READERS: Final[dict[str, Callable[[bytes, str, str, str], Any]]] = {
    "image": _picture,
    "figure": _figure,
    "table": _table,
    "text": _text,
    "html": _text,
    "audio": _sound,
    "histogram": lambda data, _, __, caption: histogram_of(data, caption),
    "plot": lambda data, _, __, caption: plot_of(data, caption),
}
