"""How long things took."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.latency import measure_latency


def test_latencies_are_in_milliseconds_with_interpolated_percentiles() -> None:
    """Of 1 to 10 ms the median is 5.5 ms, and 90 of 100 took at most 9.1 ms."""
    latency = measure_latency([number * 1_000_000 for number in (3, 1, 2, 4, 5, 6, 7, 8, 10, 9)])

    assert (latency.count, latency.mean_ms, latency.min_ms, latency.max_ms) == (10, 5.5, 1.0, 10.0)
    assert latency.p50_ms == 5.5
    assert latency.p90_ms == pytest.approx(9.1)
    assert latency.p99_ms == pytest.approx(9.91)


def test_the_standard_deviation_says_which_one_it_is() -> None:
    """It is that of a sample, and on request that of all there are."""
    durations = [1_000_000, 2_000_000, 4_000_000]

    sample, whole = measure_latency(durations), measure_latency(durations, ddof=0)
    assert (sample.ddof, whole.ddof) == (1, 0)
    assert sample.std_ms == pytest.approx(statistics.stdev([1, 2, 4]))
    assert whole.std_ms == pytest.approx(statistics.pstdev([1, 2, 4]))


def test_one_duration_has_no_spread_of_a_sample() -> None:
    """Of a single value a sample's standard deviation is not known; that of a whole is 0."""
    assert math.isnan(measure_latency([5]).std_ms)
    assert measure_latency([5], ddof=0).std_ms == 0.0


def test_nothing_measured_is_nan() -> None:
    """Without durations there is a count of 0 and no number that looks like one."""
    latency = measure_latency([])

    assert latency.count == 0
    assert all(
        math.isnan(value) for value in (latency.mean_ms, latency.std_ms, latency.p50_ms, latency.max_ms)
    )


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=50))
def test_percentiles_ascend_and_lie_between_the_extremes(durations: list[int]) -> None:
    """Whatever the durations, a higher percentile is no shorter time."""
    latency = measure_latency(durations)
    ascending = [
        latency.min_ms,
        latency.p50_ms,
        latency.p90_ms,
        latency.p95_ms,
        latency.p99_ms,
        latency.max_ms,
    ]

    assert all(low <= high or math.isclose(low, high) for low, high in itertools.pairwise(ascending))
