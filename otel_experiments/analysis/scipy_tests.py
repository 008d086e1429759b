"""Tests that SciPy computes, and draws that NumPy makes: the one module of the statistics that imports either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otel_experiments.errors import MissingPackageError

if TYPE_CHECKING:
    from types import ModuleType

_MOST_DRAWN_AT_ONCE = 4_000_000
"""Values that are drawn at once: 32 MB of indexes and as much of values."""


def mann_whitney(baseline: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Return U and the two-sided p of a test by ranks.

    Source: Mann and Whitney 1947.

    Args:
        baseline: one sample.
        values: the other, whose U it is.

    Raises:
        MissingPackageError: SciPy is not installed.
    """
    found: Any = _stats("The Mann-Whitney test").mannwhitneyu(values, baseline, alternative="two-sided")
    return float(found.statistic), float(found.pvalue)


def wilcoxon(differences: Sequence[float]) -> tuple[float, float]:
    """Return W and the two-sided p of a test by signed ranks; a p of 1 where no pair differs.

    Source: Wilcoxon 1945.

    Args:
        differences: for each pair the second value minus the first.

    Raises:
        MissingPackageError: SciPy is not installed.
    """
    stats = _stats("Wilcoxon's test")
    if not any(differences):
        return 0.0, 1.0
    found: Any = stats.wilcoxon(differences)
    return float(found.statistic), float(found.pvalue)


def chi_square(table: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return chi-square and p of a table of counts, without Yates's correction.

    Source: Pearson 1900.

    Args:
        table: counts, a row for each group and a column for each outcome.

    Raises:
        MissingPackageError: SciPy is not installed.
        ValueError: a row or a column has no count.
    """
    found: Any = _stats("The chi-square test").chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)


def fisher(table: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return the odds ratio and the two-sided p of Fisher's exact test.

    Source: Fisher 1922.

    Args:
        table: counts of two groups and two outcomes.

    Raises:
        MissingPackageError: SciPy is not installed.
    """
    found: Any = _stats("Fisher's exact test").fisher_exact(table)
    return float(found.statistic), float(found.pvalue)


def resampled_means(values: Sequence[float], resamples: int, seed: int) -> list[float] | None:
    """Return the means of draws with replacement; None where NumPy is not installed.

    Args:
        values: what is drawn from, as often as there are values.
        resamples: how many draws.
        seed: what drawing starts from; NumPy's own state is left alone.
    """
    try:
        import numpy as np  # noqa: PLC0415 - heavy
    except ImportError:
        return None
    given, chooser, count = np.asarray(values, dtype=np.float64), np.random.default_rng(seed), len(values)
    at_once = max(1, _MOST_DRAWN_AT_ONCE // count)
    means: list[float] = []
    while len(means) < resamples:
        rows = min(at_once, resamples - len(means))
        means.extend(given[chooser.integers(0, count, size=(rows, count))].mean(axis=1).tolist())
    return means


def _stats(purpose: str) -> ModuleType:
    try:
        import scipy.stats  # noqa: PLC0415 - heavy, and of an extra
    except ImportError as error:
        raise MissingPackageError(package="scipy", purpose=purpose, extra="stats") from error
    stats: ModuleType = scipy.stats
    return stats
