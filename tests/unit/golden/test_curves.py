"""Curves compared by index: what is not finite, what diverged, what left the band, what converged late."""

import math
import random

import pytest

from otel_experiments.errors import GoldenRuleError, NonFiniteGoldenError
from otel_experiments.golden.curves.band import measure_band, window_length
from otel_experiments.golden.curves.compare import Curve, CurveSettings, check_golden_curve, compare_curve
from otel_experiments.golden.curves.pace import compare_pace, reach_target

EXACT, TOLERANCE, BAND = (CurveSettings(mode=mode) for mode in ("exact", "tolerance", "band"))


def curve(values, *, first=0, by=1):
    """A curve over evenly spaced indexes."""
    return Curve([first + by * at for at in range(len(values))], list(values))


def loss(seed, *, length=300, level=1.0, noise=0.1, end=1.0):
    """A noisy loss that falls from 2 to 0.1; `end` is a factor on its second half."""
    draw = random.Random(seed)
    run = math.exp(draw.gauss(0, 0.02))
    return curve(
        [
            (0.1 + 1.9 * math.exp(-at / 40))
            * level
            * run
            * math.exp(draw.gauss(0, noise))
            * (end if at > length / 2 else 1)
            for at in range(length)
        ]
    )


BASE = [2.1, 1.94, 1.7928, 1.65, 1.5]


@pytest.mark.parametrize("settings", [EXACT, TOLERANCE, CurveSettings()], ids=["exact", "tolerance", "auto"])
def test_equal_curves_say_nothing(settings):
    """Equal curves have no finding, and no deviation."""
    report = compare_curve([curve(BASE)], [curve(BASE)], settings=settings)

    assert (report.findings, report.max_deviation, report.growth) == ((), 0.0, None)


def test_rounding_passes_the_tolerance():
    """E7: a loss off by 3e-5 relative passes, and the deviation is told."""
    report = compare_curve([curve(BASE)], [curve([value * (1 + 3e-5) for value in BASE])])

    assert report.findings == ()
    assert report.max_relative == pytest.approx(3e-5)
    assert report.mode == "tolerance"


def test_divergence_is_found_at_its_first_index():
    """N2: a loss 2 % higher from step 20 on is `curve-diverged` at 20, with count and largest deviation."""
    golden = [2.0 * 0.97**at for at in range(30)]
    candidate = [value * (1.02 if at >= 20 else 1.0) for at, value in enumerate(golden)]
    report = compare_curve([curve(golden, first=100)], [curve(candidate, first=100)])

    (finding,) = report.findings
    assert (finding.code, finding.fails, finding.index, finding.count) == ("curve-diverged", True, 120, 10)
    assert finding.golden == golden[20]
    assert finding.candidate == candidate[20]
    assert finding.evidence["max_relative"] == pytest.approx(0.02)


def test_growth_of_a_deviation_is_measured():
    """A deviation that grows tenfold in 50 steps grows by two powers of ten per 100."""
    golden = [1.0] * 120
    candidate = [1.0 + 1e-6 * 10 ** (at / 50) for at in range(120)]

    assert compare_curve([curve(golden)], [curve(candidate)]).growth == pytest.approx(2.0, rel=1e-3)


def test_exact_sees_the_last_bit_and_the_sign_of_zero():
    """One bit, or -0.0 for 0.0, is a divergence in mode exact and none within the tolerance."""
    golden = [1.0, 0.0, 2.0]
    bit, zero = [1.0, 0.0, math.nextafter(2.0, 3.0)], [1.0, -0.0, 2.0]

    assert compare_curve([curve(golden)], [curve(bit)], settings=EXACT).findings[0].index == 2
    assert compare_curve([curve(golden)], [curve(zero)], settings=EXACT).findings[0].index == 1
    assert not compare_curve([curve(golden)], [curve(bit)], settings=TOLERANCE).findings
    assert not compare_curve([curve(golden)], [curve(zero)], settings=TOLERANCE).findings


@pytest.mark.parametrize("settings", [EXACT, TOLERANCE, BAND], ids=["exact", "tolerance", "band"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def test_nonfinite_is_found_first_and_once(settings, bad):
    """N1: NaN or infinity from step 17 on is one finding at 17 with the last finite value, in every mode."""
    golden = (
        [loss(seed, length=60, noise=0.0) for seed in range(5)] if settings is BAND else [loss(0, length=60)]
    )
    values = list(golden[0].values)
    values[17:] = [bad] * (len(values) - 17)
    (finding,) = compare_curve(golden, [curve(values)], settings=settings).findings

    assert (finding.code, finding.fails, finding.index, finding.count) == ("nonfinite", True, 17, 43)
    assert finding.golden == golden[0].values[17]
    assert finding.evidence["last_finite"] == values[16]
    assert f"last finite {values[16]!r}" in finding.text


def test_nonfinite_from_the_start_has_no_last_finite_value():
    """A curve that begins with NaN is found at its first index, without a value before."""
    (finding,) = compare_curve([curve(BASE)], [curve([math.nan, *BASE[1:]])]).findings

    assert (finding.code, finding.index, dict(finding.evidence)) == ("nonfinite", 0, {})


def test_nan_that_the_golden_allows_is_equal_in_its_place():
    """NaN in both is equal, a number where the golden has NaN diverges, another NaN is nonfinite."""
    golden = [1.0, math.nan, 3.0, math.inf]

    assert not compare_curve([curve(golden)], [curve(golden)]).findings
    healed = compare_curve([curve(golden)], [curve([1.0, 2.0, 3.0, math.inf])]).findings
    assert [(found.code, found.index) for found in healed] == [("curve-diverged", 1)]
    other = compare_curve([curve(golden)], [curve([math.nan, math.nan, 3.0, math.inf])]).findings
    assert [(found.code, found.index) for found in other] == [("nonfinite", 0)]
    turned = compare_curve([curve(golden)], [curve([1.0, math.nan, 3.0, -math.inf])]).findings
    assert [(found.code, found.index) for found in turned] == [("nonfinite", 3), ("curve-diverged", 3)]


def test_a_golden_may_not_hold_nan_unless_allowed():
    """Capture refuses NaN with metric, index and last finite value, and takes it where that is allowed."""
    bad = curve([1.0, 0.5, math.nan], first=10)

    with pytest.raises(
        NonFiniteGoldenError, match=r"'loss' is nan at index 12 \(last finite value 0.5\)"
    ) as caught:
        check_golden_curve("loss", bad)
    assert caught.value.exit_code == 4
    check_golden_curve("loss", bad, allow_nonfinite=True)
    check_golden_curve("loss", curve(BASE))


def test_every_second_step_is_a_length_and_values_are_compared():
    """X15: a metric logged every second step is `curve-length`; common steps still are compared."""
    golden = curve([2.0 - 0.1 * at for at in range(10)])
    half = Curve([0, 2, 4, 6, 8], [golden.values[at] for at in (0, 2, 4, 6, 8)])
    wrong = Curve(half.indexes, [*half.values[:4], 9.0])

    (length,) = compare_curve([golden], [half]).findings
    assert (length.code, length.fails, length.index, length.count) == ("curve-length", True, 1, 5)
    assert length.text == "10 -> 5 values; 5 missing, first 1; 5 in common"
    assert [(found.code, found.index) for found in compare_curve([golden], [wrong]).findings] == [
        ("curve-length", 1),
        ("curve-diverged", 8),
    ]


def test_alignment_is_by_index_and_not_by_position():
    """A value recorded in another order, or with one step more in front, is compared with its own step."""
    golden = Curve([1, 2, 3], [1.0, 2.0, 3.0])

    assert not compare_curve([golden], [Curve([3, 1, 2], [3.0, 1.0, 2.0])]).findings
    (finding,) = compare_curve([golden], [Curve([0, 1, 2, 3], [9.0, 1.0, 2.0, 3.0])]).findings
    assert (finding.code, finding.index, finding.text) == (
        "curve-length",
        0,
        "3 -> 4 values; 1 new, first 0; 3 in common",
    )


def test_a_step_logged_twice_is_compared_twice():
    """The second value at a step is compared with the golden's second value there."""
    golden = Curve([1, 1, 2], [1.0, 5.0, 2.0])

    assert not compare_curve([golden], [Curve([1, 1, 2], [1.0, 5.0, 2.0])]).findings
    swapped = compare_curve([golden], [Curve([1, 1, 2], [5.0, 1.0, 2.0])]).findings
    assert [(found.code, found.index, found.count) for found in swapped] == [("curve-diverged", 1, 2)]


def test_no_common_step_is_a_length_and_no_crash():
    """Curves without a common index differ in length; nothing is compared, in every mode."""
    goldens = [curve(BASE)] * 3

    for settings in (EXACT, TOLERANCE, BAND):
        report = compare_curve(goldens, [curve(BASE, first=100)], settings=settings)
        assert [found.code for found in report.findings] == ["curve-length"]
        assert report.max_deviation == 0.0
    empty = compare_curve(goldens, [Curve([], [])])
    assert [(found.code, found.candidate) for found in empty.findings] == [("curve-length", 0.0)]


def test_the_nearest_golden_counts():
    """Of several goldens that differ, being within the tolerance of one is enough in mode tolerance."""
    goldens = [curve(BASE), curve([value * 1.1 for value in BASE])]

    report = compare_curve(goldens, [curve([value * 1.1 for value in BASE])])
    assert (report.findings, report.max_deviation) == ((), 0.0)
    assert compare_curve(goldens, [curve([value * 1.05 for value in BASE])]).has_failed


def test_auto_takes_the_band_for_goldens_that_vary():
    """Three goldens of several seeds are a band, three equal ones (or two) a tolerance."""
    seeds = [loss(seed) for seed in range(3)]

    assert compare_curve(seeds, [loss(9)]).mode == "band"
    assert compare_curve(seeds[:2], [loss(9)]).mode == "tolerance"
    assert compare_curve([seeds[0]] * 3, [seeds[0]]).mode == "tolerance"


def test_other_seeds_stay_inside_the_band():
    """N4: with 8 goldens of several seeds, seeds of the same code pass: at most 3 of 120, over 12 golden sets."""
    failed = 0
    for trial in range(12):
        goldens = [loss(1000 * trial + seed) for seed in range(8)]
        candidates = [loss(1000 * trial + 100 + seed) for seed in range(10)]
        failed += sum(compare_curve(goldens, [run], settings=BAND).has_failed for run in candidates)

    assert failed <= 3


def test_a_worse_end_leaves_the_band():
    """N5: a loss 20 % worse in its second half leaves the band of 8 goldens there and not before."""
    report = compare_curve([loss(seed) for seed in range(8)], [loss(98, end=1.2)], settings=BAND)

    (finding,) = report.findings
    assert (finding.code, finding.fails) == ("curve-band", True)
    assert finding.index >= 140
    assert finding.candidate > finding.golden
    assert finding.evidence["t"] > finding.evidence["threshold"]
    assert "band" in finding.text


def test_a_rougher_curve_of_the_same_level_leaves_the_band():
    """A curve that jumps twice as much around the same level (a smaller batch) is found by its roughness."""
    report = compare_curve([loss(seed) for seed in range(5)], [loss(99, noise=0.2)], settings=BAND)

    (finding,) = report.findings
    assert finding.code == "curve-band"
    assert "roughness" in finding.text


def test_no_golden_rejects_itself():
    """The threshold is at least what each golden reaches against the others: an odd golden widens the band."""
    usual = [loss(seed, length=20, noise=0.02).values for seed in range(5)]
    odd = loss(9, length=20, noise=0.02, level=1.5).values
    near_odd = loss(10, length=20, noise=0.02, level=1.4).values

    alone = measure_band(usual, [odd])
    widened = measure_band([*usual, odd], [near_odd])

    assert alone.is_outside
    assert widened.threshold == pytest.approx(alone.t)
    assert not widened.is_outside


def test_goldens_that_agree_allow_for_rounding():
    """A band of equal goldens is as wide as the tolerance: rounding passes, 1 % does not."""
    golden = loss(1)
    rounded = Curve(golden.indexes, [value * (1 + 2e-6) for value in golden.values])
    worse = Curve(golden.indexes, [value * 1.01 for value in golden.values])

    assert not compare_curve([golden] * 5, [rounded], settings=BAND).findings
    assert compare_curve([golden] * 5, [worse], settings=BAND).has_failed


def test_a_short_curve_has_a_band():
    """Three values an epoch are enough for a band: the seeds pass, half the accuracy does not."""
    goldens = [curve([0.5 + 0.01 * seed, 0.6 - 0.005 * seed, 0.7 + 0.004 * seed]) for seed in range(5)]

    assert not compare_curve(goldens, [curve([0.52, 0.59, 0.708])], settings=BAND).findings
    assert compare_curve(goldens, [curve([0.52, 0.59, 0.35])], settings=BAND).has_failed


def test_a_band_needs_three_goldens():
    """Two goldens make no band; the error says how to get more."""
    with pytest.raises(GoldenRuleError, match="at least 3 golden runs, the golden has 2"):
        compare_curve([loss(1), loss(2)], [loss(3)], settings=BAND)


def test_windows_are_twenty_long_and_fewer_on_short_curves():
    """A window is 20 values, a tenth of a short curve, a twentieth of a long one."""
    assert [window_length(count) for count in (1, 30, 100, 300, 1000, 10_000)] == [1, 3, 10, 20, 50, 500]


def test_convergence_later_fails_and_earlier_warns():
    """A target reached half again as late fails, much earlier is a warning, as usual says nothing."""

    def falling(pace):
        return curve([2.0 * math.exp(-at * pace) for at in range(400)])

    settings = CurveSettings(mode="convergence", target=0.5)
    goldens = [falling(0.010 * (1 + 0.01 * seed)) for seed in range(-2, 3)]

    assert not compare_curve(goldens, [falling(0.0101)], settings=settings).findings
    (later,) = compare_curve(goldens, [falling(0.006)], settings=settings).findings
    (earlier,) = compare_curve(goldens, [falling(0.03)], settings=settings).findings
    assert (later.code, later.fails) == ("converged-later", True)
    assert later.candidate > later.golden
    assert (earlier.code, earlier.fails) == ("converged-earlier", False)
    assert earlier.candidate < earlier.golden


@pytest.mark.parametrize(
    ("index", "outcome"), [(453, "earlier"), (456, "equal"), (499, "equal"), (548, "equal"), (552, "later")]
)
def test_a_target_reached_within_a_tenth_is_reached_as_before(index, outcome):
    """Ten runs against ten tell 9 % of 500 steps from chance, and it is said of 10 % and more only."""

    def reaching(at):
        return curve([1.0] * (at + 1 - window_length(1000)) + [0.0] * (1000 - at - 1 + window_length(1000)))

    pace = compare_pace([reaching(499)] * 10, [reaching(index)] * 10, target=0.0, direction="min")

    assert (pace.golden, pace.candidate, pace.outcome) == (pytest.approx(499), pytest.approx(index), outcome)
    assert pace.p < 0.001 or index == 499


def test_a_target_that_is_never_reached_is_later():
    """A candidate that never reaches the target converged later, and never."""
    settings = CurveSettings(mode="convergence", target=0.9, direction="max")
    rising = curve([at / 100 for at in range(100)])

    (finding,) = compare_curve([rising] * 3, [curve([0.5] * 100)], settings=settings).findings
    assert (finding.code, finding.fails, finding.candidate) == ("converged-later", True, None)
    assert finding.text.endswith("-> never")


def test_convergence_needs_a_target_that_the_goldens_reach():
    """Without a target, or with one that a golden missed, the rule cannot be used."""
    with pytest.raises(GoldenRuleError, match="no target was declared"):
        compare_curve([curve(BASE)], [curve(BASE)], settings=CurveSettings(mode="convergence"))
    with pytest.raises(GoldenRuleError, match="1 of 2 golden runs never reached it"):
        compare_curve(
            [curve(BASE), curve([1.0, 0.1])],
            [curve(BASE)],
            settings=CurveSettings(mode="convergence", target=0.2),
        )


def test_one_lucky_value_does_not_reach_a_target():
    """The mean of a window has to reach the target: neither one outlier nor a NaN does."""
    values = [1.0] * 100
    values[50] = -5.0
    values[70] = math.nan
    values[90:] = [0.1] * 10  # nine of ten at 0.1 and one at 1.0 have the mean 0.19

    assert reach_target(curve(values), target=0.2, direction="min") == 98
    assert reach_target(curve([1.0] * 100), target=0.2, direction="min") is None


def test_mode_shape_never_fails():
    """Mode shape asks for a curve and not for its values: 10 % more is no finding, and its size is known."""
    golden = curve([math.sin(at / 10) + 2 for at in range(200)])
    higher = Curve(golden.indexes, [value * 1.1 for value in golden.values])

    report = compare_curve([golden], [higher], settings=CurveSettings(mode="shape"))

    assert report.findings == ()
    assert report.max_relative == pytest.approx(0.1, rel=0.1)


def test_a_side_without_curves_is_refused():
    """No golden curve is an error, and so is a curve with more values than indexes."""
    with pytest.raises(ValueError, match="0 golden and 1 candidate"):
        compare_curve([], [curve(BASE)])
    with pytest.raises(ValueError, match="an index for each value"):
        Curve([1, 2], [1.0])
