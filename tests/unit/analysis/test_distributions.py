"""Distributions in common bins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.distributions import merge_distributions


def test_counts_are_spread_over_common_bins() -> None:
    """Two distributions of different reach are counted in bins that hold both."""
    edges, counts = merge_distributions([([4, 2], [0, 1, 2]), ([8], [1, 3])], bin_count=3)
    assert edges == [0, 1, 2, 3]
    assert counts == [[4, 2, 0], [0, 4, 4]]


def test_bins_that_are_cut_give_each_part_its_share() -> None:
    """A bin that lies in two common ones is counted in both, by the part of its width."""
    assert merge_distributions([([6], [0, 3]), ([0], [0, 4])], bin_count=2)[1][0] == [4, 2]


def test_no_distributions_make_nothing() -> None:
    """Without distributions there are neither bins nor counts."""
    assert merge_distributions([]) == ([], [])


EDGES = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=8, unique=True).map(
    sorted
)


@given(st.lists(EDGES, min_size=1, max_size=5), st.integers(1, 12))
def test_every_distribution_keeps_its_sum(several: list[list[float]], bins: int) -> None:
    """However bins are cut, as many values are counted as before."""
    given_ones = [([float(place + 1) for place in range(len(edges) - 1)], edges) for edges in several]
    edges, counts = merge_distributions(given_ones, bin_count=bins)
    assert len(edges) == bins + 1
    for (before, _), after in zip(given_ones, counts, strict=True):
        assert sum(after) == pytest.approx(sum(before))
        assert min(after) >= -1e-9
