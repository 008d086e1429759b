"""How long things took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otel_experiments.analysis.statistics import mean, percentile_of_sorted, squares_about_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long things took; each number is NaN where nothing was measured.

    Units: milliseconds. Percentiles are interpolated between neighbours.

    Source: type 7 of Hyndman and Fan 1996, Sample Quantiles in Statistical Packages; NumPy's default.

    Attributes:
        count: how many were measured.
        mean_ms: their mean.
        std_ms: their standard deviation, with `count - ddof` below the line; NaN where that is not above 0.
        ddof: what is taken from the count for `std_ms`: 1 for a sample, 0 where they are all there are.
        min_ms: the shortest.
        p50_ms: the median.
        p90_ms: 90 of 100 took at most so long.
        p95_ms: 95 of 100 took at most so long.
        p99_ms: 99 of 100 took at most so long.
        max_ms: the longest.
    """

    count: int
    mean_ms: float
    std_ms: float
    ddof: int
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


def measure_latency(durations_ns: Sequence[int], *, ddof: int = 1) -> Latency:
    """Return how long things took.

    Args:
        durations_ns: how long each took, in any order.
        ddof: what is taken from the count for the standard deviation.
    """
    ordered = [duration / 1e6 for duration in sorted(durations_ns)]
    count = len(ordered)
    std = math.sqrt(squares_about_mean(ordered) / (count - ddof)) if count > ddof else math.nan
    p50, p90, p95, p99 = (
        percentile_of_sorted(ordered, ratio) if ordered else math.nan for ratio in (0.5, 0.9, 0.95, 0.99)
    )
    return Latency(
        count=count,
        mean_ms=mean(ordered),
        std_ms=std,
        ddof=ddof,
        min_ms=ordered[0] if ordered else math.nan,
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=ordered[-1] if ordered else math.nan,
    )
