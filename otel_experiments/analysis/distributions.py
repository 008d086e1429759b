"""Distributions over time, brought to common bins: what a heat map shows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def merge_distributions(
    distributions: Sequence[tuple[Sequence[float], Sequence[float]]], *, bin_count: int | None = None
) -> tuple[list[float], list[list[float]]]:
    """Return edges of bins of one width that all distributions fit into, and the counts of each in them.

    The counts of a bin are spread evenly over its width, so that sums stay what they are.

    Args:
        distributions: counts, and their rising edges: one more than counts.
        bin_count: how many bins; without it as many as the distribution with the most.

    Shape: edges [bins + 1], counts [distributions][bins].
    """
    if not distributions:
        return [], []
    low = min(edges[0] for _, edges in distributions)
    high = max(edges[-1] for _, edges in distributions)
    bins = bin_count or max(len(counts) for counts, _ in distributions)
    common = [low * (1 - place / bins) + high * (place / bins) for place in range(bins)] + [high]
    return common, [_spread(counts, edges, common) for counts, edges in distributions]


def _spread(counts: Sequence[float], edges: Sequence[float], common: Sequence[float]) -> list[float]:
    spread = [0.0] * (len(common) - 1)
    for place, count in enumerate(counts):
        low, high = edges[place], edges[place + 1]
        if not count:
            continue
        at = min(bisect_right(common, low), len(spread)) - 1
        left = 1.0
        while at < len(spread) - 1 and common[at + 1] < high:
            share = (common[at + 1] - max(low, common[at])) / (high - low)
            spread[at] += count * share
            left -= share
            at += 1
        spread[at] += count * left
    return spread
