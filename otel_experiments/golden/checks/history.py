"""Where a series of runs changed for good: drift that no single comparison can see.

E-divisive splits with a t-test for significance, as Hunter and Otava do it: a series is cut where the two sides
differ most, each cut is tested inside its neighbourhood, and cuts that do not stand are merged away. Needs ten
runs or more; with fewer there is no history, only comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.analysis.statistics import TTest, mean, welch_t_test

LEAST_RUNS: Final = 10
"""With fewer runs no change point is looked for."""

_LEAST_SIDE: Final = 3
"""A side of a cut has at least so many runs: two say too little about how runs vary."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """From run `index` on the series is another: `before` and `after` are the means of its two neighbours.

    `ratio` is after over before (NaN where before is 0); `p` belongs to a two-sided Welch test between the
    segments on both sides of the cut.
    """

    index: int
    before: float
    after: float
    ratio: float
    p: float


def find_change_points(
    values: Sequence[float], *, p: float = 0.001, window: int = 50, least_ratio: float = 1.0
) -> tuple[ChangePoint, ...]:
    """Return where the series changes, in order; nothing for fewer than 10 finite runs.

    Args:
        values: One number a run, oldest first (a stage's median time, a final loss); values that are not
            finite are passed over, the indexes are those of the series as given.
        p: The level that a cut must reach.
        window: How many runs around a cut are looked at; a longer series is searched in overlapping windows.
        least_ratio: Cuts between means that differ by a smaller factor, up or down, are left out.

    Source: Fleming et al., Hunter, arXiv 2301.03034, section 3; E-divisive: Matteson and James,
        arXiv 1306.4933; defaults p 0.001 and window 50 are those of apache/otava 1ceb153, analysis.py.
    """
    kept = [(index, float(value)) for index, value in enumerate(values) if math.isfinite(value)]
    if len(kept) < LEAST_RUNS:
        return ()
    series = [value for _, value in kept]
    cuts = _split_windows(series, p, window)
    cuts = _merge(series, cuts, p, least_ratio)
    points = []
    for cut, (first, last) in zip(cuts, _neighbours(cuts, len(series)), strict=True):
        before, after = mean(series[first:cut]), mean(series[cut:last])
        test = _test(series, first, cut, last)
        ratio = after / before if before else math.nan
        points.append(ChangePoint(kept[cut][0], before, after, ratio, test.p if test else math.nan))
    return tuple(points)


def _split_windows(series: Sequence[float], p: float, window: int) -> list[int]:
    """Return candidate cuts of all windows, which overlap by half so that no cut lies at every border.

    Weak cuts are let through (ten times the level): a true cut often shows only after its neighbours are cut.
    """
    window = max(window, LEAST_RUNS)
    found: set[int] = set()
    start = 0
    while True:
        end = min(len(series), start + window)
        found.update(_split(series, start, end, min(0.5, p * 10)))
        if end == len(series):
            return sorted(found)
        start += window // 2


def _split(series: Sequence[float], first: int, last: int, p: float) -> list[int]:
    """Return the cuts of series[first:last], the strongest first, each side split again."""
    cuts: list[int] = []
    pending = [(first, last)]
    while pending:
        low, high = pending.pop()
        cut = _best_cut(series, low, high)
        if cut is None:
            continue
        test = _test(series, low, cut, high)
        if test is None or test.p >= p:
            continue
        cuts.append(cut)
        pending += [(low, cut), (cut, high)]
    return cuts


def _best_cut(series: Sequence[float], first: int, last: int) -> int | None:
    """Return the cut of the greatest energy statistic; None where both sides cannot have three runs.

    q = n m / (n + m) (2 E|X - Y| - E|X - X'| - E|Y - Y'|), with the sums of distances moved from one side
    to the other run by run: O(n^2) for a window of n.
    """
    count = last - first
    if count < 2 * _LEAST_SIDE:
        return None
    part = series[first:last]
    within_left, within_right, between = 0.0, _pair_sum(part), 0.0
    best, best_at = -math.inf, None
    for at in range(1, count):
        moved = part[at - 1]
        to_left = math.fsum(abs(moved - value) for value in part[: at - 1])
        to_right = math.fsum(abs(moved - value) for value in part[at:])
        within_left += to_left
        within_right -= to_right
        between += to_right - to_left
        left, right = at, count - at
        if left < _LEAST_SIDE or right < _LEAST_SIDE:
            continue
        energy = 2 * between / (left * right)
        energy -= within_left / (left * (left - 1) / 2) + within_right / (right * (right - 1) / 2)
        energy *= left * right / count
        if energy > best:
            best, best_at = energy, at
    return None if best_at is None else first + best_at


def _pair_sum(values: Sequence[float]) -> float:
    """Return the sum of the distances of all pairs, from their order: O(n log n)."""
    ordered = sorted(values)
    count = len(ordered)
    return math.fsum((2 * rank - count + 1) * value for rank, value in enumerate(ordered))


def _merge(series: Sequence[float], cuts: list[int], p: float, least_ratio: float) -> list[int]:
    """Take away the weakest cut until every cut stands against the segments on its two sides."""
    cuts = list(cuts)
    while cuts:
        strengths = []
        for cut, (first, last) in zip(cuts, _neighbours(cuts, len(series)), strict=True):
            test = _test(series, first, cut, last)
            small = _factor(mean(series[first:cut]), mean(series[cut:last])) < least_ratio
            strengths.append(1.0 if test is None or small else test.p)
        weakest = max(range(len(cuts)), key=strengths.__getitem__)
        if strengths[weakest] < p:
            break
        del cuts[weakest]
    return cuts


def _factor(before: float, after: float) -> float:
    """Return by which factor two means differ, at least 1; infinity across 0."""
    if before == after:
        return 1.0
    if before * after <= 0:
        return math.inf
    ratio = abs(after / before)
    return max(ratio, 1 / ratio)


def _neighbours(cuts: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Return where the segments on both sides of each cut begin and end."""
    edges = [0, *cuts, count]
    return [(edges[at - 1], edges[at + 1]) for at in range(1, len(edges) - 1)]


def _test(series: Sequence[float], first: int, cut: int, last: int) -> TTest | None:
    return welch_t_test(series[first:cut], series[cut:last])
