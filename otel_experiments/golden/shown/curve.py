"""Curves of a comparison as a figure: the goldens' range and lines, the candidate above them, where it changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.figures.spec import Area, Axis, Curves, Line, Mark
from otel_experiments.figures.svg.curves import paint_curves
from otel_experiments.figures.svg.frame import Size
from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.curves.compare import Curve

_SIZE: Final = Size(460, 200, has_title=False, has_style=False, has_legend=False)
"""The page says once what the colours mean, and has the style."""
_MAX_LINES: Final = 20
_CANDIDATE: Final = 0
_GOLDEN: Final = 1


def draw_curve(view: CurveView, *, first_changed: float | None = None) -> str:
    """Return the SVG of one metric; `first_changed` is the index at which a finding begins.

    Empty where no run has a finite value.
    """
    spec = curves_of(view, first_changed=first_changed)
    return paint_curves(spec, _SIZE) if any(map(_has_finite, spec.lines)) else ""


def curves_of(view: CurveView, *, first_changed: float | None = None) -> Curves:
    """Return what is drawn of one metric."""
    golden = [_line(curve, "golden", _GOLDEN) for curve in view.golden[:_MAX_LINES]]
    candidate = [_line(curve, "candidate", _CANDIDATE) for curve in view.candidate[:_MAX_LINES]]
    thin = len(golden) > 1
    golden = [replace(one, style="thin" if thin else "wide") for one in golden]
    marks = (
        () if first_changed is None else (Mark(first_changed, f"changed from {first_changed:g}", "change"),)
    )
    return Curves(
        f"{view.metric} at {view.path}",
        (*golden, *candidate),
        areas=_range(golden) if thin else (),
        marks=marks,
        y=Axis(scale="auto"),
    )


def _line(curve: Curve, label: str, color: int) -> Line:
    """Return the points by ascending index."""
    points = sorted(
        (
            (float(index), float(value))
            for index, value in zip(curve.indexes, curve.values, strict=True)
            if math.isfinite(index)
        ),
        key=lambda point: point[0],
    )
    return Line(label, [index for index, _ in points], [value for _, value in points], color=color)


def _has_finite(line: Line) -> bool:
    return any(map(math.isfinite, line.y))


def _range(lines: Sequence[Line]) -> tuple[Area, ...]:
    """Return the area between the lowest and the highest golden, where two or more have a value."""
    low: dict[float, float] = {}
    high: dict[float, float] = {}
    seen: dict[float, int] = {}
    for line in lines:
        for index, value in zip(line.x, line.y, strict=True):
            if math.isfinite(value):
                low[index] = min(value, low.get(index, value))
                high[index] = max(value, high.get(index, value))
                seen[index] = seen.get(index, 0) + 1
    shared = sorted(index for index, count in seen.items() if count > 1)
    if len(shared) < 2:
        return ()
    area = Area(
        "range",
        shared,
        low=[low[one] for one in shared],
        high=[high[one] for one in shared],
        color=_GOLDEN,
        style="wide",
    )
    return (area,)
