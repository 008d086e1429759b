"""The curve of a metric in a run that was resumed, rewound or forked: which points count, and which others there are.

Nothing is copied when a run goes on or is forked: the curve is put together when it is read. Of a step that several
attempts recorded the latest one's points count; of what was rewound, nothing after the step; of a fork's source,
what is up to the fork.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from otel_experiments.model.metric import Band, Points, Series, Summary
from otel_experiments.model.past import Past
from otel_experiments.query.counting import attempts_of_points, counting
from otel_experiments.query.metric_rules import MetricRules
from otel_experiments.query.metrics_view import MetricsView
from otel_experiments.query.series_view import SeriesView
from otel_experiments.store.semantics.band import band_of
from otel_experiments.store.semantics.summary import Axis, summarize

if TYPE_CHECKING:
    from otel_experiments.model.metric import SeriesKey
    from otel_experiments.store import Store

_NOTHING = Points(array("d"), array("q"), array("d"))


def continued_metrics(
    store: Store, run_id: str, own: Sequence[Series], past: Past, source: MetricsView | None
) -> MetricsView:
    """Return the series of a run that has a past; `source` has those of the run that it is a fork of, if that is there."""
    inherited: dict[SeriesKey, SeriesView] = {}
    if source is not None:
        inherited = {_series_of(view).key: view for view in source.all(rank="all")}
    above = next((view._rules for view in inherited.values()), None)  # noqa: SLF001 - of this package
    rules = MetricRules(
        lambda: [*(() if above is None else above.definitions), *store.metric_definitions(run_id)]
    )
    views: dict[SeriesKey, ContinuedSeries] = {}
    for one in own:
        views[one.key] = ContinuedSeries(store, one, rules, past, inherited.get(one.key), views)
    for key, view in inherited.items():
        if key not in views:
            only = ContinuedSeries(store, _series_of(view), rules, past, view, views, has_own=False)
            if only.count:
                views[key] = only
    return MetricsView(
        store, run_id[:8], [_series_of(view) for view in views.values()], view_of=lambda one: views[one.key]
    )


class ContinuedSeries(SeriesView):
    """A series of which not all points that the run recorded count, or others as well."""

    def __init__(
        self,
        store: Store,
        series: Series,
        rules: MetricRules,
        past: Past,
        source: SeriesView | None,
        views: Mapping[SeriesKey, ContinuedSeries],
        *,
        has_own: bool = True,
    ) -> None:
        super().__init__(store, series, rules)
        self._past = past
        self._source = source
        self._views = views
        self._has_own = has_own

    @property
    def attempts(self) -> list[int]:
        """The attempts of the run that recorded points of it."""
        return sorted(set(attempts_of_points(self._recorded, self._past)))

    @property
    def inherited_until(self) -> float | None:
        """The last step of the points that come from the run that this one is a fork of; None where none do."""
        return max(self._inherited.steps, default=None)

    @cached_property
    def summary(self) -> Summary:
        """What is known of the points that count; the same as the store keeps, where all do."""
        points = self._points
        if not self._has_own or self._inherited or len(points) != self._series.summary.count:
            if not points:
                return replace(self._series.summary, count=0)
            found = summarize(Axis.of(points.steps, points.times_ns), array("d", points.values))
            return replace(found, direction=self._series.summary.direction)
        return self._series.summary

    @property
    def _beside(self) -> Mapping[SeriesKey, Callable[[], Points]]:
        return {key: view._read for key, view in self._views.items()}  # noqa: SLF001 - of this class

    @cached_property
    def _recorded(self) -> Points:
        if not self._has_own:
            return _NOTHING
        points = self._store.points(self._series.run_id, self._series.key)
        before_ns, latest = self._past.before_ns, self._past.attempt
        if before_ns is None:
            return points
        known = points.attempts or [0] * len(points)
        return _chosen(
            points,
            [
                attempt <= latest if attempt else ns < before_ns
                for attempt, ns in zip(known, points.times_ns, strict=True)
            ],
        )

    @cached_property
    def _inherited(self) -> Points:
        fork = self._past.fork
        if self._source is None or fork is None:
            return _NOTHING
        until = min(fork.step, self._past.rewound_after(0))
        taken = set(self._recorded.steps)
        source = self._source.points()
        return _chosen(source, [step <= until and step not in taken for step in source.steps])

    @cached_property
    def _joined(self) -> Points:
        recorded = self._recorded
        attempts = attempts_of_points(recorded, self._past)
        own = _chosen(recorded, counting(recorded.steps, attempts, self._past))
        first = self._inherited
        if not first:
            return own
        return Points(
            array("d", [*first.steps, *own.steps]),
            array("q", [*first.times_ns, *own.times_ns]),
            array("d", [*first.values, *own.values]),
        )

    def points(
        self, *, rank: int | Literal["all"] | None = None, attempt: int | Literal["all"] | None = None
    ) -> Points:
        """Return the history that counts, or what one attempt or `"all"` of them recorded; else as `SeriesView.points`."""
        if attempt is None or rank is not None:  # of several ranks each is asked
            return super().points(rank=rank, attempt=attempt)
        points = self._recorded
        if attempt == "all":
            return points
        return _chosen(points, [one == attempt for one in attempts_of_points(points, self._past)])

    def _read(self) -> Points:
        return self._joined

    def band(self, *, buckets: int = 500, x: str | None = None) -> Band:
        """Return the curve thinned to at most `buckets` buckets of the step axis, extremes kept; `x` as in `SeriesView.band`."""
        if x is not None:
            return super().band(buckets=buckets, x=x)
        return band_of(self._points, buckets=buckets)


def _series_of(view: SeriesView) -> Series:
    return view._series  # noqa: SLF001 - of this package


def _chosen(points: Points, keep: Sequence[bool]) -> Points:
    if all(keep):
        return points
    kept = [index for index, is_kept in enumerate(keep) if is_kept]
    return Points(
        array("d", [points.steps[index] for index in kept]),
        array("q", [points.times_ns[index] for index in kept]),
        array("d", [points.values[index] for index in kept]),
        array("q", [points.attempts[index] for index in kept]) if points.attempts else (),
    )
