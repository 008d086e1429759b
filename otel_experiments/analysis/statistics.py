"""The statistics that golden comparison rests on, to full double precision and without SciPy.

Pure functions over plain numbers: Student's t, the run-level predictive t-test, Welch's t-test, Holm's
correction, percentiles and standard deviations. Nothing here knows what a span, a path or a curve is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

Tail = Literal["greater", "less", "two-sided"]
"""Which departure from "no change" a test looks for: candidate greater, candidate less, or either."""

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""Coefficients of the Stirling series of log gamma. Source: Abramowitz and Stegun, 6.1.41."""


def student_t_survival(t: float, degrees_of_freedom: float) -> float:
    """Return P(T > t) of Student's t, exact in the far tail where 1 - cdf would round to 0.

    Source: Abramowitz and Stegun, 26.7.1 and 26.5.27: the tail is half a regularised incomplete beta.
    """
    if degrees_of_freedom <= 0:
        message = f"degrees of freedom must be positive, not {degrees_of_freedom:g}"
        raise ValueError(message)
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if abs(t) > 1e150:  # t * t would overflow; the tail is 0 for any df that is not absurdly small
        return 0.0 if t > 0 else 1.0
    square = t * t
    total = degrees_of_freedom + square
    half = 0.5 * _incomplete_beta(
        degrees_of_freedom / 2, 0.5, x=degrees_of_freedom / total, complement=square / total
    )
    return half if t >= 0 else 1.0 - half


@lru_cache(maxsize=256)  # a comparison asks for the same level once for each of its paths
def student_t_upper_quantile(tail: float, degrees_of_freedom: float) -> float:
    """Return the t with P(T > t) = tail, for tails far below what 1 - p could express."""
    if not 0.0 <= tail <= 1.0:
        message = f"a probability lies between 0 and 1, not at {tail:g}"
        raise ValueError(message)
    if tail == 0.0:
        return math.inf
    if tail == 1.0:
        return -math.inf
    if tail == 0.5:
        return 0.0
    if tail > 0.5:
        return -student_t_upper_quantile(1.0 - tail, degrees_of_freedom)
    low, high = 0.0, max(1.0, -NormalDist().inv_cdf(tail))
    while student_t_survival(high, degrees_of_freedom) > tail:
        low, high = high, high * 2
    # Bisection in log t would be slower near 0 and gains nothing: 200 halvings reach the last bit anyway.
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if student_t_survival(middle, degrees_of_freedom) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, *, x: float, complement: float) -> float:
    """Return the regularised incomplete beta I_x(a, b); `complement` is 1 - x without its rounding."""
    if x <= 0.0:
        return 0.0
    if complement <= 0.0:
        return 1.0
    # The logarithm of the smaller of the two is exact only when taken of that one directly.
    log_x = math.log(x) if x < 0.5 else math.log1p(-complement)
    log_complement = math.log(complement) if complement < 0.5 else math.log1p(-x)
    front = math.exp(a * log_x + b * log_complement - _log_beta(a, b))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, complement) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta by Lentz's method.

    Source: Lentz 1976 as modified by Thompson and Barnett 1986; the fraction is DLMF 8.17.22.
    """
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            result *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return result


def _log_beta(a: float, b: float) -> float:
    """Return log B(a, b) without the cancellation of three large log gammas.

    Source: the split of TOMS 708 (DiDonato and Morris 1992), function BETALN.
    """
    small, large = min(a, b), max(a, b)
    if large < 10:
        return math.lgamma(small) + math.lgamma(large) - math.lgamma(small + large)
    correction = _stirling_rest(large) - _stirling_rest(small + large)
    shrink = -math.log1p(small / large)  # log(large / (small + large))
    if small < 10:
        return (
            math.lgamma(small) + correction + small - small * math.log(small + large) + (large - 0.5) * shrink
        )
    ratio = -math.log1p(large / small)  # log(small / (small + large))
    return (
        0.5 * math.log(2 * math.pi)
        - 0.5 * math.log(large)
        + _stirling_rest(small)
        + correction
        + (small - 0.5) * ratio
        + large * shrink
    )


def _stirling_rest(x: float) -> float:
    """Return log gamma(x) minus Stirling's leading terms, for x >= 10."""
    return sum(coefficient / x ** (2 * power + 1) for power, coefficient in enumerate(_STIRLING))


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def squares_about_mean(values: Sequence[float]) -> float:
    """Return the sum of squared deviations from the mean; 0.0 of fewer than two values."""
    if len(values) < 2:
        return 0.0
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values)


def sample_std(values: Sequence[float]) -> float:
    """Return the standard deviation with divisor n - 1; NaN of fewer than two values."""
    return math.sqrt(squares_about_mean(values) / (len(values) - 1)) if len(values) > 1 else math.nan


def percentile(values: Sequence[float], ratio: float) -> float:
    """Return the `ratio` quantile (0 to 1) by linear interpolation of order statistics; NaN of nothing.

    Source: Hyndman and Fan 1996, type 7 (the default of R and NumPy).
    """
    if not 0.0 <= ratio <= 1.0:
        message = f"a quantile is asked for as a ratio between 0 and 1, not {ratio:g}"
        raise ValueError(message)
    if not values:
        return math.nan
    return percentile_of_sorted(sorted(values), ratio)


def percentile_of_sorted(ordered: Sequence[float], ratio: float) -> float:
    """Return the type 7 quantile of values that are in ascending order already."""
    position = ratio * (len(ordered) - 1)
    below = math.floor(position)
    rest = position - below
    if not rest:
        return float(ordered[below])
    low, high = ordered[below], ordered[below + 1]
    return low + (high - low) * rest


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return percentile(values, 0.5)


@dataclass(frozen=True, slots=True)
class TTest:
    """The outcome of a t-test.

    `difference` is candidate mean minus golden mean; `std` the standard deviation of one run that the test
    used; `p` belongs to the tail that was asked for.
    """

    t: float
    degrees_of_freedom: float
    p: float
    difference: float
    std: float


def welch_t_test(
    golden: Sequence[float], candidate: Sequence[float], *, tail: Tail = "two-sided"
) -> TTest | None:
    """Test whether two means differ, variances unequal and unknown; None when either side has one value.

    Two constant sides are equal (p = 1) or different without doubt (p = 0).

    Source: Welch 1947; degrees of freedom by Satterthwaite 1946.
    """
    n, k = len(golden), len(candidate)
    if n < 2 or k < 2:
        return None
    share_golden = squares_about_mean(golden) / (n - 1) / n
    share_candidate = squares_about_mean(candidate) / (k - 1) / k
    error = share_golden + share_candidate
    difference = mean(candidate) - mean(golden)
    if error == 0.0:
        t, df = (math.copysign(math.inf, difference) if difference else 0.0), float(n + k - 2)
    else:
        t = difference / math.sqrt(error)
        # Of parts of the error: squares of the shares themselves are too small or too large for a float sooner.
        df = 1 / ((share_golden / error) ** 2 / (n - 1) + (share_candidate / error) ** 2 / (k - 1))
    return TTest(t, df, _p_value(t, df, tail), difference, math.sqrt(error))


def predictive_t_test(
    golden: Sequence[float],
    candidate: Sequence[float],
    *,
    prior_std: float,
    prior_weight: float,
    tail: Tail = "greater",
) -> TTest:
    """Test whether the candidate runs come from where the golden runs came from, down to one run on each side.

    The variance of one run is estimated from the golden runs and from what is known before them: `prior_std`
    counts as `prior_weight` degrees of freedom. The spread of the candidates is left out on purpose: a change
    may make them spread, and that must not hide it.

    Raises:
        ValueError: a side is empty, or neither the prior nor a second golden run says how runs vary.

    Source: conjugate normal model with scaled inverse chi-squared prior; Gelman et al., Bayesian Data
        Analysis, 3rd edition, 2.6 and 3.3. With prior_weight 0 it is the one-sided predictive t-test.
    """
    n, k = len(golden), len(candidate)
    if not n or not k:
        message = f"a test needs a run on each side; got {n} golden and {k} candidate runs"
        raise ValueError(message)
    df = prior_weight + n - 1
    if df <= 0:
        message = "one golden run and no prior do not say how much runs vary; give prior_weight > 0"
        raise ValueError(message)
    std = math.sqrt((prior_weight * prior_std**2 + squares_about_mean(golden)) / df)
    difference = mean(candidate) - mean(golden)
    error = std * math.sqrt(1 / k + 1 / n)
    t = difference / error if error else math.copysign(math.inf, difference) if difference else 0.0
    return TTest(t, df, _p_value(t, df, tail), difference, std)


def predictive_power(
    shift: float,
    *,
    std: float,
    degrees_of_freedom: float,
    golden_runs: int,
    candidate_runs: int,
    alpha: float,
) -> float:
    """Return the chance that the one-sided predictive t-test at level `alpha` sees a true shift.

    The chance is over what the candidate runs may show, given what the golden runs have shown, so the
    uncertainty about `std` is in it.
    """
    error = std * math.sqrt(1 / candidate_runs + 1 / golden_runs)
    if error == 0.0:
        return 1.0 if shift > 0 else alpha
    critical = student_t_upper_quantile(alpha, degrees_of_freedom)
    return student_t_survival(critical - shift / error, degrees_of_freedom)


def holm_adjust(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for having been the smallest of many, in the order given.

    Rejecting where the adjusted value is below a level keeps the chance of any false rejection below it.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=p_values.__getitem__)):
        running = max(running, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _p_value(t: float, degrees_of_freedom: float, tail: Tail) -> float:
    if tail == "greater":
        return student_t_survival(t, degrees_of_freedom)
    if tail == "less":
        return student_t_survival(-t, degrees_of_freedom)
    return min(1.0, 2 * student_t_survival(abs(t), degrees_of_freedom))
