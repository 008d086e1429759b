"""Values that jump out of a series, and levels that move away."""

import math
import random

import pytest

from otel_experiments.analysis.shifts import DriftDetector, SpikeDetector
from otel_experiments.errors import AnalysisError


def test_a_single_outlier_is_found_however_few_values_there_are() -> None:
    """Ten equal values and one far away: held against itself it could never be 3.4 standard deviations away."""
    detector = SpikeDetector(threshold=4.0)
    for _ in range(10):
        assert detector.add(1.0) is None

    spike = detector.add(100.0)
    assert spike is not None
    assert (spike.value, spike.expected, spike.severity) == (100.0, 1.0, "high")


def test_severity_follows_the_distance() -> None:
    """From three standard deviations on a spike is low, from four medium, from five high; a drop is below 0."""
    found = []
    for distance in (2.9, 3.1, 4.1, 5.1, -3.1):
        detector = SpikeDetector(threshold=3.0, least=10, window=10)
        for index in range(10):
            detector.add(1.0 if index % 2 else -1.0)
        std = math.sqrt(10 / 9)
        found.append(detector.add(distance * std))

    assert found[0] is None
    assert [spike.severity for spike in found[1:] if spike] == ["low", "medium", "high", "low"]
    assert found[4] is not None
    assert found[4].deviation == pytest.approx(-3.1)


def test_one_spike_does_not_hide_the_next() -> None:
    """After a spike a second one of the same size is found as well."""
    detector = SpikeDetector()
    chooser = random.Random(1)
    for _ in range(100):
        detector.add(chooser.gauss(0, 1))

    assert detector.add(50.0) is not None
    assert detector.add(0.0) is None
    assert detector.add(50.0) is not None


def test_a_new_level_becomes_the_usual_one() -> None:
    """A step to another level is a spike at first, and after a while it is none."""
    detector = SpikeDetector(window=20)
    for _ in range(20):
        detector.add(1.0)
    found = [detector.add(2.0) is not None for _ in range(200)]

    assert found[0]
    assert not any(found[100:])


def test_noise_of_a_constant_series_is_no_spike() -> None:
    """A thousandth of the level is no jump; a tenth is."""
    detector = SpikeDetector()
    for _ in range(50):
        detector.add(100.0)

    assert detector.add(100.1) is None
    assert detector.add(110.0) is not None


def test_what_is_not_finite_is_left_out() -> None:
    """NaN and infinity are anomalies of their own, and change no baseline."""
    detector = SpikeDetector(least=3, window=5)
    for value in (1.0, math.nan, 2.0, math.inf, 1.5):
        assert detector.add(value) is None

    assert detector.add(1.6) is None
    assert detector.add(60.0) is not None


def test_values_as_large_as_numbers_can_be_are_no_error() -> None:
    """A series that diverges to the end of what a number holds goes on being judged."""
    detector, drifts = SpikeDetector(least=3, window=5), DriftDetector(baseline=3)
    found = [detector.add(value) for value in (1.0, 2.0, 1.5, 1e308, -1e308, 1e308, 1.0)]
    for value in (1e308, -1e308, 1e308, -1e308, 1e308):
        drifts.add(value)

    assert found[3] is not None


def test_normal_noise_is_seldom_a_spike() -> None:
    """Of 20,000 normal values about 1 of 10,000 lies beyond four standard deviations of a hundred."""
    detector, chooser = SpikeDetector(), random.Random(7)

    assert sum(detector.add(chooser.gauss(5, 2)) is not None for _ in range(20_000)) < 10


@pytest.mark.parametrize("given", [{"threshold": 0.0}, {"least": 1}, {"window": 5}, {"threshold": math.nan}])
def test_a_spike_needs_something_to_be_held_against(given: dict[str, float]) -> None:
    """A threshold of 0, one value, or a window that is never full are refused."""
    with pytest.raises(AnalysisError, match="A spike needs"):
        SpikeDetector(**given)


def test_a_level_that_creeps_away_is_a_drift() -> None:
    """Values that move by less than two standard deviations are no spikes, and together a drift upwards."""
    drifts, spikes, chooser = DriftDetector(), SpikeDetector(), random.Random(3)
    for _ in range(200):
        value = chooser.gauss(10, 1)
        assert drifts.add(value) is None
        spikes.add(value)

    found = next(drift for drift in (drifts.add(chooser.gauss(11.5, 1)) for _ in range(100)) if drift)
    assert found.direction == 1
    assert found.expected == pytest.approx(10, abs=0.5)
    assert found.since < 30


def test_a_drift_down_has_its_direction_and_a_new_baseline_follows() -> None:
    """After a drift the new level is the usual one, and is not found again."""
    detector = DriftDetector(baseline=10)
    for index in range(20):
        detector.add(10.0 + index % 2)
    found = [drift for drift in (detector.add(5.0 + index % 2) for index in range(200)) if drift]

    assert [drift.direction for drift in found] == [-1]


def test_a_steady_series_does_not_drift() -> None:
    """5,000 normal values of one level are no drift."""
    detector, chooser = DriftDetector(baseline=500), random.Random(11)

    assert not any(detector.add(chooser.gauss(0, 1)) for _ in range(5_000))


@pytest.mark.parametrize("given", [{"baseline": 1}, {"slack": -1.0}, {"limit": 0.0}])
def test_a_drift_needs_a_level(given: dict[str, float]) -> None:
    """A baseline of one value, and limits that everything passes, are refused."""
    with pytest.raises(AnalysisError, match="A drift needs"):
        DriftDetector(**given)
