"""A spec as static SVG: no script, nothing fetched, no ids; the same bytes for the same spec."""

from __future__ import annotations

from otel_experiments.figures.spec import Bars, Curves, Heat, Histogram, Spec
from otel_experiments.figures.svg.bars import paint_bars, paint_histogram
from otel_experiments.figures.svg.curves import paint_curves
from otel_experiments.figures.svg.frame import Size
from otel_experiments.figures.svg.heat import paint_heat


def paint(spec: Spec, size: Size = Size()) -> str:  # noqa: B008 - frozen
    """Return the SVG of a spec."""
    match spec:
        case Curves():
            return paint_curves(spec, size)
        case Histogram():
            return paint_histogram(spec, size)
        case Bars():
            return paint_bars(spec, size)
        case Heat():
            return paint_heat(spec, size)
