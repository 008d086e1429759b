"""Distributions and plots of a run as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.figures import Axis, Curves, Figure, Heat, Histogram, Line

if TYPE_CHECKING:
    from otel_experiments.codec.media.histogram import Histogram as LoggedHistogram
    from otel_experiments.codec.media.plots import Plot

_MOST_VALUES: Final = 20
"""Classes of a confusion matrix whose counts are written into the cells."""


_MOST_LABELS: Final = 40
"""Steps of a heat map that are named one by one."""


def heat_figure(
    title: str, steps: Sequence[float], edges: Sequence[float], counts: Sequence[Sequence[float]]
) -> Figure:
    """Return distributions by step: steps from left to right, values upwards."""
    cells = [[row[place] for row in counts] for place in range(len(edges) - 1)]
    columns = tuple(f"{step:g}" for step in steps) if len(steps) <= _MOST_LABELS else _around(steps)
    return Figure(Heat(title, cells, columns=columns, rows=tuple(edges), x=Axis(kind="step", label="step")))


def histogram_figure(title: str, histogram: LoggedHistogram) -> Figure:
    """Return a distribution as bars."""
    return Figure(Histogram(title, histogram.edges, histogram.counts))


def plot_figure(title: str, plot: Plot) -> Figure | None:
    """Return a confusion matrix, or the curves of a classifier; None for what is neither."""
    if plot.kind == "confusion_matrix":
        classes = tuple(plot.data["classes"])
        return Figure(
            Heat(
                title,
                plot.data["counts"],
                columns=classes,
                rows=classes,
                has_values=len(classes) <= _MOST_VALUES,
                x=Axis(label="predicted"),
                y=Axis(label="true"),
            )
        )
    labels = {"roc_curve": ("false positive rate", "true positive rate"), "pr_curve": ("recall", "precision")}
    if plot.kind not in labels:
        return None
    x, y = labels[plot.kind]
    lines = tuple(_line(curve, place) for place, curve in enumerate(plot.data["curves"]))
    return Figure(Curves(title, lines, x=Axis(label=x, low=0, high=1), y=Axis(label=y, low=0, high=1)))


def _line(curve: Mapping[str, Any], place: int) -> Line:
    return Line(f"{curve['name']} ({curve['area']:.3f})", curve["x"], curve["y"], color=place)


def _around(steps: Sequence[float]) -> tuple[float, ...]:
    """Return edges between which the steps lie: half-way between two of them."""
    between = [(low + high) / 2 for low, high in pairwise(steps)]
    first = between[0] - steps[0] if between else 0.5
    last = steps[-1] - between[-1] if between else 0.5
    return (steps[0] - first, *between, steps[-1] + last)
