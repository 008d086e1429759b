"""Aligning two sequences: order is kept, and nothing long is left out."""

import random
from itertools import pairwise

import pytest

from otel_experiments.golden.match.align import (
    align_sequences,
    align_weighted,
    join_multisets,
    longest_increasing,
    match_weighted,
)


def longest_common(golden, candidate):
    """Return the length of the longest common subsequence, by the textbook's table."""
    table = [[0] * (len(candidate) + 1) for _ in range(len(golden) + 1)]
    for i, ours in enumerate(golden):
        for j, theirs in enumerate(candidate):
            table[i + 1][j + 1] = table[i][j] + 1 if ours == theirs else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@pytest.mark.parametrize("letters", [2, 4, 26])
def test_an_alignment_is_in_order_and_long(letters):
    """Pairs are equal, ascending on both sides, and without unique anchors as many as there can be."""
    rng = random.Random(letters)
    for _ in range(500):
        golden = [rng.randrange(letters) for _ in range(rng.randrange(14))]
        candidate = [rng.randrange(letters) for _ in range(rng.randrange(14))]

        pairs = align_sequences(golden, candidate)

        assert all(golden[at] == candidate[place] for at, place in pairs)
        assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
        if letters == 2 and len(set(golden)) == 1:
            assert len(pairs) == longest_common(golden, candidate)
        assert len(pairs) >= longest_common(golden, candidate) / 2


def test_a_long_sequence_with_few_edits_is_aligned_fast():
    """100,000 equal entries with one missing and one new leave exactly these over."""
    golden = [at % 7 for at in range(100_000)]
    candidate = golden[:40_000] + golden[40_001:80_000] + ["new"] + golden[80_000:]

    assert len(align_sequences(golden, candidate)) == len(golden) - 1


def test_hopelessly_different_sequences_are_aligned_in_order():
    """Past the cap of edits the next equal entry is taken, so that the result is still ascending."""
    rng = random.Random(1)
    golden = [rng.randrange(3) for _ in range(3_000)]
    candidate = [rng.randrange(3, 6) if at % 2 else golden[at] for at in range(3_000)]

    pairs = align_sequences(golden, candidate)

    assert len(pairs) >= 400
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))


def test_longest_increasing_positions():
    """The positions of one longest strictly ascending subsequence."""
    assert longest_increasing([3, 1, 2, 5, 4, 6]) in ([1, 2, 4, 5], [1, 2, 3, 5])
    assert longest_increasing([2, 2, 2]) in ([0], [1], [2])
    assert longest_increasing([]) == []


def test_multisets_are_joined_each_entry_once():
    """Equal entries are paired in their order, each at most once."""
    assert sorted(join_multisets("aabc", "cab")) == [(0, 1), (2, 2), (3, 0)]


def test_weighted_alignment_prefers_what_fits_best():
    """Of two possible partners the one that is more alike is taken, and pairs do not cross."""
    assert align_weighted([[1.0, 2.0]]) == [(0, 1)]
    assert align_weighted([[1.0], [2.0]]) == [(1, 0)]
    assert align_weighted([[0.0, 2.0], [2.0, 0.0]]) in ([(0, 1)], [(1, 0)])
    assert sorted(match_weighted([[0.0, 2.0], [2.0, 0.0]])) == [(0, 1), (1, 0)]
    assert align_weighted([]) == []
