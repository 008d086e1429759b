"""Windows over what has a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.analysis.windows import Window, between, last_of, length_ns, sliding
from otel_experiments.errors import AnalysisError

MINUTE = 60_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5m", 5 * MINUTE),
        ("5min", 5 * MINUTE),
        ("1.5 h", 90 * MINUTE),
        ("250ms", 250_000_000),
        ("2d", 2 * 1440 * MINUTE),
        ("1w", 7 * 1440 * MINUTE),
        ("3us", 3_000),
        ("1ns", 1),
    ],
)
def test_lengths_of_time_are_a_number_and_a_unit(text: str, expected: int) -> None:
    """Each unit is understood, with and without a space."""
    assert length_ns(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "-1s", "5 parsecs", "5m 3s", "1e3s", "0.1ns", "9" * 400 + "s", "400000d"]
)
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    """A number without a unit, nothing, and less than nothing are no windows."""
    assert length_ns(text) is None


def test_both_ends_count() -> None:
    """Of events at minutes 0 to 19, those from minute 5 to minute 10 are six."""
    times = [minute * MINUTE for minute in range(20)]

    assert times[between(times, 5 * MINUTE, 10 * MINUTE)] == [minute * MINUTE for minute in range(5, 11)]
    assert times[between(times, -9, -1)] == []
    assert times[between(times, 10 * MINUTE, 5 * MINUTE)] == []


def test_the_last_minutes_end_with_the_last_time_or_now() -> None:
    """By default they end with what came last; with a clock, with the clock."""
    times = [minute * MINUTE for minute in range(20)]

    assert times[last_of(times, 2 * MINUTE)] == times[17:]
    assert times[last_of(times, 2 * MINUTE, now_ns=20 * MINUTE)] == times[18:]
    assert [][last_of([], MINUTE)] == []


def test_windows_slide_until_one_holds_the_last_time() -> None:
    """Windows of five minutes every minute over nine minutes are five, the last of which ends with the data."""
    times = [minute * MINUTE for minute in range(9)]
    windows = list(sliding(times, 5 * MINUTE, step=MINUTE))

    assert [window.start_ns // MINUTE for window in windows] == [0, 1, 2, 3, 4]
    assert [(window.first, window.last) for window in windows] == [(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]


def test_short_data_gives_one_window() -> None:
    """A single event lies in one window, however long the window is."""
    assert list(sliding([7], 5 * MINUTE, step=MINUTE)) == [Window(7, 7 + 5 * MINUTE, 0, 1)]


def test_a_gap_of_years_takes_no_time() -> None:
    """Between two events a year apart no empty window is made or walked through."""
    year = 365 * 1440 * MINUTE
    windows = list(sliding([0, year], 1_000))

    assert [(window.first, window.last) for window in windows] == [(0, 1), (1, 2)]
    assert windows[1].start_ns <= year < windows[1].end_ns


@pytest.mark.parametrize(("width", "step"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_windows_that_do_not_move_are_refused(width: int, step: int) -> None:
    """A window without length, and one that never moves, would be without end."""
    with pytest.raises(AnalysisError, match="slides forward"):
        list(sliding([1, 2], width, step=step))


@given(st.lists(st.integers(0, 300), max_size=60).map(sorted), st.integers(1, 40), st.integers(1, 40))
def test_windows_are_what_a_plain_walk_finds(times: list[int], width: int, step: int) -> None:
    """The fast walk finds the windows that a walk over every place finds."""
    expected = []
    place = 0
    while times:
        start = times[0] + place * step
        inside = [index for index, time in enumerate(times) if start <= time < start + width]
        if inside:
            expected.append(Window(start, start + width, inside[0], inside[-1] + 1))
        if start + width > times[-1]:
            break
        place += 1

    assert list(sliding(times, width, step=step)) == expected


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60).map(sorted), st.integers(1, 10**5))
def test_windows_side_by_side_hold_each_time_once(times: list[int], width: int) -> None:
    """Without a step, windows share nothing and leave nothing out."""
    held = [index for window in sliding(times, width) for index in range(window.first, window.last)]

    assert held == list(range(len(times)))
