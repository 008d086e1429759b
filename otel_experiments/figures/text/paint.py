"""A spec as lines of characters, for a terminal."""

from __future__ import annotations

from otel_experiments.figures.escape import show_hidden
from otel_experiments.figures.spec import Bars, Curves, Heat, Histogram, Spec
from otel_experiments.figures.text.bars import paint_bars, paint_heat, paint_histogram
from otel_experiments.figures.text.chart import paint_chart


def paint_text(spec: Spec, *, width: int = 80, height: int = 14, is_unicode: bool = True) -> list[str]:
    """Return the lines of a spec, without its title; characters of names that a terminal would act on are shown as escapes."""
    lines = _painted(spec, width=width, height=height, is_unicode=is_unicode)
    return [show_hidden(line) for line in lines]


def _painted(spec: Spec, *, width: int, height: int, is_unicode: bool) -> list[str]:
    match spec:
        case Curves():
            return paint_chart(spec, width=width, height=max(2, height), is_unicode=is_unicode)
        case Histogram():
            return paint_histogram(spec, width=width, is_unicode=is_unicode)
        case Bars():
            return paint_bars(spec, width=width, is_unicode=is_unicode)
        case Heat():
            return paint_heat(spec, width=width, is_unicode=is_unicode)
