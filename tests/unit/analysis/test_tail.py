"""The end of a curve: its level, its noise, and whether two ends differ by more."""

import math

import pytest

from otel_experiments.analysis.tail import is_beyond_noise, measure_tail


def test_a_curve_that_falls_steadily_is_not_noisy():
    """A straight line has no noise, however steep it is."""
    assert measure_tail([float(-3 * i) for i in range(100)]).noise == pytest.approx(0.0, abs=1e-9)


def test_the_noise_is_the_spread_about_the_line():
    """Values that swing by 0.1 to both sides have a noise of about 0.1."""
    assert measure_tail([1.0 + 0.1 * (-1) ** i for i in range(100)]).noise == pytest.approx(0.1, rel=0.1)


def test_the_tail_is_the_last_fifth():
    """The beginning of a long curve does not count."""
    tail = measure_tail([100.0] * 400 + [1.0] * 100)

    assert (tail.level, tail.noise, tail.count) == (1.0, 0.0, 100)


def test_values_that_are_not_finite_are_left_out():
    """NaN and infinity are no part of the noise."""
    assert measure_tail([math.nan, *[2.0] * 10, math.inf]).level == 2.0


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 1.0], [math.nan] * 50])
def test_the_noise_of_few_values_is_not_known(values):
    """Three values do not say how the fourth would vary."""
    tails = measure_tail(values), measure_tail([1.0] * 50)

    assert is_beyond_noise(1.0, 2.0, tails) is None


def test_a_difference_beyond_twice_both_noises_is_one():
    """Two ends that lie further apart than the curves swing differ; closer ones do not."""
    noisy = measure_tail([1.0 + 0.1 * (-1) ** i for i in range(100)])

    assert is_beyond_noise(1.0, 1.5, (noisy, noisy)) is True
    assert is_beyond_noise(1.0, 1.2, (noisy, noisy)) is False


def test_very_large_values_have_a_noise():
    """Squares of large numbers would be infinite; the noise is not."""
    assert math.isfinite(measure_tail([1e200 * (1 + 0.1 * (-1) ** i) for i in range(20)]).noise)
