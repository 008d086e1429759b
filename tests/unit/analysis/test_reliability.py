"""How often things succeeded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.reliability import measure_reliability, wilson_interval
from otel_experiments.errors import AnalysisError


def test_what_nobody_judged_is_counted_and_not_in_the_rate() -> None:
    """Eight successes, two failures and five unknown ones make a rate of 0.8 on a base of ten."""
    found = measure_reliability([True] * 8 + [False] * 2 + [None] * 5)

    assert (found.total, found.judged, found.succeeded, found.failed, found.rate) == (15, 10, 8, 2, 0.8)


def test_a_level_is_met_at_its_target_and_shown_when_chance_does_not_explain_it() -> None:
    """99 of 100 meet 99 % and do not show it; 9,999 of 10,000 show it."""
    met = measure_reliability([True] * 99 + [False]).against(0.99)
    shown = measure_reliability([True] * 9_999 + [False]).against(0.99)

    assert (met.is_met, met.is_shown, met.base) == (True, False, 100)
    assert (shown.is_met, shown.is_shown, shown.base) == (True, True, 10_000)
    assert not measure_reliability([True] * 98 + [False] * 2).against(0.99).is_met


def test_the_usual_levels_are_there() -> None:
    """99 %, 99.9 % and 99.99 % are looked at without asking."""
    levels = measure_reliability([True] * 999 + [False]).levels

    assert [(level.target, level.is_met) for level in levels] == [
        (0.99, True),
        (0.999, True),
        (0.9999, False),
    ]


def test_nothing_judged_meets_no_level() -> None:
    """Where nothing was judged the rate is unknown, and no promise counts as kept."""
    found = measure_reliability([None, None])

    assert found.total == 2
    assert all(math.isnan(value) for value in (found.rate, found.low, found.high))
    assert not any(level.is_met or level.is_shown for level in found.levels)


@pytest.mark.parametrize("target", [-0.1, 1.1, 99.9, math.nan])
def test_a_target_is_a_rate(target: float) -> None:
    """A percentage is no rate, and the error says how it is written."""
    with pytest.raises(AnalysisError, match=r"99\.9 % is 0\.999"):
        measure_reliability([True]).against(target)


def test_the_interval_is_wilsons() -> None:
    """Of 8 of 10 the true rate lies between 0.490 and 0.943."""
    assert wilson_interval(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-5)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_rate_lies_in_its_interval(succeeded: int, failed: int) -> None:
    """Whatever happened, the interval holds the rate and stays between 0 and 1."""
    judged = succeeded + failed
    low, high = wilson_interval(succeeded, judged)

    if judged:
        assert 0.0 <= low <= succeeded / judged <= high <= 1.0
    else:
        assert math.isnan(low)
