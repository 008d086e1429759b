"""The course of a series as a small SVG for the cell of a table: one line, no axes, no text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from otel_experiments.figures.scale import scale_of
from otel_experiments.figures.spec import Axis
from otel_experiments.figures.svg.style import color_of
from otel_experiments.figures.thin import thin

_WIDTH: Final = 110
_HEIGHT: Final = 22
_POINTS: Final = 110


def paint_sparkline(values: Sequence[float], *, color: int = 0) -> str:
    """Return the SVG, for a page that has the style of figures; empty where no value is finite."""
    scale = scale_of(values, Axis())
    if scale is None:
        return ""
    kept = thin(values, at_most=_POINTS)
    last = max(1, len(values) - 1)
    parts: list[str] = []
    stretch: list[str] = []
    for at in [*kept, None]:
        if at is not None and math.isfinite(values[at]):
            x = 2 + at / last * (_WIDTH - 4)
            y = _HEIGHT - 3 - scale.share(values[at]) * (_HEIGHT - 6)
            stretch.append(f"{x:.1f},{y:.1f}")
            continue
        if len(stretch) == 1:
            x_text, y_text = stretch[0].split(",")
            parts.append(f'<circle class="oxp-f-{color_of(color)}" cx="{x_text}" cy="{y_text}" r="1.6"/>')
        elif stretch:
            parts.append(f'<polyline class="oxp-s-{color_of(color)}" points="{" ".join(stretch)}"/>')
        if at is not None:
            x = 2 + at / last * (_WIDTH - 4)
            parts.append(
                f'<line class="oxp-s-bad" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEIGHT - 4}" y2="{_HEIGHT}"/>'
            )
        stretch = []
    return (
        f'<svg class="oxp-spark" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )
