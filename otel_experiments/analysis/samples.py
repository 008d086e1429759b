"""Whether two or more samples differ, by how much, and how many values would show it.

Welch's test and the paired t-test are computed here; what needs more of mathematics is SciPy's, in `scipy_tests`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

from otel_experiments.analysis import scipy_tests
from otel_experiments.analysis.statistics import (
    holm_adjust,
    mean,
    percentile_of_sorted,
    sample_std,
    squares_about_mean,
    student_t_survival,
    student_t_upper_quantile,
    welch_t_test,
)
from otel_experiments.errors import AnalysisError

Method = Literal["welch", "mann-whitney", "bootstrap", "paired-t", "wilcoxon"]
"""How two samples are tested: unpaired by Welch's t, by ranks or by resampling; paired by t or by signed ranks."""

Goal = Literal["minimize", "maximize"]

Verdict = Literal["better", "worse", "different", "not shown"]
"""What a test says of a sample beside the baseline; `different` where nobody said which direction is better."""

PAIRED: Final = frozenset[str](("paired-t", "wilcoxon"))
RESAMPLES: Final = 10_000
_MOST_NEEDED: Final = 10_000_000
_GREATEST: Final = 1e150
"""The square of a greater value is larger than any float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTest:
    """What a test says of one sample beside a baseline.

    Attributes:
        method: how it was tested.
        count: values of the sample; pairs, where it is a paired test.
        baseline_count: values of the baseline.
        mean: of the sample.
        baseline_mean: of the baseline.
        difference: mean of the sample minus mean of the baseline.
        low: with a confidence of `1 - alpha` the true difference is above this; NaN where the method gives no interval.
        high: with that confidence it is below this.
        effect: the difference in standard deviations of one value (Hedges' g; of paired ones, of the differences); NaN where
            nothing varies.
        statistic: the test's own number: t, U or W; NaN of a bootstrap.
        p: the chance of such a difference, either way, where there is none.
        adjusted_p: the same after all tests of this call were counted (Holm).
        alpha: below which `adjusted_p` a difference counts as shown.
        verdict: `better` or `worse` by the direction, `different` without one, or `not shown`.
        needed: how many values on each side would show a difference of this size in four of five cases; None where it is shown, or
            where no number would do.
    """

    method: Method
    count: int
    baseline_count: int
    mean: float
    baseline_mean: float
    difference: float
    low: float
    high: float
    effect: float
    statistic: float
    p: float
    adjusted_p: float
    alpha: float
    verdict: Verdict
    needed: int | None

    def __str__(self) -> str:
        """Return the verdict as a person says it: `not shown, n = 40 would`."""
        if self.verdict != "not shown":
            return self.verdict
        return self.verdict if self.needed is None else f"not shown, n = {self.needed} would"


def compare_samples(
    baseline: Sequence[float],
    samples: Mapping[str, Sequence[float]],
    *,
    method: Method = "welch",
    goal: Goal | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> dict[str, SampleTest]:
    """Return for each sample what a test says of it beside the baseline.

    A sample with too few values to test (two on each side) has a p of NaN and the verdict `not shown`.

    Args:
        baseline: the values that the others are compared with.
        samples: the others, by name. Of a paired test the values are in the baseline's order.
        method: how they are tested.
        goal: which direction is better.
        alpha: below which adjusted p a difference counts as shown.
        seed: what the resampling of `bootstrap` starts from, so that it is the same each time.

    Raises:
        AnalysisError: a value is not finite or above 1e150, alpha is no probability, or a paired sample has another length than the baseline.
        MissingPackageError: the method needs SciPy, and it is not installed.
    """
    sides = {name: (baseline, values) for name, values in samples.items()}
    return compare_sides(sides, method=method, goal=goal, alpha=alpha, seed=seed)


def compare_sides(
    sides: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    method: Method = "welch",
    goal: Goal | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> dict[str, SampleTest]:
    """Return the same where each sample has a baseline of its own, as those have whose partners are not the same.

    Args:
        sides: for each sample, by name, the values of its baseline and its own.
        method: how they are tested.
        goal: which direction is better.
        alpha: below which adjusted p a difference counts as shown.
        seed: what the resampling of `bootstrap` starts from.

    Raises:
        AnalysisError: as above.
        MissingPackageError: as above.
    """
    for name, (baseline, values) in sides.items():
        _check(name, baseline, values, method, alpha)
    tests = {name: _one(baseline, values, method, alpha, seed) for name, (baseline, values) in sides.items()}
    known = [name for name, test in tests.items() if not math.isnan(test.p)]
    for name, adjusted in zip(known, holm_adjust([tests[name].p for name in known]), strict=True):
        tests[name] = _judged(replace(tests[name], adjusted_p=adjusted), goal)
    return tests


def needed_count(
    effect: float, *, alpha: float = 0.05, power: float = 0.8, is_paired: bool = False
) -> int | None:
    """Return how many values on each side show an effect with that chance; None where more than ten million would be needed.

    Source: Chow, Shao and Wang, Sample Size Calculations in Clinical Research, 3.2: the normal's count, made larger until
        `power_of` reaches the power.

    Args:
        effect: the difference in standard deviations of one value (of paired ones, of the differences).
        alpha: the level of the two-sided test.
        power: the chance that the effect is shown.
        is_paired: whether each value has its partner; the count is of pairs.
    """
    sides = 1 if is_paired else 2
    z = NormalDist().inv_cdf(power) - NormalDist().inv_cdf(alpha / 2)
    if not math.isfinite(effect) or abs(effect) < z * math.sqrt(sides / _MOST_NEEDED):
        return None
    count = max(2.0, sides * (z / effect) ** 2)
    whole = math.ceil(count)
    while (
        power_of(effect, whole, alpha=alpha, is_paired=is_paired) < power
    ):  # the normal's count is short by a few
        whole += 1
    while whole > 2 and power_of(effect, whole - 1, alpha=alpha, is_paired=is_paired) >= power:
        whole -= 1
    return whole


def power_of(effect: float, count: int, *, alpha: float = 0.05, is_paired: bool = False) -> float:
    """Return the chance that a two-sided t-test with so many values on each side shows an effect.

    Args:
        effect: the difference in standard deviations of one value (of paired ones, of the differences).
        count: values on each side; pairs, where each value has its partner.
        alpha: the level of the test.
        is_paired: whether each value has its partner.

    Source: the distribution of t about its shift, which is near the non-central t from three values on.
    """
    sides = 1 if is_paired else 2
    if count < 2:
        return math.nan
    freedom = float(sides * (count - 1))
    critical = student_t_upper_quantile(alpha / 2, freedom)
    shift = abs(effect) * math.sqrt(count / sides)
    return student_t_survival(critical - shift, freedom) + student_t_survival(critical + shift, freedom)


def bootstrap_interval(
    values: Sequence[float],
    *,
    statistic: Callable[[Sequence[float]], float] = mean,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return between which two numbers a statistic of these values lies, by drawing from them again and again.

    Source: Efron 1979, Bootstrap Methods: Another Look at the Jackknife; the percentile interval.

    Args:
        values: what was measured.
        statistic: what is computed of each draw; the mean by default, which NumPy computes at once where it is installed.
        confidence: how sure the interval is, between 0 and 1.
        resamples: how often it is drawn.
        seed: what drawing starts from; the program's own random numbers are left alone.
    """
    if len(values) < 2:
        return math.nan, math.nan
    if statistic is mean:
        drawn = _drawn_means(values, resamples, seed)
    else:
        chooser = random.Random(seed)  # noqa: S311 - a statistic, no secret
        drawn = [statistic(chooser.choices(values, k=len(values))) for _ in range(resamples)]
    drawn = sorted(drawn)
    tail = (1 - confidence) / 2
    return percentile_of_sorted(drawn, tail), percentile_of_sorted(drawn, 1 - tail)


def _drawn_means(values: Sequence[float], resamples: int, seed: int) -> list[float]:
    """Return the mean of each draw, by NumPy where it is installed."""
    means = scipy_tests.resampled_means(values, resamples, seed)
    if means is not None:
        return means
    chooser, count = random.Random(seed), len(values)  # noqa: S311 - a statistic, no secret
    return [math.fsum(chooser.choices(values, k=count)) / count for _ in range(resamples)]


def _check(
    name: str, baseline: Sequence[float], values: Sequence[float], method: Method, alpha: float
) -> None:
    if not 0.0 < alpha < 1.0:
        raise AnalysisError(
            what="alpha is a probability",
            found=f"{alpha:g} was given",
            fix="Give one between 0 and 1; 0.05 is usual.",
        )
    for whose, side in (("the baseline", baseline), (name, values)):
        count = sum(not math.isfinite(value) for value in side)
        if count:
            raise AnalysisError(
                what=f"Values that are not finite cannot be tested ({whose!r})",
                found=f"{count} of {len(side)} are NaN or infinite",
                fix="Leave them out first, and say how many they were.",
            )
        greatest = max(map(abs, side), default=0.0)
        if greatest > _GREATEST:
            raise AnalysisError(
                what=f"Values are too large to be tested ({whose!r})",
                found=f"the greatest is {greatest:g}",
                fix="Leave out what diverged, or compare the logarithm.",
            )
    if method in PAIRED and len(values) != len(baseline):
        raise AnalysisError(
            what=f"A paired test needs a partner for each value ({name!r})",
            found=f"it has {len(values)} values and the baseline has {len(baseline)}",
            fix="Give both in one order, or take a test that is not paired.",
        )


def _one(
    baseline: Sequence[float], values: Sequence[float], method: Method, alpha: float, seed: int
) -> SampleTest:
    statistic, p, low, high = math.nan, math.nan, math.nan, math.nan
    is_paired = method in PAIRED
    differences = [b - a for a, b in zip(baseline, values, strict=True)] if is_paired else []
    if min(len(baseline), len(values)) >= 2:
        if method == "welch":
            statistic, p, low, high = _welch(baseline, values, alpha)
        elif method == "paired-t":
            statistic, p, low, high = _paired_t(differences, alpha)
        elif method == "mann-whitney":
            statistic, p = scipy_tests.mann_whitney(baseline, values)
        elif method == "wilcoxon":
            statistic, p = scipy_tests.wilcoxon(differences)
        else:
            p, low, high = _bootstrap(baseline, values, alpha, seed)
    return SampleTest(
        method=method,
        count=len(values),
        baseline_count=len(baseline),
        mean=mean(values),
        baseline_mean=mean(baseline),
        difference=mean(values) - mean(baseline),
        low=low,
        high=high,
        effect=_effect_of_pairs(differences) if is_paired else hedges_g(baseline, values),
        statistic=statistic,
        p=p,
        adjusted_p=p,
        alpha=alpha,
        verdict="not shown",
        needed=None,
    )


def _judged(test: SampleTest, goal: Goal | None) -> SampleTest:
    if test.adjusted_p >= test.alpha:
        return replace(
            test, needed=needed_count(test.effect, alpha=test.alpha, is_paired=test.method in PAIRED)
        )
    if goal is None or not test.difference:
        return replace(test, verdict="different")
    return replace(test, verdict="better" if (test.difference < 0) == (goal == "minimize") else "worse")


def hedges_g(baseline: Sequence[float], values: Sequence[float]) -> float:
    """Return the difference of two means in standard deviations of one value; NaN where nothing varies or a side has one value.

    Source: Hedges 1981, Distribution Theory for Glass's Estimator of Effect Size; with the correction for few values.

    Args:
        baseline: the values that the others are compared with.
        values: the others.
    """
    freedom = len(baseline) + len(values) - 2
    if len(baseline) < 2 or len(values) < 2:
        return math.nan
    std = math.sqrt((squares_about_mean(baseline) + squares_about_mean(values)) / freedom)
    return (1 - 3 / (4 * freedom - 1)) * (mean(values) - mean(baseline)) / std if std else math.nan


def _effect_of_pairs(differences: Sequence[float]) -> float:
    std = sample_std(differences)
    return mean(differences) / std if len(differences) > 1 and std else math.nan


def _welch(
    baseline: Sequence[float], values: Sequence[float], alpha: float
) -> tuple[float, float, float, float]:
    test = welch_t_test(baseline, values)
    if test is None:
        return math.nan, math.nan, math.nan, math.nan
    half = student_t_upper_quantile(alpha / 2, test.degrees_of_freedom) * test.std
    return test.t, test.p, test.difference - half, test.difference + half


def _paired_t(differences: Sequence[float], alpha: float) -> tuple[float, float, float, float]:
    freedom = float(len(differences) - 1)
    centre, error = mean(differences), sample_std(differences) / math.sqrt(len(differences))
    if not error:
        t = math.copysign(math.inf, centre) if centre else 0.0
        return t, 0.0 if centre else 1.0, centre, centre
    t = centre / error
    half = student_t_upper_quantile(alpha / 2, freedom) * error
    return t, min(1.0, 2 * student_t_survival(abs(t), freedom)), centre - half, centre + half


def _bootstrap(
    baseline: Sequence[float], values: Sequence[float], alpha: float, seed: int
) -> tuple[float, float, float]:
    """Return p and the interval of the difference of two means.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 16.2: both samples are moved to one mean for the p.
    """
    ours, others = _drawn_means(values, RESAMPLES, seed), _drawn_means(baseline, RESAMPLES, seed + 1)
    drawn = sorted(a - b for a, b in zip(ours, others, strict=True))
    low, high = percentile_of_sorted(drawn, alpha / 2), percentile_of_sorted(drawn, 1 - alpha / 2)
    difference = mean(values) - mean(baseline)
    if not difference:
        return 1.0, low, high
    # A draw's distance from what was measured is what chance alone makes.
    beyond = sum(abs(one - difference) >= abs(difference) * (1 - 1e-12) for one in drawn)
    return (beyond + 1) / (len(drawn) + 1), low, high
