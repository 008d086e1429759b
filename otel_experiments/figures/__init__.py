"""Figures: what is drawn as values, painted as SVG or as text; of plain columns, without telemetry and without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.figures.figure import Figure
    from otel_experiments.figures.spec import Area, Axis, Bars, Curves, Heat, Histogram, Line, Mark

__all__ = ["Area", "Axis", "Bars", "Curves", "Figure", "Heat", "Histogram", "Line", "Mark"]

_MODULES = {name: "figure" if name == "Figure" else "spec" for name in __all__}

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, _ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
