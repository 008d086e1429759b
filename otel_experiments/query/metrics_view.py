"""The metrics of a run: summaries at once, histories on request."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from otel_experiments.errors import MetricNotFoundError, MissingPackageError
from otel_experiments.model.metric import Band, Direction, Points, Series, Summary
from otel_experiments.query.closest import closest
from otel_experiments.store import Store


class NumpyPoints(NamedTuple):
    """The history of a series as NumPy arrays of the same length.

    Shape: steps [n] float64, times_ns [n] int64, values [n] float64.
    """

    # Any: NumPy is optional, its types cannot be named here.
    steps: Any
    times_ns: Any
    values: Any


class SeriesView:
    """One series: what is known of it without reading a point, and its points when they are asked for."""

    def __init__(self, store: Store, series: Series) -> None:
        self._store = store
        self._series = series

    @property
    def name(self) -> str:
        """The metric's name."""
        return self._series.key.name

    @property
    def phase(self) -> str:
        """The phase it was logged in; empty when none was given."""
        return self._series.key.phase

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
    def first_step(self) -> float:
        """The step of the first point."""
        return self.summary.first_step

    @property
    def last(self) -> float:
        """The value recorded latest, NaN included."""
        return self.summary.last

    @property
    def last_step(self) -> float:
        """The step of the latest value."""
        return self.summary.last_step

    @property
    def min(self) -> float:
        """The smallest value; NaN when every point is NaN."""
        return self.summary.minimum

    @property
    def min_step(self) -> float | None:
        """The step at which the smallest value was first reached."""
        return self.summary.minimum_step

    @property
    def max(self) -> float:
        """The largest value; NaN when every point is NaN."""
        return self.summary.maximum

    @property
    def max_step(self) -> float | None:
        """The step at which the largest value was first reached."""
        return self.summary.maximum_step

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
        return self.summary.best_step

    def points(self) -> Points:
        """Return the whole history, in recording order; read once and kept."""
        return self._points

    @cached_property
    def _points(self) -> Points:
        return self._store.points(self._series.run_id, self._series.key)

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

    def band(self, *, buckets: int = 500) -> Band:
        """Return the series thinned to at most `buckets` buckets of the step axis, extremes kept."""
        return self._store.band(self._series.run_id, self._series.key, buckets=buckets)

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

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        phase = f", phase={self.phase!r}" if self.phase else ""
        return f"SeriesView({self.name!r}{phase}, count={self.count}, last={self.last!r})"


class MetricsView(Mapping[str, SeriesView]):
    """The series of a run by the metric's name; `metrics["loss", "validation"]` asks for a phase.

    Without a phase the series that has none is meant; where there is none of that kind, the first by phase.
    """

    def __init__(self, store: Store, run_label: str, series: Sequence[Series]) -> None:
        self._run_label = run_label
        ordered = sorted(series, key=lambda one: one.key)
        self._views = {(one.key.name, one.key.phase): SeriesView(store, one) for one in ordered}
        self._by_name: dict[str, SeriesView] = {}
        for (name, _), view in self._views.items():
            self._by_name.setdefault(name, view)

    def __getitem__(self, key: str | tuple[str, str]) -> SeriesView:
        found = self._by_name.get(key) if isinstance(key, str) else self._views.get(key)
        if found is None:
            raise self._not_found(key)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._by_name or key in self._views

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[SeriesView]:
        """Return every series, by name and phase."""
        return list(self._views.values())

    def in_phase(self, name: str, phase: str) -> SeriesView | None:
        """Return the series of this name and phase; None when there is none."""
        return self._views.get((name, phase))

    def matching(self, glob: str) -> list[SeriesView]:
        """Return the series whose name matches a glob such as `val/*`, by name and phase."""
        return [view for view in self._views.values() if fnmatch.fnmatchcase(view.name, glob)]

    def _not_found(self, key: str | tuple[str, str]) -> MetricNotFoundError:
        name = key if isinstance(key, str) else key[0]
        wanted = key if isinstance(key, str) else f"{key[0]} [{key[1]}]"
        known = [f"{view.name} [{view.phase}]" if view.phase else view.name for view in self._views.values()]
        close = closest(name, list(self._by_name))
        if name in self._by_name:
            known = [text for text in known if text == name or text.startswith(f"{name} [")]
            close = None
        return MetricNotFoundError(run=self._run_label, name=wanted, known=known, suggestion=close)

    def __repr__(self) -> str:
        return f"MetricsView({', '.join(self._by_name)})"
