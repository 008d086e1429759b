"""Curves of two runs in one figure, and of many runs as groups with their mean and band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.differences.metrics import series_of
from otel_experiments.query import RunView
from otel_experiments.query.shown.curves import figure_of

if TYPE_CHECKING:
    from otel_experiments.figures.spec import Curves

_MOST_FIGURES: Final = 6
_BUCKETS: Final = 300


def curves_of_both(a: RunView, b: RunView, labels: Sequence[str]) -> tuple[Curves, ...]:
    """Return a figure for each of the first metrics, with the curves of both runs.

    Args:
        a: the first run.
        b: the second run.
        labels: the metrics, the most telling first; those that only one run has are left out.
    """
    found: list[Curves] = []
    for label in labels:
        before, after = series_of(a, label), series_of(b, label)
        if before is None or after is None or max(before.count, after.count) < 2:
            continue
        names = [f"A {a.name}".rstrip(), f"B {b.name}".rstrip()]
        spec = figure_of([before, after], labels=names, title=label, buckets=_BUCKETS).spec
        found.append(spec)  # type: ignore[arg-type] # figures of series are curves
        if len(found) == _MOST_FIGURES:
            break
    return tuple(found)
