"""Which points come to a series when telemetry is attached to its run, and leave it when that is taken back."""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from otel_experiments.model.metric import PointBlock, Points, SeriesKey

_BITS: Final = struct.Struct("<dqd")


def counts_by_series(run_id: str, blocks: Iterable[PointBlock]) -> dict[SeriesKey, Counter[bytes]]:
    """Return how often a run's series have which points in blocks, each as (step, time, value) in bits: NaN equals itself."""
    found: dict[SeriesKey, Counter[bytes]] = {}
    for block in blocks:
        if block.run_id == run_id:
            for key, values in zip(block.keys, block.values, strict=True):
                found.setdefault(key, Counter()).update(
                    _BITS.pack(*point) for point in zip(block.steps, block.times_ns, values, strict=True)
                )
    return found


def without(points: Points, removed: Counter[bytes]) -> Points:
    """Return the points in their order without those that are removed, each as often as it is: the last ones of equals."""
    left = removed.copy()
    steps, times_ns, values, attempts = array("d"), array("q"), array("d"), array("q")
    known = points.attempts or array("q", (0,)) * len(points)
    columns = zip(
        reversed(points.steps),
        reversed(points.times_ns),
        reversed(points.values),
        reversed(known),
        strict=True,
    )
    for step, time_ns, value, attempt in columns:
        bits = _BITS.pack(step, time_ns, value)
        if left[bits] > 0:
            left[bits] -= 1
            continue
        steps.append(step)
        times_ns.append(time_ns)
        values.append(value)
        attempts.append(attempt)
    for column in (steps, times_ns, values, attempts):
        column.reverse()
    return Points(steps, times_ns, values, attempts)


def blocks_of(run_id: str, key: SeriesKey, points: Points) -> list[PointBlock]:
    """Return the points of a series as a store is given them: a block for each stretch of one attempt."""
    found: list[PointBlock] = []
    start = 0
    for attempt, those in groupby(points.attempts):
        cut = slice(start, start + sum(1 for _ in those))
        columns = points.steps[cut], points.times_ns[cut], (points.values[cut],)
        found.append(PointBlock(run_id, (key,), *columns, attempt=attempt))
        start = cut.stop
    return found


def common(points: Points, given: Counter[bytes]) -> Points:
    """Return those of the given points that a series has, each as often as it is given."""
    held = {_BITS.pack(*point) for point in zip(points.steps, points.times_ns, points.values, strict=True)}
    steps, times_ns, values = array("d"), array("q"), array("d")
    for bits in given.elements():
        if bits in held:
            step, time_ns, value = _BITS.unpack(bits)
            steps.append(step)
            times_ns.append(time_ns)
            values.append(value)
    return Points(steps, times_ns, values)
