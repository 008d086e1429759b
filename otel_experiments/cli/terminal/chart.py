"""A line chart in characters: braille dots where the terminal has them, asterisks elsewhere. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.model.metric import Band

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column. Source: Unicode, block Braille Patterns."""


class _Canvas:
    """Dots on a grid of characters; (0, 0) is the lower left dot."""

    def __init__(self, width: int, height: int, *, is_unicode: bool) -> None:
        self.across, self.down = (2, 4) if is_unicode else (1, 1)
        self.columns, self.rows = width * self.across, height * self.down
        self._cells = [[0] * width for _ in range(height)]

    def dot(self, x: int, y: int) -> None:
        """Set one dot."""
        row, column = divmod(self.rows - 1 - y, self.down), divmod(x, self.across)
        bit = _DOTS[row[1]][column[1]] if self.down == 4 else 1
        self._cells[row[0]][column[0]] |= bit

    def column(self, x: int, low: int, high: int) -> None:
        """Set the dots of one column from `low` to `high`."""
        for y in range(low, high + 1):
            self.dot(x, y)

    def lines(self) -> list[str]:
        """Return the characters, upper line first."""
        if self.down == 4:
            return ["".join(chr(0x2800 + cell) for cell in row) for row in self._cells]
        return ["".join("*" if cell else " " for cell in row) for row in self._cells]


def chart(band: Band, *, width: int, height: int, is_log: bool = False, is_unicode: bool = True) -> list[str]:
    """Return the lines of a chart of the band over its steps, axes included.

    Every extreme is visible: a column of dots spans from a bucket's lowest to its highest finite value, and
    columns are joined so that the line does not break. Values that are not finite leave a gap; on a
    logarithmic axis so do values that are not positive.
    """
    buckets = [
        (first, last, low, high, value)
        for first, last, low, high, value in zip(
            band.first_steps, band.last_steps, band.low, band.high, band.last, strict=True
        )
        if _fits(low, is_log=is_log) and _fits(high, is_log=is_log)
    ]
    if not buckets:
        return ["(no finite value to draw)"]
    scale = math.log10 if is_log else float
    lowest, highest = min(one[2] for one in buckets), max(one[3] for one in buckets)
    bottom, top = scale(lowest), scale(highest)
    labels = [fmt.number(highest), fmt.number(lowest)]
    margin = max(map(len, labels)) + 2
    canvas = _Canvas(max(8, width - margin), height, is_unicode=is_unicode)
    first_step, last_step = buckets[0][0], max(one[1] for one in buckets)

    def x_of(step: float) -> int:
        if last_step == first_step:
            return 0
        return round((step - first_step) / (last_step - first_step) * (canvas.columns - 1))

    def y_of(value: float) -> int:
        if top == bottom:
            return (canvas.rows - 1) // 2
        # Halved, because the range of two finite numbers need not be finite.
        return round((scale(value) / 2 - bottom / 2) / (top / 2 - bottom / 2) * (canvas.rows - 1))

    before: tuple[int, int] | None = None
    for first, last, low, high, value in buckets:
        x = x_of((first + last) / 2)
        canvas.column(x, y_of(low), y_of(high))
        y = y_of(value) if _fits(value, is_log=is_log) else y_of(high)
        if before is not None:
            _join(canvas, before, (x, y))
        before = (x, y)
    return _framed(canvas.lines(), labels, (fmt.step(first_step), fmt.step(last_step)), is_unicode=is_unicode)


def _join(canvas: _Canvas, start: tuple[int, int], end: tuple[int, int]) -> None:
    (x0, y0), (x1, y1) = start, end
    for x in range(x0 + 1, x1 + 1):
        a = y0 + (y1 - y0) * (x - 1 - x0) / (x1 - x0)
        b = y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        canvas.column(x, round(min(a, b)), round(max(a, b)))


def _framed(
    body: Sequence[str], values: Sequence[str], steps: tuple[str, str], *, is_unicode: bool
) -> list[str]:
    wall, corner, floor = ("│", "└", "─") if is_unicode else ("|", "+", "-")
    margin = max(map(len, values))
    edges = {0: values[0], len(body) - 1: values[1]}
    # Braille's empty cell is a character of its own; at a line's end it is as useless as a space.
    lines = [
        f"{edges.get(row, ''):>{margin}} {wall}{text.rstrip(chr(0x2800) + ' ')}"
        for row, text in enumerate(body)
    ]
    width = len(body[0])
    lines.append(" " * (margin + 1) + corner + floor * width)
    gap = max(1, width - len(steps[0]) - len(steps[1]))
    lines.append(" " * (margin + 2) + steps[0] + " " * gap + steps[1])
    return lines


def _fits(value: float, *, is_log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not is_log)
