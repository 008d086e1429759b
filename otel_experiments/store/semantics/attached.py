"""What leaves a series when telemetry that was attached to a run is taken back."""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Final

from otel_experiments.model.metric import PointBlock, Points, SeriesKey

_BITS: Final = struct.Struct("<dqd")


def removals(run_id: str, blocks: Iterable[PointBlock]) -> dict[SeriesKey, Counter[bytes]]:
    """Return the points of a run's series that are to go, each as (step, time, value) in bits: NaN equals itself."""
    found: dict[SeriesKey, Counter[bytes]] = {}
    for block in blocks:
        if block.run_id == run_id:
            for key, values in zip(block.keys, block.values, strict=True):
                found.setdefault(key, Counter()).update(
                    _BITS.pack(*point) for point in zip(block.steps, block.times_ns, values, strict=True)
                )
    return found


def without(points: Points, removed: Counter[bytes]) -> Points:
    """Return the points in their order without those that are removed, each as often as it is."""
    left = removed.copy()
    steps, times_ns, values = array("d"), array("q"), array("d")
    for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True):
        bits = _BITS.pack(step, time_ns, value)
        if left[bits] > 0:
            left[bits] -= 1
            continue
        steps.append(step)
        times_ns.append(time_ns)
        values.append(value)
    return Points(steps, times_ns, values)
