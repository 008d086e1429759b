"""Change points in a series of runs."""

import math
import random

import pytest

from otel_experiments.golden.checks.drift import find_drift
from otel_experiments.golden.checks.history import find_change_points
from otel_experiments.golden.timing.model import StageSample, TimingRun


def test_a_step_is_found_at_its_run():
    """Twelve runs at 10, then twelve at 12: one change, at run 12, with its factor."""
    draw = random.Random(2)
    series = [draw.gauss(10, 0.1) for _ in range(12)] + [draw.gauss(12, 0.1) for _ in range(12)]

    (found,) = find_change_points(series)

    assert found.index == 12
    assert found.ratio == pytest.approx(1.2, abs=0.02)
    assert found.p < 0.001


def test_a_slow_drift_is_found():
    """A rise of 1 % a run over 40 runs is found though no two neighbours differ by a test."""
    draw = random.Random(3)
    series = [100 + index + draw.gauss(0, 2) for index in range(40)]

    found = find_change_points(series)

    assert found
    assert all(point.ratio > 1 for point in found)


def test_two_changes_of_a_long_series_are_found():
    """Changes far apart in a series longer than the window are both found, none at a window's border."""
    draw = random.Random(4)
    series = [draw.gauss(100 if index < 70 else 115 if index < 140 else 95, 2) for index in range(200)]

    assert [point.index for point in find_change_points(series)] == [70, 140]


def test_nine_runs_have_no_history():
    """Fewer than ten runs give no change point, whatever they are."""
    assert find_change_points([1.0] * 5 + [9.0] * 4) == ()
    assert len(find_change_points([1.0] * 5 + [9.0] * 5)) == 1


def test_values_that_are_not_finite_are_passed_over():
    """A run without a value does not end the search, and indexes are those of the series as given."""
    series = [1.0, math.nan] + [1.0] * 5 + [2.0] * 6

    (found,) = find_change_points(series)

    assert found.index == 7


def test_constant_series_has_no_change():
    """A constant series has no change point."""
    assert find_change_points([3.0] * 30) == ()


def test_small_changes_can_be_left_out():
    """A change by 3 % is left out where 5 % is asked for."""
    series = [100.0 + index % 2 * 0.1 for index in range(12)] + [
        103.0 + index % 2 * 0.1 for index in range(12)
    ]

    assert len(find_change_points(series)) == 1
    assert find_change_points(series, least_ratio=1.05) == ()


def test_unchanged_series_seldom_alarm():
    """Of 200 series of equal runs, at most 4 in 100 show a change of 5 %."""
    draw = random.Random(6)
    alarms = sum(
        bool(find_change_points([draw.gauss(100, 4) for _ in range(30)], least_ratio=1.05))
        for _ in range(200)
    )

    assert alarms <= 8


def measured(runs, *, seed, drift=None, noise=0.03, stages=20):
    """Return the times of runs; `drift` maps the number of a run to the factor of its first stage."""
    draw = random.Random(seed)
    return [
        TimingRun(
            {
                f"run/stage{at}": StageSample(
                    10,
                    wall_ns=20e6 * draw.uniform(1, 3),
                    cpu_ns=20e6 * math.exp(draw.gauss(0, noise)) * (drift(run) if drift and not at else 1.0),
                )
                for at in range(stages)
            },
            root_ns=stages * 200e6,
        )
        for run in range(runs)
    ]


@pytest.mark.parametrize(
    "drift",
    [lambda run: 1.0 if run < 6 else 1.3, lambda run: 1.0 + 0.04 * run],
    ids=["step", "slow"],
)
def test_a_golden_of_ten_runs_tells_drift(drift):
    """A stage that crept up over the golden's runs is named with its factor, though no comparison fails for it."""
    (found,) = find_drift(measured(12, seed=1, drift=drift), measured(1, seed=2, drift=lambda _: drift(12)))

    assert (found.code, found.path, found.severity) == ("golden-stale", "run/stage0", "advisory")
    assert 1.15 < found.evidence["ratio"] < 1.4
    assert f"from golden run {int(found.evidence['run'])} of 12 on" in found.detail


def test_a_golden_of_nine_runs_has_no_drift():
    """Nine runs are no history, whatever they did."""
    assert find_drift(measured(9, seed=1, drift=lambda run: 1.0 + run // 5), measured(1, seed=2)) == []


def test_runs_of_equal_speed_seldom_drift():
    """Equal runs of 20 stages are said to drift in less than one history of a hundred, neighbours or not."""
    alarms = [seed for seed in range(200) if find_drift(measured(12, seed=seed, noise=0.05), ())]

    assert len(alarms) < 2
