"""Whether samples differ."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.counts import compare_counts
from otel_experiments.analysis.samples import (
    bootstrap_interval,
    compare_samples,
    hedges_g,
    needed_count,
    power_of,
)
from otel_experiments.analysis.statistics import median
from otel_experiments.errors import AnalysisError

A = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
B = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 24.4]

EVERY_METHOD = ["welch", "mann-whitney", "bootstrap", "paired-t", "wilcoxon"]


def test_welch_agrees_with_scipy() -> None:
    """t, p and the interval are those of SciPy."""
    stats = pytest.importorskip("scipy.stats")
    test = compare_samples(A, {"b": B})["b"]
    expected = stats.ttest_ind(B, A, equal_var=False)

    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p == pytest.approx(expected.pvalue)
    assert (test.low, test.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert (test.count, test.baseline_count) == (15, 15)


def test_paired_t_agrees_with_scipy() -> None:
    """The paired test is SciPy's as well, with the effect in deviations of the differences."""
    stats = pytest.importorskip("scipy.stats")
    test = compare_samples(A, {"b": B}, method="paired-t")["b"]
    expected = stats.ttest_rel(B, A)

    assert (test.statistic, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (test.low, test.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert test.effect == pytest.approx(test.statistic / math.sqrt(15))


def test_tests_by_ranks_are_scipys() -> None:
    """Mann-Whitney and Wilcoxon have SciPy's statistic and p, and no interval."""
    stats = pytest.importorskip("scipy.stats")
    unpaired = compare_samples(A, {"b": B}, method="mann-whitney")["b"]
    paired = compare_samples(A, {"b": B}, method="wilcoxon")["b"]

    assert unpaired.p == pytest.approx(stats.mannwhitneyu(B, A).pvalue)
    assert paired.p == pytest.approx(stats.wilcoxon(B, A).pvalue)
    assert math.isnan(unpaired.low)
    assert math.isnan(paired.high)


def test_a_bootstrap_finds_what_welch_finds_and_is_the_same_each_time() -> None:
    """Resampling has an interval near Welch's, and draws the same from the same seed."""
    bootstrap, welch = (compare_samples(A, {"b": B}, method=method)["b"] for method in ("bootstrap", "welch"))

    assert (bootstrap.low, bootstrap.high) == pytest.approx((welch.low, welch.high), abs=0.4)
    assert bootstrap == compare_samples(A, {"b": B}, method="bootstrap")["b"]
    assert bootstrap.verdict == welch.verdict == "different"


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_the_direction_decides_what_is_better(method) -> None:
    """The same difference is better, worse, or only a difference."""
    found = [
        compare_samples(A, {"b": B}, method=method, goal=goal)["b"].verdict
        for goal in ("maximize", "minimize", None)
    ]

    assert found == ["better", "worse", "different"]


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_equal_samples_differ_by_no_method(method) -> None:
    """A sample does not differ from itself, nor one constant from the same constant."""
    for values in (A, [2.0] * 8):
        test = compare_samples(values, {"same": list(values)}, method=method)["same"]
        assert (test.verdict, test.p) == ("not shown", 1.0)
        assert test.needed is None


def test_constants_that_differ_are_shown() -> None:
    """Two constants need no statistics."""
    for method in ("welch", "paired-t", "bootstrap"):
        assert (
            compare_samples([1.0] * 5, {"b": [2.0] * 5}, method=method, goal="minimize")["b"].verdict
            == "worse"
        )  # type: ignore[arg-type] # from a tuple


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_one_value_cannot_be_tested(method) -> None:
    """With one value on each side there is a difference, and nothing is shown."""
    test = compare_samples([1.0], {"b": [9.0]}, method=method)["b"]

    assert (test.difference, test.verdict) == (8.0, "not shown")
    assert math.isnan(test.p)
    assert str(test) == "not shown"


def test_many_tests_are_corrected_for_being_many() -> None:
    """A p of 0.03 is shown alone, and not as one of twenty tests."""
    chooser = random.Random(5)
    noise = {f"n{index}": [chooser.gauss(20.7, 2.6) for _ in range(15)] for index in range(19)}
    alone = compare_samples(A, {"b": B})["b"]
    many = compare_samples(A, {"b": B, **noise})["b"]

    assert alone.adjusted_p == alone.p == many.p
    assert many.adjusted_p == pytest.approx(20 * many.p)


def test_what_is_not_shown_says_how_many_values_would() -> None:
    """A difference of half a deviation in few values is not shown, and 64 a side would."""
    values = [-1.0, 1.0, -1.0, 1.0, 0.0]
    test = compare_samples(values, {"b": [value + 0.5 for value in values]})["b"]

    assert test.verdict == "not shown"
    assert test.needed is not None
    assert str(test) == f"not shown, n = {test.needed} would"
    assert test.needed == needed_count(test.effect)


@pytest.mark.parametrize(("effect", "expected"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_needed_counts_are_those_of_the_tables(effect: float, expected: int) -> None:
    """Small, medium and large effects need what Cohen's tables say, within one."""
    count = needed_count(effect)

    assert count is not None
    assert abs(count - expected) <= 1


def test_no_number_of_values_shows_nothing() -> None:
    """An effect of 0, an unknown one, and one so small that millions would be needed have no count."""
    assert [needed_count(effect) for effect in (0.0, math.nan, math.inf, 1e-6)] == [None] * 4


@given(st.floats(0.05, 4.0), st.booleans(), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_needed_count_has_the_power_that_was_asked_for(
    effect: float, is_paired: bool, alpha: float
) -> None:
    """With so many values the chance is four of five, and with one less it is not."""
    count = needed_count(effect, alpha=alpha, is_paired=is_paired)

    assert count is not None
    assert power_of(effect, count, alpha=alpha, is_paired=is_paired) >= 0.8
    assert count == 2 or power_of(effect, count - 1, alpha=alpha, is_paired=is_paired) < 0.8


def test_hedges_g_is_cohens_d_with_its_correction() -> None:
    """The effect is in deviations of one value; of what does not vary it is unknown."""
    assert hedges_g([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]) == pytest.approx(1.0 * (1 - 3 / 15))
    assert math.isnan(hedges_g([1.0, 1.0], [2.0, 2.0]))
    assert math.isnan(hedges_g([1.0], [2.0, 3.0]))


def test_an_interval_of_another_statistic() -> None:
    """The bootstrap gives an interval of the median as of the mean, around what was measured."""
    low, high = bootstrap_interval(A, statistic=median, resamples=500)

    assert low < median(A) < high
    assert bootstrap_interval([1.0]) != bootstrap_interval([1.0, 2.0])
    assert all(math.isnan(end) for end in bootstrap_interval([1.0]))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0, math.nan])
def test_alpha_is_a_probability(alpha: float) -> None:
    """A percentage is no alpha."""
    with pytest.raises(AnalysisError, match="alpha is a probability"):
        compare_samples(A, {"b": B}, alpha=alpha)


@pytest.mark.parametrize("alpha", [1e-17, 1e-300])
def test_any_level_is_taken(alpha: float) -> None:
    """A level that no table has is no reason to fail: a small difference is not shown, a sure one is."""
    found = compare_samples(A, {"near": B, "sure": [100.0, 100.0]}, alpha=alpha)

    assert (found["near"].verdict, found["near"].needed is not None) == ("not shown", True)
    assert compare_samples([1.0, 1.0], {"b": [2.0, 2.0]}, alpha=alpha)["b"].verdict == "different"


def test_an_effect_near_nothing_needs_more_values_than_there_are() -> None:
    """It is told as one that no number of values would show."""
    assert needed_count(1e-200) is None
    assert compare_samples([-1.0, 1.0], {"b": [-1.0, 1.0, 1e-200]})["b"].needed is None


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_values_too_large_to_be_squared_are_named(method) -> None:
    """What diverged is said, as what is not finite is."""
    with pytest.raises(AnalysisError, match=r"too large to be tested \('b'\): the greatest is 1e\+200"):
        compare_samples([1.0, 2.0], {"b": [1.0, -1e200]}, method=method)


def test_samples_of_any_other_size_are_tested_alike() -> None:
    """The test says the same of values in other units, however small or large they are."""
    wanted = compare_samples(A, {"b": B})["b"]
    for scale in (1e-120, 1e120):
        found = compare_samples([one * scale for one in A], {"b": [one * scale for one in B]})["b"]
        assert (found.p, found.effect) == pytest.approx((wanted.p, wanted.effect))


def test_values_that_are_not_finite_are_named() -> None:
    """NaN would make every test NaN; the error says in which sample it is."""
    with pytest.raises(AnalysisError, match=r"'b'\): 1 of 2 are NaN"):
        compare_samples(A, {"b": [1.0, math.nan]})


def test_pairs_have_partners() -> None:
    """A paired test of samples of two lengths is refused."""
    with pytest.raises(AnalysisError, match="it has 2 values and the baseline has 15"):
        compare_samples(A, {"b": [1.0, 2.0]}, method="paired-t")


def test_counts_are_tested_exactly_or_by_chi_square() -> None:
    """Both tests are SciPy's, and more is better."""
    stats = pytest.importorskip("scipy.stats")
    fisher = compare_counts((8, 20), {"b": (17, 20)})["b"]
    square = compare_counts((80, 200), {"b": (170, 200), "c": (20, 200)}, method="chi-square")

    assert fisher.p == pytest.approx(stats.fisher_exact([[17, 3], [8, 12]]).pvalue)
    assert fisher.verdict == "better"
    assert square["b"].p == pytest.approx(
        stats.chi2_contingency([[170, 30], [80, 120]], correction=False).pvalue
    )
    assert (square["b"].verdict, square["c"].verdict) == ("better", "worse")


def test_groups_where_it_always_or_never_happened_do_not_differ() -> None:
    """A column without a count is no error, and a group without a case is not tested."""
    assert compare_counts((5, 5), {"b": (7, 7)}, method="chi-square")["b"].p == 1.0
    assert compare_counts((0, 5), {"b": (0, 7)}, method="chi-square")["b"].verdict == "not shown"
    assert math.isnan(compare_counts((0, 5), {"b": (0, 0)})["b"].p)


@pytest.mark.parametrize("group", [(6, 5), (-1, 5)])
def test_counts_that_cannot_be_are_refused(group: tuple[int, int]) -> None:
    """It cannot happen more often than there are cases."""
    with pytest.raises(AnalysisError, match="of 'b' cannot be: it happened"):
        compare_counts((1, 2), {"b": group})
