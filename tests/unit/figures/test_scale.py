"""Axes: where a value is, and which values are labelled."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.figures.scale import Scale, scale_of
from otel_experiments.figures.spec import Axis

finite = st.floats(allow_nan=False, allow_infinity=False)


def labels(scale, wanted=5):
    """Return the labels of a scale's ticks."""
    return [tick.label for tick in scale.ticks(wanted).ticks]


@pytest.mark.parametrize(
    ("scale", "told"),
    [
        (Scale(0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Scale(-3, 7), ["-2", "0", "2", "4", "6"]),
        (Scale(0.1, 0.3), ["0.10", "0.15", "0.20", "0.25", "0.30"]),
        (Scale(0, 2.5e7), ["0", "5e6", "1.0e7", "1.5e7", "2.0e7", "2.5e7"]),
        (Scale(0, 3e-7), ["0", "5e-8", "1.0e-7", "1.5e-7", "2.0e-7", "2.5e-7", "3.0e-7"]),
        (Scale(5, 5), ["5"]),
        (Scale(0, 2, axis="step"), ["0", "1", "2"]),
        (Scale(0, 999, axis="step"), ["0", "200", "400", "600", "800"]),
        (Scale(1, 1000, "log"), ["1", "10", "100", "1000"]),
        (Scale(1e-12, 1e12, "log"), ["1e-10", "1e-5", "1", "100000", "1e10"]),
        (Scale(2, 30, "log"), ["2", "5", "10", "20"]),
        (Scale(2.01, 2.04, "log"), ["2.01", "2.015", "2.02", "2.025", "2.03", "2.035", "2.04"]),
        (Scale(-1000, 1000, "symlog"), ["-1000", "-100", "-10", "-1", "0", "1", "10", "100", "1000"]),
        (Scale(0, 90, axis="relative"), ["0", "30s", "1m", "1m30s"]),
        (Scale(0, 7200, axis="relative"), ["0", "30m", "1h", "1h30m", "2h"]),
        (Scale(0, 0.5, axis="relative"), ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"]),
    ],
    ids=str,
)  # fmt: skip
def test_ticks_are_round_values_inside_the_range(scale, told):
    """Labels are what a person would choose: multiples of 1, 2 and 5, powers, whole steps, minutes and hours."""
    found = labels(scale, 8 if scale.kind == "symlog" else 5)

    assert found == told


def test_labels_of_a_narrow_range_far_from_zero_count_from_an_offset():
    """Between 1,000,000,000 and 0.0006 more no label repeats its neighbour's digits."""
    ticks = Scale(1e9, 1e9 + 0.0006).ticks(3)

    assert ticks.offset == "from 1000000000"
    assert [tick.label for tick in ticks.ticks] == ["+0", "+0.0002", "+0.0004", "+0.0006"]


def test_times_of_day_are_in_utc():
    """A range of hours has hours as labels, and the day beside them; of days it has dates."""
    start_s = datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp()

    hours = Scale(start_s, start_s + 4 * 3600, axis="wall").ticks(4)
    assert [tick.label for tick in hours.ticks] == ["10:00", "11:00", "12:00", "13:00"]
    assert hours.offset == "2026-03-01 UTC"
    assert labels(Scale(start_s, start_s + 4 * 86400, axis="wall"), 4)[0] == "2026-03-02"


def test_a_logarithmic_axis_is_taken_only_where_all_values_are_positive_and_far_apart():
    """`auto` keeps a linear axis for a range of a thousand or less, and for a zero."""
    auto = Axis(scale="auto")

    assert scale_of([1e-5, 1.0], auto).kind == "log"
    assert scale_of([0.0, 1e-5, 1.0], auto).kind == "linear"
    assert scale_of([0.5, 1.0], auto).kind == "linear"


def test_without_a_value_there_is_no_scale():
    """NaN alone has no range, and neither have negative numbers on a logarithmic axis."""
    assert scale_of([math.nan, math.inf], Axis()) is None
    assert scale_of([-1.0, 0.0], Axis(scale="log")) is None
    assert scale_of([], Axis(low=0, high=1)) == Scale(0, 1)


@given(
    st.lists(finite, min_size=1, max_size=5),
    st.sampled_from(["auto", "linear", "log", "symlog"]),
    st.sampled_from(["value", "step", "relative", "wall"]),
    st.integers(1, 10),
)
def test_any_range_has_ticks_inside_it(values, kind, axis, wanted):
    """Of the largest and the smallest floats, too: ticks ascend, are inside the range, and each place is between 0 and 1."""
    scale = scale_of(values, Axis(axis, scale=kind), room=0.04)
    if scale is None:
        assert kind == "log"
        return
    ticks = [tick.value for tick in scale.ticks(wanted).ticks]

    assert 1 <= len(ticks) <= 51
    assert ticks == sorted(ticks)
    assert scale.low <= ticks[0]
    assert ticks[-1] <= scale.high
    for value in [*values, *ticks]:
        if scale.fits(value):
            assert -1e-9 <= scale.share(value) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("high_s", "told"),
    [
        (4, ["0", "1s", "2s", "3s", "4s"]), (8, ["0", "2s", "4s", "6s", "8s"]), (20, ["0", "5s", "10s", "15s", "20s"]),
        (40, ["0", "10s", "20s", "30s", "40s"]), (60, ["0", "15s", "30s", "45s", "1m"]),
        (480, ["0", "2m", "4m", "6m", "8m"]), (1200, ["0", "5m", "10m", "15m", "20m"]),
        (2400, ["0", "10m", "20m", "30m", "40m"]), (3600, ["0", "15m", "30m", "45m", "1h"]),
        (14400, ["0", "1h", "2h", "3h", "4h"]), (28800, ["0", "2h", "4h", "6h", "8h"]),
        (43200, ["0", "3h", "6h", "9h", "12h"]), (86400, ["0", "6h", "12h", "18h", "1d"]),
        (172800, ["0", "12h", "1d", "1d12h", "2d"]), (345600, ["0", "1d", "2d", "3d", "4d"]),
        (20 * 86400, ["0", "5d", "10d", "15d", "20d"]), (2e10, ["0 s", "5e9 s", "1.0e10 s", "1.5e10 s", "2.0e10 s"]),
    ],
)  # fmt: skip
def test_times_since_the_start_are_round_for_a_clock(high_s, told):
    """Seconds, minutes, hours and days are divided as a clock divides them; beyond that they are numbers."""
    assert labels(Scale(0, high_s, axis="relative"), 4) == told


def test_a_line_does_not_run_along_the_frame():
    """A share of the range is added at both ends, but for one that floats cannot hold, and for ends that are fixed."""
    assert scale_of([0.0, 10.0], Axis(), room=0.1) == Scale(-1.0, 11.0)
    assert scale_of([0.0, 10.0], Axis(low=0), room=0.1) == Scale(0.0, 11.0)
    assert scale_of([-1.7e308, 1.7e308], Axis(), room=0.1) == Scale(-1.7e308, 1.7e308)
    assert scale_of([1.0, 10.0], Axis(scale="log"), room=0.1) == Scale(1.0, 10.0, "log")
