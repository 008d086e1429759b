"""Which points come to a series when telemetry is attached to its run, and leave it when that is taken back."""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable
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
    steps, times_ns, values = array("d"), array("q"), array("d")
    columns = zip(reversed(points.steps), reversed(points.times_ns), reversed(points.values), strict=True)
    for step, time_ns, value in columns:
        bits = _BITS.pack(step, time_ns, value)
        if left[bits] > 0:
            left[bits] -= 1
            continue
        steps.append(step)
        times_ns.append(time_ns)
        values.append(value)
    for column in (steps, times_ns, values):
        column.reverse()
    return Points(steps, times_ns, values)


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
