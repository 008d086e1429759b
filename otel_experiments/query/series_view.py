"""One metric of a run: its summary at once, its history on request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from otel_experiments._short_repr import short
from otel_experiments.errors import MetricNotFoundError, MissingPackageError
from otel_experiments.model.metric import Points
from otel_experiments.query.frames.framed import Framed
from otel_experiments.query.metric_axis import points_against, stored_series
from otel_experiments.query.point_order import NumpyPoints, merged_by_time, numbered_by_time
from otel_experiments.query.shown.plotted import PlottedSeries
from otel_experiments.store.semantics.band import band_of

if TYPE_CHECKING:
    from otel_experiments.model.metric import Band, Direction, Series, SeriesKey, Summary
    from otel_experiments.query.frames.columns import Columns
    from otel_experiments.query.metric_rules import MetricRules
    from otel_experiments.store import Store


def _whole(step: float | None) -> float | None:
    """Return a step as the integer that it mostly is."""
    return int(step) if step is not None and math.isfinite(step) and step == int(step) else step


class SeriesView(Framed, PlottedSeries):
    """One series: what is known of it without reading a point, and its points when they are asked for.

    Where several ranks recorded the metric, it is the series of one of them; `of_rank` has those of the others.
    """

    __slots__ = (
        "_held",
        "_is_numbered",
        "_rules",
        "_series",
        "_several",
        "_store",
    )  # a page of runs makes thousands

    def __init__(self, store: Store, series: Series, rules: MetricRules) -> None:
        self._store = store
        self._rules = rules
        self._series = series
        self._several: dict[int, SeriesView] | None = None
        self._held: Points | None = None
        self._is_numbered = False

    def _add_rank(self, other: SeriesView) -> None:
        """Take in what a higher rank recorded of the same metric in the same phase."""
        if self._several is None:
            self._several = {self.rank: self}
        self._several[other.rank] = other
        other._several = self._several

    @property
    def _of_ranks(self) -> Mapping[int, SeriesView]:
        return self._several or {self.rank: self}

    @property
    def name(self) -> str:
        """The metric's name."""
        return self._series.key.name

    @property
    def phase(self) -> str:
        """The phase it was logged in; empty when none was given."""
        return self._series.key.phase

    @property
    def rank(self) -> int:
        """The number of the process that recorded it, among those of its job; 0 for one that was alone."""
        return self._series.key.rank

    @property
    def ranks(self) -> list[int]:
        """The ranks that recorded this metric in this phase, the lowest first."""
        return list(self._of_ranks)

    def of_rank(self, rank: int) -> SeriesView:
        """Return the series that this rank recorded of the same metric in the same phase.

        Raises:
            MetricNotFoundError: this rank recorded none.
        """
        found = self._of_ranks.get(rank)
        if found is None:
            label = f"{self.name} [{self.phase}]" if self.phase else self.name
            raise MetricNotFoundError(
                run=self._series.run_id[:8],
                name=f"{label} of rank {rank}",
                known=[f"{label} of rank {one}" for one in self._of_ranks],
                suggestion=None,
            )
        return found

    @property
    def summary(self) -> Summary:
        """All that the store keeps beside the points."""
        return self._series.summary

    @property
    def count(self) -> int:
        """How many points there are, NaN included."""
        return self.summary.count

    @property
    def nan_count(self) -> int:
        """How many of the points are NaN."""
        return self.summary.nan_count

    @property
    def direction(self) -> Direction | None:
        """Which way is better, where that was declared."""
        return self.summary.direction

    @property
    def has_derived_steps(self) -> bool:
        """Whether no point came with a step, as in some telemetry of other programs.

        The steps are then the numbers of the points in the order of their times, from 0.
        """
        if not (math.isnan(self.summary.first_step) and math.isnan(self.summary.last_step)):
            return False
        return bool(self._points) and self._is_numbered

    @property
    def first_step(self) -> float:
        """The step of the first point."""
        if self.has_derived_steps:
            return _whole(self._points.steps[0])  # type: ignore[return-value] # as below
        return _whole(self.summary.first_step)  # type: ignore[return-value] # None for None only

    @property
    def last(self) -> float:
        """The value recorded latest, NaN included."""
        return self.summary.last

    @property
    def last_step(self) -> float:
        """The step of the latest value."""
        if self.has_derived_steps:
            return self.count - 1
        return _whole(self.summary.last_step)  # type: ignore[return-value] # None for None only

    @property
    def min(self) -> float:
        """The smallest value; NaN when every point is NaN."""
        return self.summary.minimum

    @property
    def min_step(self) -> float | None:
        """The step at which the smallest value was first reached."""
        return self._extreme_step(self.summary.minimum, self.summary.minimum_step)

    @property
    def max(self) -> float:
        """The largest value; NaN when every point is NaN."""
        return self.summary.maximum

    @property
    def max_step(self) -> float | None:
        """The step at which the largest value was first reached."""
        return self._extreme_step(self.summary.maximum, self.summary.maximum_step)

    @property
    def mean(self) -> float:
        """The mean of the finite values; NaN when there is none."""
        return self.summary.mean

    @property
    def best(self) -> float | None:
        """The extreme in the metric's direction; None when no direction was declared."""
        return self.summary.best

    @property
    def best_step(self) -> float | None:
        """The step at which the best value was first reached."""
        return None if self.best is None else self._extreme_step(self.best, self.summary.best_step)

    def _extreme_step(self, value: float, step: float | None) -> float | None:
        if not self.has_derived_steps:
            return _whole(step)
        points = self._points
        reached = [one for one, held in zip(points.steps, points.values, strict=True) if held == value]
        return _whole(min(reached, default=None))

    @property
    def attempts(self) -> list[int]:
        """The attempts of the run that recorded points of it."""
        return [1]

    @property
    def inherited_until(self) -> float | None:
        """The last step that comes from the run that this one is a fork of; None where none does."""
        return None

    def points(
        self, *, rank: int | Literal["all"] | None = None, attempt: int | Literal["all"] | None = None
    ) -> Points:
        """Return the whole history, in recording order; read once and kept.

        Where the run was resumed, the last attempt's points of a step count, and where it was rewound, nothing that came
        later before.

        Args:
            rank: of another rank, or of `"all"` ranks together, by time.
            attempt: what this attempt recorded, or `"all"` of them, whether it counts or not.

        Raises:
            MetricNotFoundError: this rank recorded none.
        """
        if rank == "all":
            return merged_by_time([series.points(attempt=attempt) for series in self._of_ranks.values()])
        if rank is not None:
            return self.of_rank(rank).points(attempt=attempt)
        return self._points if attempt in {None, "all", 1} else Points((), (), ())

    def _read(self) -> Points:
        return self._store.points(self._series.run_id, self._series.key)

    @property
    def _points(self) -> Points:
        if self._held is None:
            points = self._read()
            self._is_numbered = len(points) > 0 and all(map(math.isnan, points.steps))
            self._held = numbered_by_time(points) if self._is_numbered else points
        return self._held

    @property
    def steps(self) -> Sequence[float]:
        """The steps of all points, in recording order."""
        return self._points.steps

    @property
    def values(self) -> Sequence[float]:
        """The values of all points, in recording order."""
        return self._points.values

    @property
    def times_ns(self) -> Sequence[int]:
        """The times of all points in nanoseconds since the Unix epoch, in recording order."""
        return self._points.times_ns

    @property
    def step_metric(self) -> str:
        """The metric that the run declared as the x axis of this one; empty where it declared none."""
        return self._rules.of(self.name).step_metric

    @property
    def is_hidden(self) -> bool:
        """Whether the run declared that tables of all metrics leave this one out."""
        return bool(self._rules.of(self.name).is_hidden)

    @property
    def _beside(self) -> Mapping[SeriesKey, Callable[[], Points]]:
        """How the points that count are read, of each series of the run."""
        return stored_series(self._store, self._series.run_id)

    def against(self, name: str | None = None) -> Points:
        """Return the history over another metric: each point with the latest value that one had, in the place of its step.

        Args:
            name: the other metric, such as `epoch`; by default the declared `step_metric`. Points before its first are left out.

        Raises:
            MetricNotFoundError: the run has no metric of that name, or declared none.
        """
        key, run = self._series.key, self._series.run_id[:8]
        return points_against(run, key, name or self.step_metric, self._beside)

    def band(self, *, buckets: int = 500, x: str | None = None) -> Band:
        """Return the series thinned to at most `buckets` buckets of the x axis, extremes kept.

        Args:
            buckets: how many there are at most.
            x: the metric that is the x axis, as for `against`; by default the steps are.

        Raises:
            MetricNotFoundError: there is no metric `x`.
        """
        if x is not None:
            return band_of(self.against(x), buckets=buckets)
        if self.has_derived_steps:
            return band_of(self._points, buckets=buckets)
        return self._store.band(self._series.run_id, self._series.key, buckets=buckets)

    def _itself(self) -> SeriesView:
        return self

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import series_html  # noqa: PLC0415 - only notebooks ask

        return series_html(self)

    def numpy(self) -> NumpyPoints:
        """Return the whole history as NumPy arrays.

        Raises:
            MissingPackageError: NumPy is not installed.
        """
        try:
            import numpy as np  # noqa: PLC0415 - optional
        except ImportError as exc:
            raise MissingPackageError(package="numpy", purpose="series.numpy()", extra="demo") from exc
        points = self._points
        return NumpyPoints(
            np.asarray(points.steps, dtype=np.float64),
            np.asarray(points.times_ns, dtype=np.int64),
            np.asarray(points.values, dtype=np.float64),
        )

    def _columns(self) -> Columns:
        from otel_experiments.query.frames.point_columns import point_columns  # noqa: PLC0415 - few need it

        return point_columns(self._points)

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        phase = f", phase={short(self.phase)}" if self.phase else ""
        phase += f", rank={self.rank}" if len(self._of_ranks) > 1 or self.rank else ""
        return f"SeriesView({short(self.name)}{phase}, count={self.count}, last={self.last!r})"
