"""A series over another metric instead of its steps: `series.against("epoch")`."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from otel_experiments.errors import MetricNotFoundError
from otel_experiments.model.metric import Points
from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from otel_experiments.model.metric import SeriesKey
    from otel_experiments.store import Store


def stored_series(store: Store, run_id: str) -> dict[SeriesKey, Callable[[], Points]]:
    """Return how all that a run recorded of each of its series is read."""

    def reading(key: SeriesKey) -> Callable[[], Points]:
        return lambda: store.points(run_id, key)

    return {one.key: reading(one.key) for one in store.series([run_id])[run_id]}


def points_against(
    run: str, key: SeriesKey, axis: str, series: Mapping[SeriesKey, Callable[[], Points]]
) -> Points:
    """Return the points of a series with the latest value that another metric had at their times in the place of steps.

    Points from before the other metric's first are left out. Of its series, the one of the same phase is taken, else the
    one without a phase, else the first; of the same rank, else of the lowest.

    Args:
        run: what the run is called in an error.
        key: the series.
        axis: the other metric.
        series: how the points that count are read, of each series of the run.

    Raises:
        MetricNotFoundError: the run has no metric of that name.
    """
    places = [one for one in series if one.name == axis]
    if not places:
        known = sorted({one.name for one in series})
        raise MetricNotFoundError(run=run, name=axis, known=known, suggestion=closest(axis, known))
    nearest = min(
        places,
        key=lambda one: (one.phase != key.phase, one.phase != "", one.rank != key.rank, one.phase, one.rank),
    )
    ours, theirs = series[key](), series[nearest]()
    order = sorted(
        range(len(theirs)), key=theirs.times_ns.__getitem__
    )  # stable: of one time the last recorded counts
    times_ns = [theirs.times_ns[index] for index in order]
    found = Points(array("d"), array("q"), array("d"))
    for time_ns, value in zip(ours.times_ns, ours.values, strict=True):
        place = bisect_right(times_ns, time_ns)
        if place:
            found.steps.append(theirs.values[order[place - 1]])  # type: ignore[attr-defined] # arrays, see above
            found.times_ns.append(time_ns)  # type: ignore[attr-defined] # as above
            found.values.append(value)  # type: ignore[attr-defined] # as above
    return found
