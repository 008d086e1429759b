"""Grids of values as SVG: the more opaque a cell, the larger its value. Cells of zero are left out, NaN is a cross."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.quantity import number
from otel_experiments.figures.scale import Scale, scale_of
from otel_experiments.figures.spec import Axis, Heat
from otel_experiments.figures.svg.frame import Size, document, heading, notes, text, width_px

_MAX_SIDE: Final = 160
"""Cells in one direction; of more, neighbours are drawn as one cell with the largest of their values."""


def paint_heat(spec: Heat, size: Size) -> str:
    """Return the SVG of a grid."""
    cells, columns, rows, joined = _joined(spec)
    scale = scale_of([value for row in cells for value in row], Axis(scale=spec.scale))
    if scale is None or not columns or not rows:
        nothing = text(size.width / 2, size.height / 2, "no finite value", anchor="middle")
        return document(size, spec.title, "No finite value.", [*heading(size, spec.title), nothing])
    scale = Scale(min(0.0, scale.low), scale.high, scale.kind) if scale.kind == "linear" else scale
    names = [one[0] for one in rows]
    left = min(size.width * 0.4, max(map(width_px, map(_short, names)))) + (30 if spec.y.label else 14)
    caption = 14 if spec.y.label else 0
    top = (26 if size.has_title and spec.title else 8) + caption
    told = [*spec.notes, *joined]
    bottom = size.height - 22 - (14 if spec.x.label else 0) - 16 * len(told)
    wide, tall = (size.width - 14 - left) / len(columns), max(1.0, (bottom - top) / len(rows))
    parts = heading(size, spec.title)
    for at, row in enumerate(cells):
        y = top + at * tall
        for column, value in enumerate(row):
            where = (left + column * wide, y, wide, tall)
            parts += _cell(
                value, scale, where, f"{rows[at][1]}, {columns[column][1]}", has_value=spec.has_values
            )
    parts += _row_labels(names, left, top, tall)
    parts += _column_labels([one[0] for one in columns], left, bottom, wide)
    if spec.y.label:
        parts.append(text(10, top - 6, clip(spec.y.label, 60)))
    if spec.x.label:
        parts.append(text((left + size.width - 14) / 2, bottom + 30, clip(spec.x.label, 60), anchor="middle"))
    parts += notes(told, 12, size.height - 8 - 16 * (len(told) - 1), size.width - 24)
    said = f"{len(rows)} rows and {len(columns)} columns, values {number(scale.low)} to {number(scale.high)}."
    return document(size, spec.title, said, parts)


def _short(label: str) -> str:
    return clip(label, 24)


_Label = tuple[str, str]
"""What is painted at the axis, and what the hint of a cell says."""


def _joined(spec: Heat) -> tuple[list[list[float]], list[_Label], list[_Label], list[str]]:
    """Return the cells as they are painted, upper row first, with their labels; large grids joined."""
    cells = [list(row) for row in spec.cells]
    columns, rows = _labels(spec.columns, len(cells[0]) if cells else 0), _labels(spec.rows, len(cells))
    if spec.rows and not isinstance(spec.rows[0], str):
        cells.reverse()
        rows.reverse()
    told: list[str] = []
    by_row, by_column = math.ceil(len(rows) / _MAX_SIDE) or 1, math.ceil(len(columns) / _MAX_SIDE) or 1
    if by_row > 1 or by_column > 1:
        told.append(f"each cell is the largest of {by_row} x {by_column}")
        cells = [
            [
                _largest(
                    [
                        cells[r][c]
                        for r in range(top, min(top + by_row, len(rows)))
                        for c in range(first, min(first + by_column, len(columns)))
                    ]
                )
                for first in range(0, len(columns), by_column)
            ]
            for top in range(0, len(rows), by_row)
        ]
        rows, columns = rows[::by_row], columns[::by_column]
    return cells, columns, rows, told


def _largest(values: Sequence[float]) -> float:
    finite = [one for one in values if not math.isnan(one)]
    return max(finite) if finite else math.nan


def _labels(found: Sequence[str] | Sequence[float], count: int) -> list[_Label]:
    if found and not isinstance(found[0], str):
        edges = [float(one) for one in found]
        return [(number(low), f"{number(low)} to {number(high)}") for low, high in itertools.pairwise(edges)][
            :count
        ]
    return [(str(one), str(one)) for one in found][:count]


def _cell(
    value: float, scale: Scale, where: tuple[float, float, float, float], place: str, *, has_value: bool
) -> list[str]:
    x, y, wide, tall = where
    told = escape_markup(f"{clip(place, 150)}: {number(value)}")
    if math.isnan(value):
        d = f"M{x + wide / 2 - 3:.1f} {y + tall / 2 - 3:.1f}l6 6m0 -6l-6 6"
        return [f'<path class="oxp-lost oxp-s-bad" d="{d}"><title>{told}</title></path>']
    share = 1.0 if value == math.inf else min(1.0, max(0.0, scale.share(value))) if scale.fits(value) else 0.0
    if scale.low == scale.high:
        share = 1.0 if value else 0.0
    parts: list[str] = []
    if share > 0:
        gap = 0.5 if min(wide, tall) > 4 else 0.0
        parts.append(
            f'<rect class="oxp-f-0" fill-opacity="{0.06 + 0.94 * share:.2f}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{wide - gap:.1f}" height="{tall - gap:.1f}"><title>{told}</title></rect>'
        )
    if has_value and wide >= width_px(number(value)) + 2 and tall >= 13:
        color = "page" if share > 0.5 else "ink"
        parts.append(text(x + wide / 2, y + tall / 2 + 4, number(value), color=color, anchor="middle"))
    return parts


def _row_labels(names: Sequence[str], left: float, top: float, tall: float) -> list[str]:
    every = max(1, math.ceil(14 / tall))
    return [
        text(left - 6, top + (at + 0.5) * tall + 4, _short(name), anchor="end")
        for at, name in enumerate(names)
        if at % every == 0
    ]


def _column_labels(names: Sequence[str], left: float, bottom: float, wide: float) -> list[str]:
    # As many characters as there is room for, so that classes of a matrix all have a name.
    widest = max(map(width_px, names))
    every = 1 if wide >= 30 else max(1, math.ceil((min(widest, 60) + 8) / wide))
    room = max(3, int((wide * every - 4) / 6.2))
    return [
        text(
            left + (at + 0.5) * wide,
            bottom + 16,
            name if len(name) <= room else f"{name[: room - 1]}…",
            anchor="middle",
        )
        for at, name in enumerate(names)
        if at % every == 0
    ]
