"""Student's t, tests of means, Holm and percentiles against SciPy and against worked values."""

import math
import random

import pytest

from otel_experiments.analysis.statistics import (
    holm_adjust,
    median,
    percentile,
    predictive_power,
    predictive_t_test,
    sample_std,
    squares_about_mean,
    student_t_survival,
    student_t_upper_quantile,
    welch_t_test,
)

DEGREES = (0.5, 1, 2, 2.37, 4, 8, 13, 30, 100, 1000, 1e5)


@pytest.mark.parametrize("degrees", DEGREES)
def test_survival_of_student_t_agrees_with_scipy(degrees):
    """The tail agrees with SciPy to 11 digits, from the middle to where 1 - cdf would be 0."""
    stats = pytest.importorskip("scipy.stats")

    for t in (-30, -4, -1, 0, 0.001, 0.1, 0.5, 1, 2, 3, 5, 8, 20, 50):
        assert student_t_survival(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("degrees", DEGREES)
def test_quantile_of_student_t_agrees_with_scipy(degrees):
    """The quantile agrees with SciPy in both tails."""
    stats = pytest.importorskip("scipy.stats")

    for p in (1e-10, 1e-6, 0.0005, 0.001, 0.01, 0.3, 0.7, 0.99, 0.999):
        assert student_t_upper_quantile(p, degrees) == pytest.approx(stats.t.isf(p, degrees), rel=1e-9)


def test_quantiles_of_printed_tables():
    """The values that every table of Student's t prints come out, without SciPy."""
    assert student_t_upper_quantile(0.025, 10) == pytest.approx(2.228138852, abs=1e-9)
    assert student_t_upper_quantile(0.05, 1) == pytest.approx(6.313751515, abs=1e-9)
    assert student_t_upper_quantile(0.001, 4) == pytest.approx(7.173182219, abs=1e-8)
    assert student_t_survival(1.0, 1) == pytest.approx(0.25, abs=1e-15)


def test_ends_of_the_distribution():
    """Infinite t and probabilities 0, 0.5 and 1 have their exact answers, NaN stays NaN."""
    assert student_t_survival(math.inf, 3) == 0.0
    assert student_t_survival(-math.inf, 3) == 1.0
    assert student_t_survival(1e200, 3) == 0.0
    assert math.isnan(student_t_survival(math.nan, 3))
    assert student_t_upper_quantile(1.0, 3) == -math.inf
    assert student_t_upper_quantile(0.0, 3) == math.inf
    assert student_t_upper_quantile(0.5, 3) == 0.0


@pytest.mark.parametrize(("t", "degrees"), [(1.0, 0.0), (1.0, -2.0)])
def test_degrees_of_freedom_are_positive(t, degrees):
    """Degrees of freedom of 0 or less are refused."""
    with pytest.raises(ValueError, match="must be positive"):
        student_t_survival(t, degrees)


def test_welch_agrees_with_scipy():
    """Welch's t-test gives SciPy's p, statistic and degrees of freedom for unequal sides."""
    stats = pytest.importorskip("scipy.stats")
    draw = random.Random(3)

    for _ in range(50):
        ours = [draw.gauss(10, 1) for _ in range(draw.randrange(2, 12))]
        theirs = [draw.gauss(11, 3) for _ in range(draw.randrange(2, 12))]
        expected = stats.ttest_ind(theirs, ours, equal_var=False)
        found = welch_t_test(ours, theirs)
        assert found is not None
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.t == pytest.approx(expected.statistic, rel=1e-9)
        assert found.degrees_of_freedom == pytest.approx(expected.df, rel=1e-9)
        one_sided = stats.ttest_ind(theirs, ours, equal_var=False, alternative="greater").pvalue
        greater = welch_t_test(ours, theirs, tail="greater")
        assert greater is not None
        assert greater.p == pytest.approx(one_sided, rel=1e-9)


def test_welch_of_constant_sides_decides_without_spread():
    """Two constants are equal or different without doubt, and one value a side is no test."""
    same, other = welch_t_test([5, 5], [5, 5]), welch_t_test([5, 5], [6, 6])

    assert same is not None
    assert same.p == 1.0
    assert other is not None
    assert other.p == 0.0
    assert welch_t_test([5], [6, 7]) is None


def test_predictive_test_without_prior_is_the_pooled_test_of_one_new_value():
    """With no prior the test of one candidate is the textbook prediction test."""
    golden = [10.0, 11.0, 9.0, 10.5]
    found = predictive_t_test(golden, [14.0], prior_std=0.0, prior_weight=0.0)

    expected_t = (14.0 - 10.125) / (sample_std(golden) * math.sqrt(1 + 1 / 4))
    assert found.t == pytest.approx(expected_t)
    assert found.degrees_of_freedom == 3
    assert found.p == pytest.approx(student_t_survival(expected_t, 3))


def test_predictive_test_of_one_run_rests_on_the_prior():
    """With one golden run the standard deviation is the prior's and the degrees of freedom its weight."""
    found = predictive_t_test([0.0], [0.3], prior_std=0.03, prior_weight=4)

    assert found.std == pytest.approx(0.03)
    assert found.degrees_of_freedom == 4
    assert found.t == pytest.approx(0.3 / (0.03 * math.sqrt(2)))


def test_predictive_test_mixes_prior_and_spread():
    """s^2 = (nu0 s0^2 + SS) / (nu0 + N - 1), as the design gives it."""
    golden = [1.0, 1.2, 0.8]
    found = predictive_t_test(golden, [1.0, 1.1], prior_std=0.1, prior_weight=4)

    assert found.std == pytest.approx(math.sqrt((4 * 0.01 + 0.08) / 6))
    assert found.t == pytest.approx(0.05 / (found.std * math.sqrt(1 / 2 + 1 / 3)))


def test_predictive_test_needs_runs_and_a_scale():
    """An empty side, or one golden run without prior, cannot be tested and says so."""
    with pytest.raises(ValueError, match="a run on each side"):
        predictive_t_test([], [1.0], prior_std=0.1, prior_weight=4)
    with pytest.raises(ValueError, match="prior_weight"):
        predictive_t_test([1.0], [1.0], prior_std=0.1, prior_weight=0)


def test_false_alarms_of_the_predictive_test_hold_their_level():
    """When runs vary as the prior says, a test at 5 % rejects 5 % of unchanged runs."""
    draw = random.Random(11)
    rejected = 0
    for _ in range(4000):
        # The model behind the test: a variance around the prior's, then runs with that variance.
        std = 0.03 * math.sqrt(4 / sum(draw.gauss(0, 1) ** 2 for _ in range(4)))
        golden = [draw.gauss(0, std) for _ in range(5)]
        rejected += predictive_t_test(golden, [draw.gauss(0, std)], prior_std=0.03, prior_weight=4).p < 0.05

    assert rejected / 4000 == pytest.approx(0.05, abs=0.012)


def test_power_is_what_simulation_finds():
    """The chance to see a shift is what drawing candidates from the predictive distribution gives."""
    draw = random.Random(5)
    power = predictive_power(
        0.2, std=0.05, degrees_of_freedom=8, golden_runs=5, candidate_runs=1, alpha=0.001
    )
    critical = student_t_upper_quantile(0.001, 8)
    seen = 0
    for _ in range(20_000):
        t = draw.gauss(0, 1) / math.sqrt(sum(draw.gauss(0, 1) ** 2 for _ in range(8)) / 8)
        seen += 0.2 / (0.05 * math.sqrt(1.2)) + t > critical

    assert power == pytest.approx(seen / 20_000, abs=0.015)


def test_holm_of_a_worked_example():
    """Adjusted values are 4p, 3p, 2p, p in order of size, never falling, in the order given."""
    assert holm_adjust([0.04, 0.01, 0.03, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm_adjust([0.9, 0.8]) == [1.0, 1.0]
    assert holm_adjust([]) == []


def test_percentiles_of_type_seven():
    """R47: of 1 to 100, P50 is 50.5, P95 95.05 and P99 99.01; ends are exact, nothing has NaN."""
    values = list(range(100, 0, -1))

    assert [percentile(values, ratio) for ratio in (0.5, 0.95, 0.99)] == pytest.approx([50.5, 95.05, 99.01])
    assert (percentile(values, 0), percentile(values, 1)) == (1, 100)
    assert median([3.0, 1.0]) == 2.0
    assert math.isnan(percentile([], 0.5))
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile(values, 95)


def test_standard_deviations_state_their_divisor():
    """The sample variance of 2, 4, 6, 8 is 20/3; constants have 0."""
    assert sample_std([2, 4, 6, 8]) ** 2 == pytest.approx(20 / 3)
    assert sample_std([3, 3, 3]) == 0.0
    assert math.isnan(sample_std([3.0]))
    assert squares_about_mean([3.0]) == 0.0
