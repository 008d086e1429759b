"""Metric series of a run: the history of what `run.log` recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from otel_experiments._short_repr import fields_repr

if TYPE_CHECKING:
    from datetime import datetime

Direction = Literal["min", "max"]
"""Which way is better: `min` for a loss, `max` for an accuracy."""
SUMMARY_WORDS: Final = ("last", "min", "max", "mean", "best", "first", "copy", "none")
"""What the summary of a run may have of a metric. `copy` is the last value under the metric's name, as by default."""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """What names a series inside a run: the metric's name, its phase (empty when none was given), who wrote it.

    `rank` is the number of the process among those of its job (`ml.distributed.rank` of its resource), 0 for a
    process that is alone: ranks that record one run have series of their own.
    """

    name: str
    phase: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class PointBlock:
    """Points that were logged together, as columns.

    Shape: `steps` [n], `times_ns` [n]; `values` holds one column [n] for each of `keys`. Point i of series
    `keys[j]` is (steps[i], times_ns[i], values[j][i]). Rows are in the order in which they were recorded.
    Units: `times_ns` are nanoseconds since the Unix epoch; steps are exact for integers up to 2**53.

    `is_received`: it came by OTLP, which may bring the same points again. Of each series a store then takes only the
    points that it does not have: those of which it has none, or fewer, with the same step, time and value.

    `is_repeating`: it is of a gauge whose step is an attribute. Such a gauge is sent again at each collection, with the time
    of the collection, so of each step and value a store takes only the first point.

    `attempt` is that of the process that recorded them; 0 where it is not known: then their times say it.
    """

    run_id: str
    keys: tuple[SeriesKey, ...]
    steps: Sequence[float]
    times_ns: Sequence[int]
    values: tuple[Sequence[float], ...]
    is_received: bool = False
    is_repeating: bool = False
    attempt: int = 0


class Point(NamedTuple):
    """One point of a series, its time in UTC to the microsecond; `Points.times_ns` has the nanoseconds."""

    step: float
    time: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Points:
    """The history of one series, as columns in recording order.

    Shape: `steps`, `times_ns` and `values` have the same length, and `attempts`, unless it is empty.

    `attempts` are those of the processes that recorded the points, 0 where one is not known; empty where none is.
    """

    steps: Sequence[float]
    times_ns: Sequence[int]
    values: Sequence[float]
    attempts: Sequence[int] = field(default=(), compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return fields_repr(self)

    def __iter__(self) -> Iterator[Point]:
        """Yield the points one by one, so that libraries make a table of the columns step, time and value."""
        from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - few need it

        epoch = datetime.fromtimestamp(0, UTC)
        for step, time_ns, value in zip(self.steps, self.times_ns, self.values, strict=True):
            number = int(step) if step.is_integer() else step
            yield Point(number, epoch + timedelta(microseconds=time_ns // 1000), value)


@dataclass(frozen=True, slots=True)
class Band:
    """A series thinned to buckets of the step axis: nothing between two buckets' extremes is hidden.

    Shape: all columns have one entry a bucket that holds a point. `last` is the value recorded last in the
    bucket; `low` and `high` ignore NaN (NaN when the bucket holds nothing else).
    """

    first_steps: Sequence[float]
    last_steps: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    last: Sequence[float]
    counts: Sequence[int]

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of a series as its points arrive, each extreme with its step.

    `minimum` and `maximum` ignore NaN and count infinities; `mean` is over finite values. They are NaN (and
    their steps None) when no point qualifies. `last` is the point recorded latest by time, NaN included.
    """

    count: int
    nan_count: int
    finite_count: int
    finite_sum: float
    first_step: float
    last: float
    last_step: float
    last_time_ns: int
    minimum: float
    minimum_step: float | None
    maximum: float
    maximum_step: float | None
    direction: Direction | None = None

    @property
    def mean(self) -> float:
        """Arithmetic mean of the finite values; NaN when there is none."""
        return self.finite_sum / self.finite_count if self.finite_count else math.nan

    @property
    def best(self) -> float | None:
        """The extreme in the metric's direction; None when no direction was declared."""
        if self.direction is None:
            return None
        return self.minimum if self.direction == "min" else self.maximum

    @property
    def best_step(self) -> float | None:
        """The step at which `best` was first reached; None when there is no best."""
        if self.direction is None:
            return None
        return self.minimum_step if self.direction == "min" else self.maximum_step


@dataclass(frozen=True, slots=True)
class Series:
    """A series with its summary."""

    run_id: str
    key: SeriesKey
    summary: Summary
