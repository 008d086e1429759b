"""What all figures have around them: title, axes with ticks, legend and notes, the description for who cannot see them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.scale import Scale
from otel_experiments.figures.spec import Axis
from otel_experiments.figures.svg.style import color_of, file_style

_CHAR_PX: Final = 6.2
_ROW_PX: Final = 16
_MAX_ENTRIES: Final = 12
"""Of a legend; what else there is, is counted."""
_LABEL_CHARS: Final = 44


@dataclass(frozen=True, slots=True)
class Size:
    """How large a figure is to be, in pixels of the page.

    Attributes:
        has_title: Whether the title is painted; it is in the description in any case.
        has_style: Whether the style sheet is inside, as in a file; a page has it once.
        has_legend: Whether the legend is painted; a page of many figures says once what the colours mean.
    """

    width: int = 640
    height: int = 300
    has_title: bool = True
    has_style: bool = True
    has_legend: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend."""

    label: str
    color: int
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the axes of a figure are, in pixels."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale

    def x_of(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return self.left + min(1.0, max(0.0, self.x.share(value))) * (self.right - self.left)

    def y_of(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        return self.bottom - min(1.0, max(0.0, self.y.share(value))) * (self.bottom - self.top)


def width_px(text: str) -> float:
    """Return about how wide a text is in the font of figures."""
    return _CHAR_PX * sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def text(x: float, y: float, content: str, *, color: str = "soft", anchor: str = "", kind: str = "") -> str:
    """Return one text, escaped."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="oxp-f-{color}{kind}" x="{x:.1f}" y="{y:.1f}"{where}>{escape_markup(content)}</text>'


def document(
    size: Size, title: str, description: str, body: Sequence[str], *, height: float | None = None
) -> str:
    """Return the whole SVG. No id is used, so that figures of one page cannot meet."""
    tall = size.height if height is None else round(height)
    style = f"<style>{file_style()}</style>" if size.has_style else ""
    label = escape_markup(clip(title, 200) or "figure")
    head = (
        f'<svg class="oxp" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size.width} {tall}" width="{size.width}" '
        f'height="{tall}" style="max-width:100%;height:auto" role="img" aria-label="{label}">'
        f"{style}<title>{label}</title><desc>{escape_markup(clip(description, 1_000))}</desc>"
    )
    return "".join([head, *body, "</svg>"])


def heading(size: Size, title: str) -> list[str]:
    """Return the title as it is painted, if it is."""
    if not (size.has_title and title):
        return []
    room = max(10, int((size.width - 20) / _CHAR_PX))
    return [text(10, 15, clip(title, room), color="ink", kind=" oxp-title")]


def fit(size: Size, x: Scale, y: Scale, *, x_axis: Axis, y_axis: Axis, title: str, below: int) -> Frame:
    """Return the frame that leaves room for the labels of its axes and for `below` rows under them."""
    ticks = y.ticks(5)
    widest = max((width_px(tick.label) for tick in ticks.ticks), default=0.0)
    top = (26 if size.has_title and title else 8) + (14 if _y_caption(y_axis, ticks.offset) else 0)
    bottom = size.height - 22 - _ROW_PX * below - (14 if _x_caption(x_axis, x) else 0)
    return Frame(min(widest + 14, size.width / 2), size.width - 14, top, max(top + 40, bottom), x, y)


def axes(frame: Frame, *, x_axis: Axis, y_axis: Axis, has_x_grid: bool = False) -> list[str]:
    """Return grid, ticks and captions. The grid is horizontal unless a figure asks for both."""
    parts: list[str] = []
    ticks = frame.y.ticks(5)
    for tick in ticks.ticks:
        y = frame.y_of(tick.value)
        parts.append(
            f'<line class="oxp-s-line" x1="{frame.left:.1f}" x2="{frame.right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(text(frame.left - 6, y + 4, tick.label, anchor="end"))
    caption = _y_caption(y_axis, ticks.offset)
    if caption:
        parts.append(text(frame.left, frame.top - 6, clip(caption, 60)))
    parts += _x_ticks(frame, has_grid=has_x_grid)
    caption = _x_caption(x_axis, frame.x)
    if caption:
        middle = (frame.left + frame.right) / 2
        parts.append(text(middle, frame.bottom + 30, clip(caption, 60), anchor="middle"))
    return parts


def _x_ticks(frame: Frame, *, has_grid: bool) -> list[str]:
    parts: list[str] = []
    room = frame.right - frame.left
    ticks = frame.x.ticks(max(2, min(8, int(room / 70)))).ticks
    reached = -1e9
    for tick in ticks:
        x = frame.x_of(tick.value)
        half = width_px(tick.label) / 2
        at = min(max(x, half + 2), frame.right + 12 - half)
        parts.append(
            f'<line class="oxp-s-line" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top if has_grid else frame.bottom:.1f}" '
            f'y2="{frame.bottom + 4:.1f}"/>'
        )
        if at - half < reached + 6:
            continue
        reached = at + half
        parts.append(text(at, frame.bottom + 16, tick.label, anchor="middle"))
    return parts


def _y_caption(axis: Axis, offset: str) -> str:
    return ", ".join(one for one in (axis.label, offset) if one)


def _x_caption(axis: Axis, scale: Scale) -> str:
    label = axis.label or {"relative": "time since the start", "wall": "", "step": "", "value": ""}[axis.kind]
    return ", ".join(one for one in (label, scale.ticks(6).offset) if one)


def legend_rows(entries: Sequence[Entry], width: float) -> list[list[tuple[Entry | None, str]]]:
    """Return the entries in the rows that they take, the last of them the count of those left out."""
    shown: list[tuple[Entry | None, str]] = [
        (one, clip(one.label, _LABEL_CHARS)) for one in entries[:_MAX_ENTRIES]
    ]
    if len(entries) > _MAX_ENTRIES:
        shown.append((None, f"and {len(entries) - _MAX_ENTRIES} more"))
    rows: list[list[tuple[Entry | None, str]]] = []
    used = width
    for entry, label in shown:
        need = width_px(label) + 38
        if not rows or used + need > width:
            rows.append([])
            used = 0.0
        rows[-1].append((entry, label))
        used += need
    return rows


def legend(rows: Sequence[Sequence[tuple[Entry | None, str]]], left: float, first_y: float) -> list[str]:
    """Return the legend, its first row at `first_y`."""
    parts: list[str] = []
    for number, row in enumerate(rows):
        x, y = left, first_y + _ROW_PX * number
        for entry, label in row:
            if entry is not None:
                dash = " oxp-dashed" if entry.is_dashed else ""
                parts.append(
                    f'<line class="oxp-s-{color_of(entry.color)}{dash}" stroke-width="3" x1="{x:.1f}" x2="{x + 16:.1f}" '
                    f'y1="{y - 4:.1f}" y2="{y - 4:.1f}"/>'
                )
            parts.append(text(x + (22 if entry is not None else 0), y, label))
            x += width_px(label) + 38
    return parts


def notes(texts: Sequence[str], left: float, first_y: float, width: float) -> list[str]:
    """Return the notes under a figure, a row each."""
    room = max(10, int(width / _CHAR_PX))
    return [text(left, first_y + _ROW_PX * at, clip(one, room)) for at, one in enumerate(texts)]
