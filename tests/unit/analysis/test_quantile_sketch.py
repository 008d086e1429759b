"""The sketch of durations: as good as promised, whatever the durations and however they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.quantile_sketch import (
    LARGEST_NS,
    RELATIVE_ERROR,
    buckets_of,
    from_bytes,
    merged,
    middle_of,
    quantiles,
    to_bytes,
)
from otel_experiments.analysis.statistics import percentile

DURATIONS = st.one_of(
    st.integers(0, 20),
    st.integers(1, 10**12),
    st.integers(0, LARGEST_NS),
    st.sampled_from([0, 1, LARGEST_NS]),
)
WANTED = (0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)


@given(st.lists(DURATIONS, min_size=1, max_size=200))
def test_a_quantile_is_within_one_percent_of_the_exact_one(durations):
    """Any percentile of a sketch is as near to the one of all durations as promised, by the same rule."""
    found = quantiles(buckets_of(durations), WANTED, minimum=min(durations), maximum=max(durations))

    for quantile, value in zip(WANTED, found, strict=True):
        exact = percentile(durations, quantile)
        assert value == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


@given(st.lists(DURATIONS, min_size=1), st.lists(DURATIONS))
def test_two_sketches_add_up_to_the_sketch_of_both(first, second):
    """Merging two sketches in any order gives that of all durations, and taking one out gives the other."""
    one, other = buckets_of(first), buckets_of(second)
    both = buckets_of([*second, *first])

    assert merged(one, other) == merged(other, one) == both
    assert list(merged(one, other)) == sorted(both)
    assert merged(both, {bucket: -count for bucket, count in other.items()}) == one


@given(st.lists(DURATIONS, max_size=50), st.integers(0, 2**40))
def test_a_sketch_comes_back_from_its_bytes(durations, more):
    """What is stored of a sketch is the sketch, however large its counts are."""
    sketch = merged(buckets_of(durations), {7: more} if more else {})

    assert from_bytes(to_bytes(sketch)) == sketch


@pytest.mark.parametrize("count", [1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63])
def test_a_count_takes_as_many_bytes_as_it_needs(count):
    """Counts around each width come back, and a small one takes one byte."""
    packed = to_bytes({3: count})

    assert from_bytes(packed) == {3: count}
    assert len(packed) == 1 + 2 + next(size for size in (1, 2, 4, 8) if count < 256**size)


@pytest.mark.parametrize(
    "packed", [b"", b"\x00", b"\x03\x01\x02", b"\x01\x00", b"\x01\x00\x00", b"\x08" + b"\x00" * 9]
)
def test_bytes_that_are_no_sketch_are_refused(packed):
    """What somebody else wrote into a store is no sketch, and is not taken for one."""
    with pytest.raises(ValueError, match="no quantile sketch"):
        from_bytes(packed)


def test_no_sketch_is_larger_than_its_bound():
    """The longest duration that a store holds is in bucket 2,185: so many there are at most, two bytes each."""
    (bucket,) = buckets_of([LARGEST_NS])

    assert bucket == 2185
    assert middle_of(0) == 0.0
