"""Media of a run as HTML for the cell of a notebook: small pictures in it, figures drawn, the beginning of texts.

What is large is named, not read. HTML that was logged is never put into the page.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.errors import OtelExperimentsError
from otel_experiments.figures import panel as html
from otel_experiments.figures.quantity import size, step
from otel_experiments.figures.svg.frame import Size
from otel_experiments.figures.svg.paint import paint
from otel_experiments.process.interruption import is_interruption
from otel_experiments.query.shown.artifact_html import ShownArtifact
from otel_experiments.query.shown.html import MAX_ROWS, counted, value_text

if TYPE_CHECKING:
    from otel_experiments.figures.figure import Figure

_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What every browser shows, and what cannot hold a script."""
_PICTURE_BYTES: Final = 300_000
"""Of a picture that is looked at by itself."""
_THUMBNAIL_BYTES: Final = 60_000
_MAX_THUMBNAILS: Final = 8
_READ_BYTES: Final = 1_000_000
"""Of a distribution, a plot or a text that is read to be shown."""
_TEXT_LINES: Final = 40


class ShownItem(ShownArtifact, Protocol):
    """What is needed of one value that was logged."""

    @property
    def caption(self) -> str:
        """Its caption."""
        ...

    @property
    def media_type(self) -> str:
        """The type of its bytes."""
        ...

    def read_bytes(self) -> bytes:
        """Return its bytes."""
        ...

    def plot(self) -> Figure:
        """Return it as a figure."""
        ...


class ShownItems(Protocol):
    """What is needed of all that was logged under a name."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def type(self) -> str:
        """What they are."""
        ...

    @property
    def steps(self) -> Sequence[float]:
        """The steps, rising."""
        ...

    @property
    def last(self) -> ShownItem:
        """The item of the highest step."""
        ...

    def __len__(self) -> int: ...


def item_html(item: ShownItem) -> str:
    """Return one value: what it is, and itself where it is small enough."""
    facts = [item.type, size(item.size_bytes), *_steps([item.step] if item.step is not None else [])]
    parts = [html.head(item.name, facts=facts)]
    if item.caption:
        parts.append(html.line(item.caption))
    parts.append(_content(item))
    if item.metadata and item.type not in {"histogram", "plot"}:
        shown = {key: value_text(value) for key, value in islice(item.metadata.items(), MAX_ROWS)}
        parts.append(html.pairs(shown, left_out=len(item.metadata) - len(shown)))
    return html.panel(*parts)


def items_html(items: ShownItems, shown: Sequence[ShownItem]) -> str:
    """Return what was logged under a name: its steps, and the last of it; of pictures the last ones side by side.

    Args:
        items: All of them.
        shown: Those that may be shown, the last at the end.
    """
    facts = [items.type, counted(len(items), "item"), *_steps(items.steps)]
    pictures = [(one, _picture(one, _THUMBNAIL_BYTES)) for one in shown[-_MAX_THUMBNAILS:]]
    drawn = [(picture, _label(one)) for one, picture in pictures if picture]
    body = html.grid(drawn) if drawn else _content(items.last)
    return html.panel(html.head(items.name, facts=facts), body)


def media_html(title: str, media: Mapping[str, ShownItems]) -> str:
    """Return all media of a run."""
    return html.panel(html.head(title, facts=[counted(len(media), "name")]), *media_part(media)[1:])


def media_part(media: Mapping[str, ShownItems]) -> list[html.Markup]:
    """Return the media of a run: the last picture of each name, all names as a table."""
    if not media:
        return []
    drawn: list[tuple[str, str]] = []
    rows: list[tuple[str, ...]] = []
    for name, items in media.items():
        if len(drawn) < _MAX_THUMBNAILS and (picture := _picture(items.last, _THUMBNAIL_BYTES)):
            drawn.append((picture, f"{name}, {_label(items.last)}"))
        if len(rows) < MAX_ROWS:
            rows.append((html.code(name), items.type, f"{len(items):,}", " ".join(_steps(items.steps))))
    columns: list[html.Column | str] = ["name", "type", html.Column("items", is_number=True), "steps"]
    table = html.table(columns, rows, left_out=len(media) - len(rows))
    return [html.heading("media"), *([html.grid(drawn)] if drawn else []), table]


def _steps(steps: Sequence[float]) -> list[str]:
    if not steps:
        return []
    return [f"step {step(steps[0])}" if len(steps) == 1 else f"steps {step(steps[0])} to {step(steps[-1])}"]


def _label(item: ShownItem) -> str:
    where = "" if item.step is None else f"step {step(item.step)}"
    return ", ".join(text for text in (where, item.caption) if text) or item.name


def _picture(item: ShownItem, most_bytes: int) -> html.Markup | None:
    """Return a picture with its bytes in it; None for what is none, or large, or cannot be read."""
    if item.media_type not in _PICTURES or item.size_bytes > most_bytes:
        return None
    try:
        data = item.read_bytes()
    except (OtelExperimentsError, OSError) as error:
        if is_interruption(error):
            raise
        return None
    alt = html.escaped(item.caption or item.name)
    return html.Markup(
        f'<img alt="{alt}" src="data:{item.media_type};base64,{base64.b64encode(data).decode()}">'
    )


def _content(item: ShownItem) -> html.Markup:
    picture = _picture(item, _PICTURE_BYTES)
    if picture is not None:
        return html.Markup(picture.replace("<img ", '<img class="oxp-large" ', 1))
    try:
        if item.type in {"histogram", "plot"} and item.size_bytes <= _READ_BYTES:
            return html.Markup(paint(item.plot().spec, Size(560, 280, has_title=False, has_style=False)))
        if item.type == "text" and item.size_bytes <= _READ_BYTES:
            lines = item.read_bytes().decode("utf-8", "replace").splitlines()
            more = [f"... and {len(lines) - _TEXT_LINES:,} more lines"] if len(lines) > _TEXT_LINES else []
            return html.block([*lines[:_TEXT_LINES], *more])
    except (OtelExperimentsError, OSError) as error:
        if is_interruption(error):
            raise
        return html.line(html.toned(str(error).splitlines()[0], "warn"))
    return html.line(
        html.toned(f"{item.media_type or item.type}: read() has it, download() writes it", "soft")
    )
