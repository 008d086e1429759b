"""Curves in characters: braille dots where the terminal has them, asterisks elsewhere, letters for several lines. Pure."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Final

from otel_experiments.figures.quantity import number, step
from otel_experiments.figures.scale import Scale, scale_of
from otel_experiments.figures.spec import Area, Axis, Curves, Line

_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column. Source: Unicode, block Braille Patterns."""
NOTHING: Final = "(no finite value to draw)"
_TICK_ROWS: Final = 4
"""Between two labelled rows, so that labels do not look like a list."""


class _Canvas:
    """Dots on a grid of characters; (0, 0) is the lower left dot."""

    def __init__(self, width: int, height: int, *, is_braille: bool) -> None:
        self.across, self.down = (2, 4) if is_braille else (1, 1)
        self.width, self.height = width, height
        self.columns, self.rows = width * self.across, height * self.down
        self._dots = [[0] * width for _ in range(height)]
        self._glyphs = [[" "] * width for _ in range(height)]

    def dot(self, x: int, y: int, glyph: str) -> None:
        """Set one dot."""
        row, column = divmod(self.rows - 1 - y, self.down), divmod(x, self.across)
        self._dots[row[0]][column[0]] |= _DOTS[row[1]][column[1]] if self.down == 4 else 1
        self._glyphs[row[0]][column[0]] = glyph

    def column(self, x: int, low: int, high: int, glyph: str) -> None:
        """Set the dots of one column from `low` to `high`."""
        for y in range(low, high + 1):
            self.dot(x, y, glyph)

    def join(self, start: tuple[int, int], end: tuple[int, int], glyph: str) -> None:
        """Set the dots between two places, a column at a time, whichever is on the left."""
        (x0, y0), (x1, y1) = sorted((start, end))
        if x0 == x1:
            self.column(x0, min(y0, y1), max(y0, y1), glyph)
        for x in range(x0 + 1, x1 + 1):
            a = y0 + (y1 - y0) * (x - 1 - x0) / (x1 - x0)
            b = y0 + (y1 - y0) * (x - x0) / (x1 - x0)
            self.column(x, round(min(a, b)), round(max(a, b)), glyph)

    def lines(self) -> list[str]:
        """Return the characters, upper line first."""
        if self.down == 4:
            return ["".join(chr(0x2800 + cell) for cell in row) for row in self._dots]
        return ["".join(row) for row in self._glyphs]


def paint_chart(spec: Curves, *, width: int, height: int, is_unicode: bool) -> list[str]:
    """Return the lines of a chart, axes included, none wider than `width`, but for the labels of a narrow one.

    Every extreme is visible: an area fills its columns, and points are joined so that a line does not break. A value
    that is not finite leaves a gap and a cross on the axis; on a logarithmic axis a value that is not positive leaves a gap.
    """
    values = [value for line in spec.lines for value in line.y]
    values += [value for area in spec.areas for column in (area.low, area.high) for value in column]
    y = scale_of(values, spec.y)
    x = None if y is None else scale_of(_places(spec, y), spec.x)
    if x is None or y is None:
        return [NOTHING]
    labels = _labels(y, height)
    margin = max(map(len, labels.values())) + 2
    letters = string.ascii_lowercase if len(spec.lines) > 1 else "*"
    canvas = _Canvas(max(8, width - margin), height, is_braille=is_unicode and len(spec.lines) <= 1)
    for area in spec.areas:
        _draw_area(canvas, area, x, y, letters[area.color % len(letters)] if len(spec.lines) > 1 else "*")
    lost: set[int] = set()
    for at, line in enumerate(spec.lines):
        _draw_line(canvas, line, x, y, letters[at % len(letters)])
        lost.update(
            _column(canvas, x, place) // canvas.across
            for place, value in zip(line.x, line.y, strict=True)
            if not math.isfinite(value) and x.fits(place) and x.low <= place <= x.high
        )
    drawn = _framed(canvas.lines(), labels, spec.x, x, lost, is_unicode=is_unicode)
    return drawn if len(spec.lines) < 2 else [*drawn, *_legend(spec.lines, letters, width)]


def _places(spec: Curves, y: Scale) -> list[float]:
    """Return the places on the horizontal axis that have a value to draw."""
    places = [x for line in spec.lines for x, value in zip(line.x, line.y, strict=True) if y.fits(value)]
    for area in spec.areas:
        columns = zip(area.x, area.low, area.high, strict=True)
        places += [x for x, low, high in columns if y.fits(high) and _bottom(y, low) is not None]
    return places


def _column(canvas: _Canvas, x: Scale, place: float) -> int:
    return (
        0
        if x.low == x.high
        else min(canvas.columns - 1, max(0, round(x.share(place) * (canvas.columns - 1))))
    )


def _row(canvas: _Canvas, y: Scale, value: float) -> int:
    if y.low == y.high:
        return (canvas.rows - 1) // 2
    return min(canvas.rows - 1, max(0, round(y.share(value) * (canvas.rows - 1))))


def _bottom(y: Scale, low: float) -> float | None:
    """Return where a column begins: at the foot of a logarithmic axis where its lowest value is not positive."""
    if y.fits(low):
        return low
    return y.low if y.kind == "log" and math.isfinite(low) else None


def _draw_area(canvas: _Canvas, area: Area, x: Scale, y: Scale, glyph: str) -> None:
    for place, low, high in zip(area.x, area.low, area.high, strict=True):
        bottom = _bottom(y, low)
        if x.fits(place) and y.fits(high) and bottom is not None:
            canvas.column(_column(canvas, x, place), _row(canvas, y, bottom), _row(canvas, y, high), glyph)


def _draw_line(canvas: _Canvas, line: Line, x: Scale, y: Scale, glyph: str) -> None:
    before: tuple[int, int] | None = None
    for place, value in zip(line.x, line.y, strict=True):
        if not (x.fits(place) and y.fits(value)):
            before = None
            continue
        here = (_column(canvas, x, place), _row(canvas, y, value))
        canvas.dot(*here, glyph)
        if before is not None:
            canvas.join(before, here, glyph)
        before = here


def _labels(y: Scale, height: int) -> dict[int, str]:
    """Return what is written beside the rows: the extremes, and round values between them where there is room."""
    edges = {0: number(y.high), height - 1: number(y.low)}
    if y.low == y.high or height < 2 * _TICK_ROWS:
        return edges
    for tick in y.ticks(max(2, height // _TICK_ROWS)).ticks:
        row = height - 1 - round(y.share(tick.value) * (height - 1))
        label = number(tick.value)
        if all(abs(row - taken) > 1 for taken in edges) and label not in edges.values():
            edges[row] = label
    return edges


def _framed(
    body: Sequence[str], labels: dict[int, str], axis: Axis, x: Scale, lost: set[int], *, is_unicode: bool
) -> list[str]:
    wall, corner, floor, cross = ("│", "└", "─", "\u00d7") if is_unicode else ("|", "+", "-", "x")
    margin = max(map(len, labels.values()))
    # Braille's empty cell is a character of its own; at a line's end it is as useless as a space.
    lines = [
        f"{labels.get(row, ''):>{margin}} {wall}{line.rstrip(chr(0x2800) + ' ')}"
        for row, line in enumerate(body)
    ]
    width = len(body[0])
    lines.append(" " * (margin + 1) + corner + "".join(cross if at in lost else floor for at in range(width)))
    first, last = (step(one) if axis.kind in {"step", "value"} else _time(x, one) for one in (x.low, x.high))
    gap = max(1, width - len(first) - len(last))
    lines.append(" " * (margin + 2) + first + " " * gap + last)
    return lines


def _time(x: Scale, value: float) -> str:
    return Scale(value, value, "linear", x.axis).ticks(2).ticks[0].label


def _legend(lines: Sequence[Line], letters: str, width: int) -> list[str]:
    rows: list[str] = []
    for at, line in enumerate(lines[: len(letters)]):
        entry = f"{letters[at]} {line.label}"
        if rows and len(rows[-1]) + 3 + len(entry) <= width:
            rows[-1] += f"   {entry}"
        else:
            rows.append(entry)
    if len(lines) > len(letters):
        rows.append(f"and {len(lines) - len(letters)} more")
    return rows
