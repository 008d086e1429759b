"""What a store keeps of the ended spans of one name in one run, so that no search has to read the spans."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpanSummary:
    """The ended spans of one name in one run.

    Units: nanoseconds. A span that ends before it starts counts as 0. The percentiles are within 1 % of the exact ones.

    Attributes:
        name: the name of the spans.
        count: how many have ended.
        error_count: how many of these ended with the status ERROR.
        total_ns: the sum of their durations.
        minimum_ns: the shortest duration.
        maximum_ns: the longest duration.
        p50_ns: the median of the durations.
        p95_ns: the 95th percentile of the durations.
        p99_ns: the 99th percentile of the durations.
    """

    name: str
    count: int
    error_count: int
    total_ns: int
    minimum_ns: int
    maximum_ns: int
    p50_ns: float
    p95_ns: float
    p99_ns: float
