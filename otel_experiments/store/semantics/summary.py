"""What is kept of a series as its points arrive: computed a column at a time, merged a batch at a time.

Both stores use it, so that they cannot disagree. It knows no storage.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from otel_experiments.model.metric import Summary

if TYPE_CHECKING:
    from otel_experiments.model.metric import Direction

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps and times of points recorded together, with what every value column over them shares.

    Shape: `steps` and `times_ns` have the same length, at least 1.
    """

    steps: array[float]
    times_ns: array[int]
    last_index: int
    """Index of the latest point by time; of several with the same time the one recorded last."""

    @classmethod
    def of(cls, steps: Sequence[float], times_ns: Sequence[int]) -> Axis:
        """Return the axis over these columns."""
        times = as_times(times_ns)
        latest = max(times)
        last_index = len(times) - 1
        while times[last_index] != latest:
            last_index -= 1
        return cls(as_floats(steps), times, last_index)

    def __len__(self) -> int:
        return len(self.steps)


def as_floats(column: Sequence[float]) -> array[float]:
    """Return the column as float64, without a copy where it is one already."""
    if isinstance(column, array) and column.typecode == "d":
        return column
    return array("d", column)


def as_times(column: Sequence[int]) -> array[int]:
    """Return the column as int64, without a copy where it is one already."""
    if isinstance(column, array) and column.typecode == "q":
        return column
    return array("q", column)


def extremes(values: Sequence[float]) -> tuple[float, float]:
    """Return (minimum, maximum) without NaN; NaN for both when nothing else is there.

    Shape: values [n], n >= 1.
    """
    if not math.isnan(sum(values)):
        # No NaN inside, and no two opposite infinities.
        return min(values), max(values)
    numbers = [value for value in values if value == value]  # noqa: PLR0124 - the fast test for NaN
    return (min(numbers), max(numbers)) if numbers else (NAN, NAN)


def summarize(axis: Axis, values: array[float]) -> Summary:
    """Return the summary of one batch of points, with no direction.

    Shape: `values` [n] over the n points of `axis`.
    """
    steps = axis.steps
    count = len(values)
    finite_sum = sum(values)
    if math.isfinite(finite_sum):
        finite_count, nan_count = count, 0
        low, high = min(values), max(values)
    else:
        finite = [value for value in values if math.isfinite(value)]
        finite_count, finite_sum = len(finite), sum(finite)
        nan_count = sum(map(math.isnan, values))
        low, high = extremes(values)
    has_extremes = nan_count < count
    return Summary(
        count=count,
        nan_count=nan_count,
        finite_count=finite_count,
        finite_sum=float(finite_sum),
        first_step=steps[0],
        last=values[axis.last_index],
        last_step=steps[axis.last_index],
        last_time_ns=axis.times_ns[axis.last_index],
        minimum=low,
        minimum_step=steps[values.index(low)] if has_extremes else None,
        maximum=high,
        maximum_step=steps[values.index(high)] if has_extremes else None,
    )


def merge(stored: Summary, added: Summary) -> Summary:
    """Return the summary of what `stored` covers followed by what `added` covers."""
    takes_last = added.last_time_ns >= stored.last_time_ns
    takes_low = added.minimum < stored.minimum or (
        math.isnan(stored.minimum) and added.minimum_step is not None
    )
    takes_high = added.maximum > stored.maximum or (
        math.isnan(stored.maximum) and added.maximum_step is not None
    )
    return Summary(
        count=stored.count + added.count,
        nan_count=stored.nan_count + added.nan_count,
        finite_count=stored.finite_count + added.finite_count,
        finite_sum=stored.finite_sum + added.finite_sum,
        first_step=stored.first_step,
        last=added.last if takes_last else stored.last,
        last_step=added.last_step if takes_last else stored.last_step,
        last_time_ns=added.last_time_ns if takes_last else stored.last_time_ns,
        minimum=added.minimum if takes_low else stored.minimum,
        minimum_step=added.minimum_step if takes_low else stored.minimum_step,
        maximum=added.maximum if takes_high else stored.maximum,
        maximum_step=added.maximum_step if takes_high else stored.maximum_step,
        direction=stored.direction,
    )


def direction_of(name: str, definitions: Iterable[tuple[str, Direction | None]]) -> Direction | None:
    """Return the direction that (pattern, direction) pairs give to a metric.

    The exact name counts before globs, a longer glob before a shorter one.
    """
    fitting = [
        (pattern == name, len(pattern), pattern, direction)
        for pattern, direction in definitions
        if pattern == name or fnmatchcase(name, pattern)
    ]
    return max(fitting, key=lambda entry: entry[:3])[3] if fitting else None
