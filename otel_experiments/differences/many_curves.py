"""One metric of several runs in one figure: a line a run, or of each group of runs the mean with its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.analysis.groups import Merged, merge_curves
from otel_experiments.figures.spec import Area, Axis, Curves, Line
from otel_experiments.model.search import SearchField
from otel_experiments.query import RunView, SeriesView
from otel_experiments.query.natural import natural_key
from otel_experiments.query.shown.html import value_text

MOST_LINES: Final = 10
"""More are not told apart; the first are drawn."""
_MOST_AREAS: Final = 3
"""Ranges of more groups cover each other."""


@dataclass(frozen=True, slots=True)
class CurveGroup:
    """The runs that are one line of the figure.

    Attributes:
        label: what they have in common; the run's name where each run is a line.
        runs: the runs.
        merged: their mean and range.
    """

    label: str
    runs: tuple[RunView, ...]
    merged: Merged


def group_curves(
    runs: Sequence[RunView],
    name: str,
    *,
    phase: str | None = None,
    by: SearchField | None = None,
    buckets: int = 200,
) -> list[CurveGroup]:
    """Return one metric of several runs, a group a line; runs without the metric are left out.

    Args:
        runs: the runs.
        name: the name of the metric.
        phase: its phase; without it the one that `run.metrics[name]` returns.
        by: what the runs of a group have in common, such as a param; without it each run is a group.
        buckets: at most so many places a line.
    """
    found: dict[str, list[tuple[RunView, SeriesView]]] = {}
    names = [run.name for run in runs]
    for run in runs:
        series = run.metrics.get(name) if phase is None else run.metrics.in_phase(name, phase)
        if series is None:
            continue
        if by is None:
            label = (
                run.name if run.name and names.count(run.name) == 1 else f"{run.name} {run.short_id}".strip()
            )
        else:
            value = run.value(by)
            label = "(none)" if value is None else value_text(value)
        found.setdefault(label, []).append((run, series))
    labels = list(found) if by is None else sorted(found, key=natural_key)
    return [_group(label, found[label], buckets) for label in labels]


def figure_of_groups(groups: Sequence[CurveGroup], title: str, *, is_log: bool = False) -> Curves:
    """Return the figure of the first groups: a line for each mean, and its range where there are few.

    Args:
        groups: what is drawn.
        title: above the figure.
        is_log: whether the values are on a logarithmic axis.
    """
    drawn = groups[:MOST_LINES]
    lines = tuple(
        Line(one.label, one.merged.x, one.merged.mean, color=color) for color, one in enumerate(drawn)
    )
    areas = tuple(
        Area(f"range of {one.label}", one.merged.x, low=one.merged.low, high=one.merged.high, color=color)
        for color, one in enumerate(drawn)
        if len(one.runs) > 1 and len(drawn) <= _MOST_AREAS
    )
    notes = (f"{len(groups) - len(drawn)} more are not drawn",) if len(groups) > len(drawn) else ()
    return Curves(title, lines, areas=areas, y=Axis(scale="log" if is_log else "linear"), notes=notes)


def _group(label: str, held: Sequence[tuple[RunView, SeriesView]], buckets: int) -> CurveGroup:
    curves = []
    for _, series in held:
        points = series.points()
        curves.append((points.steps, points.values))
    return CurveGroup(label, tuple(run for run, _ in held), merge_curves(curves, buckets=buckets))
