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
from math import ceil
from operator import le
from typing import TYPE_CHECKING

from otel_experiments.model.metric import Band
from otel_experiments.store.semantics.summary import extremes

if TYPE_CHECKING:
    from otel_experiments.model.metric import Points

_EXACT = 2**53
"""Below it every integer is a float64 of its own."""


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


_Bucket = tuple[float, float, float, float, float, int]
"""First step, last step, low, high, last, count."""


def is_ascending(steps: Sequence[float]) -> bool:
    """Return whether the steps never go back; False where one is NaN."""
    return all(map(le, steps, islice(steps, 1, None)))


def step_increment(steps: array[float]) -> int | None:
    """Return the increment of steps that are evenly spaced integers, ascending; None for others."""
    if len(steps) == 1:
        return 1 if steps[0].is_integer() and abs(steps[0]) < _EXACT else None
    first, increment = steps[0], steps[1] - steps[0]
    if not (first.is_integer() and increment.is_integer() and increment > 0):
        return None
    if abs(first) + increment * len(steps) >= _EXACT:
        return None
    start, stride = int(first), int(increment)
    expected = array("d", range(start, start + stride * len(steps), stride))
    return stride if expected == steps else None


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

    def add_points(self, steps: Sequence[float], values: array[float]) -> None:
        """Take points one by one."""
        for step, value in zip(steps, values, strict=True):
            if math.isfinite(step):
                self._put(self._bucket_of(step), float(step), float(step), value, value, value, 1)

    def add_ascending(self, steps: Sequence[float], values: array[float], *, has_nan: bool) -> None:
        """Take points whose steps are finite and never go back, a bucket at a time."""
        if self._is_apart:
            self.add_points(steps, values)
            return
        edges, found, count, start = self._edges, self._found, len(steps), 0
        bucket, last_bucket = bisect_right(edges, steps[0]) - 1, bisect_right(edges, steps[-1]) - 1
        numbers = values.tolist()  # a list is compared twice as fast as an array
        first, stride = (steps.start, steps.step) if isinstance(steps, range) else (0, 0)
        while start < count:
            if bucket >= last_bucket:
                stop = count
            elif stride:  # the same as below, exactly, in integers: the first step that is not below the edge
                stop = -((first - ceil(edges[bucket + 1])) // stride)
            else:
                stop = bisect_left(steps, edges[bucket + 1], start, count)
            if stop <= start:
                bucket = bisect_right(edges, steps[start], bucket) - 1
                continue
            inside = numbers[start:stop]
            low, high = extremes(inside) if has_nan else (min(inside), max(inside))
            if stride:
                from_step, to_step = float(first + stride * start), float(first + stride * (stop - 1))
            else:
                from_step, to_step = steps[start], steps[stop - 1]
            if bucket in found:
                self._put(bucket, from_step, to_step, low, high, inside[-1], stop - start)
            else:
                found[bucket] = (from_step, to_step, low, high, inside[-1], stop - start)
            start = stop
            bucket += 1

    def band(self) -> Band:
        """Return the band of all that was added, in the order of the steps."""
        found = [self._found[bucket] for bucket in sorted(self._found)]
        columns = zip(*found, strict=True) if found else [()] * 6
        first_steps, last_steps, low, high, last, counts = columns
        return Band(first_steps, last_steps, low, high, last, counts)

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
            self._found[bucket] = (first_step, last_step, low, high, last, count)
            return
        known_low, known_high = known[2], known[3]
        self._found[bucket] = (
            min(known[0], first_step),
            max(known[1], last_step),
            low if low < known_low or math.isnan(known_low) else known_low,
            high if high > known_high or math.isnan(known_high) else known_high,
            last,
            known[5] + count,
        )


def band_of(points: Points, *, buckets: int) -> Band:
    """Return points thinned to at most `buckets` buckets of the step axis."""
    steps, values = array("d", points.steps), array("d", points.values)
    if not steps:
        return BandBuilder([], buckets).band()
    low_step, high_step, unplaced = finite_steps(steps)
    low, high = extremes(values)
    builder = BandBuilder(
        [Stretch(len(steps), unplaced, low_step, high_step, low, high, values[-1])], buckets
    )
    builder.add_points(steps, values)
    return builder.band()


def _edges(low: float, high: float, buckets: int) -> list[float]:
    """Return the least step of each bucket, ascending."""
    width = high - low
    if math.isinf(width):
        return sorted(low * (1 - part / buckets) + high * (part / buckets) for part in range(buckets))
    return [low + width * (part / buckets) for part in range(buckets)]
