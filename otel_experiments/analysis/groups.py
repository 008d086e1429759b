"""Several curves as one: their mean and their range at each place that enough of them have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otel_experiments.analysis.statistics import mean


@dataclass(frozen=True, slots=True)
class Merged:
    """The mean of several curves, and between which values they lie.

    Shape: all have the same length.

    Attributes:
        x: the places, ascending.
        mean: the mean at each place.
        low: the smallest value there.
        high: the largest.
    """

    x: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def merge_curves(curves: Sequence[tuple[Sequence[float], Sequence[float]]], *, buckets: int) -> Merged:
    """Return the mean and the range of several curves.

    Of a curve the last value at a place counts, and what is not finite is left out. Places that fewer than half of the curves have are
    left out: else the mean would jump where a long curve goes on alone. Then neighbours are put together, to at most so many places.

    Args:
        curves: places and values of each.
        buckets: at most so many places.
    """
    columns: dict[float, dict[int, float]] = {}
    for at, (places, values) in enumerate(curves):
        for x, value in zip(places, values, strict=True):
            if math.isfinite(x) and math.isfinite(value):
                columns.setdefault(x, {})[at] = value
    shared = sorted(x for x, held in columns.items() if 2 * len(held) >= len(curves))
    size = max(1, math.ceil(len(shared) / max(1, buckets)))
    merged = Merged([], [], [], [])
    for start in range(0, len(shared), size):
        part = shared[start : start + size]
        held = [list(columns[x].values()) for x in part]
        merged.x.append(part[len(part) // 2])
        merged.mean.append(mean([mean(values) for values in held]))
        merged.low.append(min(map(min, held)))
        merged.high.append(max(map(max, held)))
    return merged
