"""Whether groups differ in how often something happened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from otel_experiments.analysis import scipy_tests
from otel_experiments.analysis.samples import Verdict
from otel_experiments.analysis.statistics import holm_adjust
from otel_experiments.errors import AnalysisError

CountMethod = Literal["chi-square", "fisher"]


@dataclass(frozen=True, slots=True)
class CountTest:
    """What a test says of how often something happened in a group, beside a baseline.

    Attributes:
        method: how it was tested.
        count: how often it happened.
        total: of how many.
        baseline_count: how often it happened in the baseline.
        baseline_total: of how many.
        difference: rate of the group minus rate of the baseline; NaN where one of them has none.
        statistic: chi-square, or the odds ratio of Fisher's test.
        p: the chance of such a difference, either way, where there is none; NaN where it cannot be tested.
        adjusted_p: the same after all tests of this call were counted (Holm).
        alpha: below which `adjusted_p` a difference counts as shown.
        verdict: `better` or `worse` where more is better, or `not shown`.
    """

    method: CountMethod
    count: int
    total: int
    baseline_count: int
    baseline_total: int
    difference: float
    statistic: float
    p: float
    adjusted_p: float
    alpha: float
    verdict: Verdict


def compare_counts(
    baseline: tuple[int, int],
    groups: Mapping[str, tuple[int, int]],
    *,
    method: CountMethod = "fisher",
    alpha: float = 0.05,
) -> dict[str, CountTest]:
    """Return for each group what a test says of how often something happened in it, beside the baseline.

    Args:
        baseline: how often it happened, and of how many.
        groups: the same of each group, by name.
        method: Fisher's exact test, or chi-square for large counts.
        alpha: below which adjusted p a difference counts as shown.

    Raises:
        AnalysisError: something happened more often than there are cases, or a number is negative.
        MissingPackageError: SciPy is not installed.
    """
    for name, (count, total) in (("the baseline", baseline), *groups.items()):
        if not 0 <= count <= total:
            raise AnalysisError(
                what=f"The counts of {name!r} cannot be",
                found=f"it happened {count} times of {total}",
                fix="Give how often it happened, and of how many: (17, 20).",
            )
    tests = {name: _one(baseline, group, method, alpha) for name, group in groups.items()}
    known = [name for name, test in tests.items() if not math.isnan(test.p)]
    for name, adjusted in zip(known, holm_adjust([tests[name].p for name in known]), strict=True):
        test = tests[name]
        verdict: Verdict = "not shown" if adjusted >= alpha else "better" if test.difference > 0 else "worse"
        tests[name] = replace(test, adjusted_p=adjusted, verdict=verdict)
    return tests


def _one(baseline: tuple[int, int], group: tuple[int, int], method: CountMethod, alpha: float) -> CountTest:
    (count, total), (before, before_total) = group, baseline
    difference = count / total - before / before_total if total and before_total else math.nan
    statistic, p = math.nan, math.nan
    if total and before_total:
        table = [[count, total - count], [before, before_total - before]]
        if method == "fisher":
            statistic, p = scipy_tests.fisher(table)
        elif 0 < count + before < total + before_total:
            statistic, p = scipy_tests.chi_square(table)
        else:  # it happened always, or never, in both: they do not differ
            statistic, p = 0.0, 1.0
    return CountTest(
        method, count, total, before, before_total, difference, statistic, p, p, alpha, "not shown"
    )
