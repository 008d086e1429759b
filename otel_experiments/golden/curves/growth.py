"""How different two curves look, as numbers to print and never to fail on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_MOST_POINTS: Final = 400
"""Longer curves are thinned to bucket means for the warping distance, which is quadratic."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Distances of two aligned curves.

    `area_ratio` is the area between the curves over the area under the golden's absolute values;
    `warping` the mean absolute difference along the best warping of the index axis (thinned to 400 points).
    """

    area_ratio: float
    warping: float


def measure_shape(golden: Sequence[float], candidate: Sequence[float]) -> Shape:
    """Return the distances of two curves on common indexes; values that are not finite are left out."""
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(golden, candidate, strict=True)
        if math.isfinite(ours) and math.isfinite(theirs)
    ]
    if not pairs:
        return Shape(math.nan, math.nan)
    between = math.fsum(abs(theirs - ours) for ours, theirs in pairs)
    under = math.fsum(abs(ours) for ours, _ in pairs)
    ratio = between / under if under else (math.inf if between else 0.0)
    return Shape(ratio, _warp([ours for ours, _ in pairs], [theirs for _, theirs in pairs]))


def measure_growth(pairs: Sequence[tuple[float, float, float]]) -> float | None:
    """Return by how many powers of ten the deviation grows per 100 steps; None from fewer than 3 deviations.

    Shape: `pairs` holds (index, golden, candidate), all finite. The slope is that of least squares through
    log10 of the absolute deviations that are not 0.
    """
    points = [(index, math.log10(abs(theirs - ours))) for index, ours, theirs in pairs if theirs != ours]
    if len(points) < 3:
        return None
    centre = math.fsum(index for index, _ in points) / len(points)
    level = math.fsum(value for _, value in points) / len(points)
    spread = math.fsum((index - centre) ** 2 for index, _ in points)
    if not spread:
        return None
    return 100 * math.fsum((index - centre) * (value - level) for index, value in points) / spread


def _thin(values: Sequence[float]) -> list[float]:
    if len(values) <= _MOST_POINTS:
        return list(values)
    edges = [round(at * len(values) / _MOST_POINTS) for at in range(_MOST_POINTS + 1)]
    return [math.fsum(values[first:last]) / (last - first) for first, last in pairwise(edges) if last > first]


def _warp(golden: Sequence[float], candidate: Sequence[float]) -> float:
    """Return the mean cost of the best warping path, within a tenth of the length of the diagonal.

    Source: Sakoe and Chiba 1978, symmetric steps of equal weight.
    """
    ours, theirs = _thin(golden), _thin(candidate)
    count = len(ours)
    reach = max(2, count // 10)
    previous = [(0.0, 0)] + [(math.inf, 0)] * count
    for row, value in enumerate(ours, start=1):
        current = [(math.inf, 0)] * (count + 1)
        for column in range(max(1, row - reach), min(count, row + reach) + 1):
            cost, length = min(previous[column - 1], previous[column], current[column - 1])
            current[column] = (cost + abs(value - theirs[column - 1]), length + 1)
        previous = current
    total, length = previous[count]
    return total / length
