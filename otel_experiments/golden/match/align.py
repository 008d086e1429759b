"""Alignment of two sequences: equal ends, then unique anchors, then Myers in the gaps, capped.

Positions stay in order; what crosses is for the caller to find among the leftovers. Source: Myers, An O(ND)
difference algorithm, Algorithmica 1986; the anchors are those of patience diff.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

Pairs = list[tuple[int, int]]
"""Matched positions (in the first, in the second sequence), both ascending."""

MAX_EDITS: Final = 256
"""Beyond so many edits in one gap, Myers' memory (its square) is no longer worth the last bit of optimality."""


def align_sequences(golden: Sequence[Hashable], candidate: Sequence[Hashable]) -> Pairs:
    """Return a long common subsequence of two sequences as pairs of positions."""
    pairs: Pairs = []
    stack = [(0, len(golden), 0, len(candidate))]
    while stack:
        low, high, left, right = stack.pop()
        while low < high and left < right and golden[low] == candidate[left]:
            pairs.append((low, left))
            low, left = low + 1, left + 1
        while low < high and left < right and golden[high - 1] == candidate[right - 1]:
            high, right = high - 1, right - 1
            pairs.append((high, right))
        if low == high or left == right:
            continue
        anchors = _unique_anchors(golden, candidate, low, high, left, right)
        if not anchors:
            pairs += _align_gap(golden, candidate, low, high, left, right)
            continue
        for at, place in anchors:
            pairs.append((at, place))
            stack.append((low, at, left, place))
            low, left = at + 1, place + 1
        stack.append((low, high, left, right))
    pairs.sort()
    return pairs


def _unique_anchors(
    golden: Sequence[Hashable], candidate: Sequence[Hashable], low: int, high: int, left: int, right: int
) -> Pairs:
    ours, theirs = Counter(golden[low:high]), Counter(candidate[left:right])
    places = {
        candidate[place]: place
        for place in range(left, right)
        if theirs[candidate[place]] == 1 == ours[candidate[place]]
    }
    found = [(at, places[golden[at]]) for at in range(low, high) if golden[at] in places]
    kept = longest_increasing([place for _, place in found])
    return [found[at] for at in kept]


def longest_increasing(values: Sequence[int]) -> list[int]:
    """Return the positions of a longest strictly increasing subsequence."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(value)
            ends.append(position)
        else:
            tails[length] = value
            ends[length] = position
    kept: list[int] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.append(at)
        at = before[at]
    return kept[::-1]


def _align_gap(
    golden: Sequence[Hashable], candidate: Sequence[Hashable], low: int, high: int, left: int, right: int
) -> Pairs:
    """Align a gap with Myers' greedy algorithm; past the cap, take each next equal entry."""
    n, m = high - low, right - left
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(min(n + m, MAX_EDITS) + 1):
        history.append(furthest.copy())
        for diagonal in range(-edits, edits + 1, 2):
            if diagonal == -edits or (
                diagonal != edits and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
            ):
                x = furthest.get(diagonal + 1, 0)
            else:
                x = furthest.get(diagonal - 1, 0) + 1
            y = x - diagonal
            while x < n and 0 <= y < m and golden[low + x] == candidate[left + y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= n and y >= m:
                return _backtrack(history, n, m, low, left)
    return _next_equal(golden, candidate, low, high, left, right)


def _backtrack(history: Sequence[dict[int, int]], n: int, m: int, low: int, left: int) -> Pairs:
    pairs: Pairs = []
    x, y = n, m
    for edits in range(len(history) - 1, -1, -1):
        furthest = history[edits]
        diagonal = x - y
        if diagonal == -edits or (
            diagonal != edits and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
        ):
            above = diagonal + 1
        else:
            above = diagonal - 1
        start_x = furthest.get(above, 0) if edits else 0
        start_y = start_x - above if edits else 0
        while x > start_x and y > start_y:
            x, y = x - 1, y - 1
            pairs.append((low + x, left + y))
        x, y = start_x, start_y
    return pairs


def _next_equal(
    golden: Sequence[Hashable], candidate: Sequence[Hashable], low: int, high: int, left: int, right: int
) -> Pairs:
    places: dict[Hashable, list[int]] = {}
    for place in range(left, right):
        places.setdefault(candidate[place], []).append(place)
    pairs: Pairs = []
    after = left - 1
    for at in range(low, high):
        own = places.get(golden[at])
        if own is None:
            continue
        next_place = bisect_right(own, after)
        if next_place < len(own):
            after = own[next_place]
            pairs.append((at, after))
    return pairs


def join_multisets(golden: Sequence[Hashable], candidate: Sequence[Hashable]) -> Pairs:
    """Return pairs of positions with equal entries, each position once, in any order."""
    places: dict[Hashable, list[int]] = {}
    for place in range(len(candidate) - 1, -1, -1):
        places.setdefault(candidate[place], []).append(place)
    pairs: Pairs = []
    for at, entry in enumerate(golden):
        own = places.get(entry)
        if own:
            pairs.append((at, own.pop()))
    return pairs


def align_weighted(weights: Sequence[Sequence[float]]) -> Pairs:
    """Return the pairs, ascending on both sides, whose weights sum to the most; weight 0 is no pair.

    Shape: `weights` [n][m]. Cost: n * m. Source: Needleman and Wunsch 1970, without gap penalties.
    """
    n, m = len(weights), len(weights[0]) if weights else 0
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for x in range(n - 1, -1, -1):
        row, below, own = best[x], best[x + 1], weights[x]
        for y in range(m - 1, -1, -1):
            joined = below[y + 1] + own[y] if own[y] else 0.0
            row[y] = max(joined, below[y], row[y + 1])
    pairs: Pairs = []
    x = y = 0
    while x < n and y < m:
        if weights[x][y] and best[x][y] == best[x + 1][y + 1] + weights[x][y]:
            pairs.append((x, y))
            x, y = x + 1, y + 1
        elif best[x][y] == best[x + 1][y]:
            x += 1
        else:
            y += 1
    return pairs


def match_weighted(weights: Sequence[Sequence[float]]) -> Pairs:
    """Return pairs in no order, the heaviest first; each position once, weight 0 is no pair."""
    entries = sorted(
        ((-weight, at, place) for at, row in enumerate(weights) for place, weight in enumerate(row) if weight)
    )
    pairs: Pairs = []
    used: set[int] = set()
    taken: set[int] = set()
    for _, at, place in entries:
        if at not in used and place not in taken:
            used.add(at)
            taken.add(place)
            pairs.append((at, place))
    return pairs
