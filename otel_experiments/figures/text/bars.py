"""Histograms, bars and grids in characters. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

from otel_experiments.figures.escape import clip, show_hidden
from otel_experiments.figures.quantity import number
from otel_experiments.figures.scale import scale_of
from otel_experiments.figures.spec import Axis, Bars, Heat, Histogram

_MAX_ROWS: Final = 40
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_SHADES: Final = " ░▒▓█"
_ASCII_SHADES: Final = " .:*#"


def paint_histogram(spec: Histogram, *, width: int, is_unicode: bool) -> list[str]:
    """Return a line for each pair of edges."""
    edges = list(spec.edges)
    labels = [f"{number(low)} .. {number(high)}" for low, high in itertools.pairwise(edges)]
    return _rows(labels, spec.counts, width=width, is_unicode=is_unicode)


def paint_bars(spec: Bars, *, width: int, is_unicode: bool) -> list[str]:
    """Return a line for each label."""
    return _rows([show_hidden(one) for one in spec.labels], spec.values, width=width, is_unicode=is_unicode)


def paint_heat(spec: Heat, *, width: int, is_unicode: bool) -> list[str]:
    """Return a line for each row of a grid, a shade for each cell; what is too wide is left out and counted."""
    cells = [list(row) for row in spec.cells]
    names = [show_hidden(one) if isinstance(one, str) else number(one) for one in spec.rows][: len(cells)]
    if spec.rows and not isinstance(spec.rows[0], str):
        cells.reverse()
        names.reverse()
    scale = scale_of([value for row in cells for value in row], Axis(scale=spec.scale))
    if scale is None:
        return ["(no finite value to draw)"]
    margin = min(24, max(map(len, names), default=0))
    room = max(1, width - margin - 2)
    shades = _SHADES if is_unicode else _ASCII_SHADES
    lines = []
    for name, row in zip(names[:_MAX_ROWS], cells, strict=False):
        shown = "".join(
            _shade(value, scale.share(value) if scale.fits(value) else None, shades) for value in row[:room]
        )
        lines.append(f"{clip(name, 24):>{margin}} {'│' if is_unicode else '|'}{shown.rstrip()}")
    left_out = [
        f"and {count} more {what}"
        for count, what in (
            (len(cells) - _MAX_ROWS, "rows"),
            (max(map(len, cells), default=0) - room, "columns"),
        )
        if count > 0
    ]
    return [*lines, *left_out]


def _shade(value: float, share: float | None, shades: str) -> str:
    if share is None:
        return "?"
    return shades[0] if value == 0 else shades[min(len(shades) - 1, 1 + int(share * (len(shades) - 1)))]


def _rows(labels: Sequence[str], values: Sequence[float], *, width: int, is_unicode: bool) -> list[str]:
    finite = [abs(one) for one in values if math.isfinite(one)]
    if not labels or not finite:
        return ["(no finite value to draw)"]
    shown = list(zip(labels, values, strict=False))[:_MAX_ROWS]
    margin = min(max(8, width // 3), max(len(label) for label, _ in shown))
    numbers = [number(value) for _, value in shown]
    room = max(4, width - margin - max(map(len, numbers)) - 4)
    largest = max(finite)
    wall = "│" if is_unicode else "|"
    lines = [
        f"{clip(label, margin):>{margin}} {wall}{_bar(value, largest, room, is_unicode=is_unicode)} {text}"
        for (label, value), text in zip(shown, numbers, strict=True)
    ]
    return lines if len(labels) <= _MAX_ROWS else [*lines, f"and {len(labels) - _MAX_ROWS} more"]


def _bar(value: float, largest: float, room: int, *, is_unicode: bool) -> str:
    if largest == 0 or not math.isfinite(value):
        return ""
    share = abs(value) / largest
    if not is_unicode:
        return "#" * round(share * room)
    eighths = round(share * room * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8].strip() if eighths % 8 else "")
