"""Thinning a series to buckets of the step axis, by stretches of points or point by point.

The step axis from the least to the greatest finite step is cut into `buckets` equal parts; a series that has no
more points than buckets keeps every step apart. Points without a finite step cannot be placed and are left out.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from operator import le

from otel_experiments.model.metric import Band
from otel_experiments.store._summary import extremes


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is known of points recorded one after the other without looking at them.

    `low_step` and `high_step` are over finite steps, `low` and `high` over values that are not NaN; each is NaN
    where there are none. `unplaced_count` points have no finite step.
    """

    count: int
    unplaced_count: int
    low_step: float
    high_step: float
    low: float
    high: float
    last: float


@dataclass(slots=True)
class _Bucket:
    first_step: float
    last_step: float
    low: float
    high: float
    last: float
    count: int


def is_ascending(steps: Sequence[float]) -> bool:
    """Return whether the steps never go back; False where one is NaN."""
    return all(map(le, steps, islice(steps, 1, None)))


def finite_steps(steps: array[float]) -> tuple[float, float, int]:
    """Return (least finite step, greatest finite step, number of steps that are not finite)."""
    if math.isfinite(sum(steps)):
        return min(steps), max(steps), 0
    finite = [step for step in steps if math.isfinite(step)]
    if not finite:
        return math.nan, math.nan, len(steps)
    return min(finite), max(finite), len(steps) - len(finite)


class BandBuilder:
    """Builds a band from stretches and points, given in recording order."""

    def __init__(self, stretches: Sequence[Stretch], buckets: int) -> None:
        self._found: dict[float, _Bucket] = {}
        self._is_apart = sum(stretch.count for stretch in stretches) <= buckets
        low = min((one.low_step for one in stretches if not math.isnan(one.low_step)), default=0.0)
        high = max((one.high_step for one in stretches if not math.isnan(one.high_step)), default=0.0)
        self._edges = [] if self._is_apart else _edges(low, high, max(buckets, 1))

    def add_whole(self, stretch: Stretch) -> bool:
        """Take a stretch whose points all lie in one bucket; False where its points must be looked at."""
        if stretch.unplaced_count:
            return False
        bucket = self._bucket_of(stretch.low_step)
        if bucket != self._bucket_of(stretch.high_step):
            return False
        self._put(
            bucket,
            stretch.low_step,
            stretch.high_step,
            stretch.low,
            stretch.high,
            stretch.last,
            stretch.count,
        )
        return True

    def add_points(self, steps: array[float], values: array[float], *, ascending: bool) -> None:
        """Take points one by one, or a bucket at a time where their steps ascend."""
        if ascending and not self._is_apart and math.isfinite(steps[0]) and math.isfinite(steps[-1]):
            self._add_ascending(steps, values)
            return
        for step, value in zip(steps, values, strict=True):
            if math.isfinite(step):
                self._put(self._bucket_of(step), step, step, value, value, value, 1)

    def band(self) -> Band:
        """Return the band of all that was added, in the order of the steps."""
        found = [self._found[bucket] for bucket in sorted(self._found)]
        return Band(
            first_steps=[bucket.first_step for bucket in found],
            last_steps=[bucket.last_step for bucket in found],
            low=[bucket.low for bucket in found],
            high=[bucket.high for bucket in found],
            last=[bucket.last for bucket in found],
            counts=[bucket.count for bucket in found],
        )

    def _add_ascending(self, steps: array[float], values: array[float]) -> None:
        has_nan = math.isnan(sum(values))
        edges, count, start = self._edges, len(steps), 0
        while start < count:
            bucket = bisect_right(edges, steps[start]) - 1
            is_last = bucket + 1 >= len(edges) or edges[bucket + 1] > steps[-1]
            stop = count if is_last else bisect_left(steps, edges[bucket + 1], start + 1, count)
            inside = values[start:stop]
            low, high = extremes(inside) if has_nan else (min(inside), max(inside))
            self._put(bucket, steps[start], steps[stop - 1], low, high, inside[-1], stop - start)
            start = stop

    def _bucket_of(self, step: float) -> float:
        return step if self._is_apart else bisect_right(self._edges, step) - 1

    def _put(
        self,
        bucket: float,
        first_step: float,
        last_step: float,
        low: float,
        high: float,
        last: float,
        count: int,
    ) -> None:
        known = self._found.get(bucket)
        if known is None:
            self._found[bucket] = _Bucket(first_step, last_step, low, high, last, count)
            return
        known.first_step = min(known.first_step, first_step)
        known.last_step = max(known.last_step, last_step)
        if low < known.low or math.isnan(known.low):
            known.low = low
        if high > known.high or math.isnan(known.high):
            known.high = high
        known.last = last
        known.count += count


def _edges(low: float, high: float, buckets: int) -> list[float]:
    """Return the least step of each bucket, ascending."""
    width = high - low
    if math.isinf(width):
        return sorted(low * (1 - part / buckets) + high * (part / buckets) for part in range(buckets))
    return [low + width * (part / buckets) for part in range(buckets)]
