"""The chart of a series in characters."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.figures.spec import Axis, Bars, Curves, Heat, Histogram, Line
from otel_experiments.figures.text.paint import paint_text
from otel_experiments.figures.text.sparkline import sparkline
from otel_experiments.model.metric import Band
from otel_experiments.query.shown.curves import curves_of_band


def band_of(values):
    """Return a band with one point a bucket."""
    steps = [float(i) for i in range(len(values))]
    return Band(steps, steps, values, values, values, [1] * len(values))


def chart(band, *, width, height, is_log=False, is_unicode=True):
    """Return the lines that the terminal prints for a band."""
    line, area = curves_of_band(band, "loss")
    spec = Curves(
        "loss", (line,), areas=() if area is None else (area,), y=Axis(scale="log" if is_log else "linear")
    )
    return paint_text(spec, width=width, height=height, is_unicode=is_unicode)


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right():
    """An ASCII chart of a straight line has its marks on the diagonal, its axes and its labels."""
    lines = chart(band_of([0.0, 1.0, 2.0, 3.0]), width=14, height=4, is_unicode=False)

    assert lines == [
        "3 |         **",
        "  |     *****",
        "  |  ****",
        "0 |***",
        "  +-----------",
        "   0         3",
    ]


def test_braille_draws_eight_dots_a_character():
    """With Unicode the same line is drawn in braille dots."""
    lines = chart(band_of([0.0, 1.0]), width=12, height=2, is_unicode=True)

    assert [line[:3] for line in lines[:2]] == ["1 │", "0 │"]
    assert all(0x2800 <= ord(character) < 0x2900 for line in lines[:2] for character in line[3:])
    assert lines[0][-1] != "⠀"
    assert lines[1][3] != "⠀"


def test_a_spike_inside_a_bucket_is_visible():
    """The whole range of a bucket is drawn, not only its last value."""
    band = Band([0.0, 10.0], [9.0, 19.0], [0.0, 0.0], [100.0, 0.0], [0.0, 0.0], [10, 10])

    lines = chart(band, width=20, height=5, is_unicode=False)

    assert "*" in lines[0]
    assert lines[0].startswith("100 |")


def test_values_that_cannot_be_drawn_leave_a_gap():
    """NaN and infinity are left out; with nothing else the chart says so."""
    assert "*" in "".join(
        chart(band_of([1.0, math.nan, math.inf, 2.0]), width=30, height=4, is_unicode=False)
    )
    assert chart(band_of([math.nan, math.inf]), width=30, height=4) == ["(no finite value to draw)"]
    assert chart(band_of([-1.0, 0.0]), width=30, height=4, is_log=True) == ["(no finite value to draw)"]


def test_a_logarithmic_axis_makes_a_straight_line_of_powers():
    """Powers of ten stand at equal heights on a logarithmic axis."""
    lines = chart(band_of([1.0, 10.0, 100.0, 1000.0]), width=17, height=4, is_log=True, is_unicode=False)

    assert [line.split()[0] for line in (lines[0], lines[3])] == ["1000", "1"]
    assert all("*" in line for line in lines[:4])


def test_a_spike_beside_a_zero_is_on_a_logarithmic_axis():
    """A bucket whose lowest value is no positive number is drawn from the foot of a logarithmic axis to its highest value."""
    band = Band([0.0, 10.0], [9.0, 19.0], [1.0, 0.0], [1.0, 1e6], [1.0, 1.0], [10, 10])

    lines = chart(band, width=24, height=5, is_log=True, is_unicode=False)

    assert [line.rstrip().endswith("*") for line in lines[:5]] == [True] * 5


def test_names_cannot_act_on_a_terminal():
    """Escape sequences and line breaks in names are shown as escapes, in the legend of curves and beside bars."""
    lines = tuple(Line(f"a\x1b[31m\n{at}", [0.0, 1.0], [0.0, 1.0], color=at) for at in range(2))
    figures = [Curves("t", lines), Bars("t", ("a\x1b[31m\n", "b"), (1.0, 2.0))]

    for figure in figures:
        text = "".join(paint_text(figure, width=60, height=4))
        assert "\x1b" not in text
        assert "\n" not in text
        assert "a\\x1b[31m\\n" in text


@given(
    st.lists(st.floats(), max_size=40), st.integers(10, 100), st.integers(2, 20), st.booleans(), st.booleans()
)
def test_any_series_can_be_drawn_within_its_width(values, width, height, is_log, is_unicode):
    """Whatever the values, a chart comes out and no line of it is wider than asked for, labels aside."""
    lines = chart(band_of(values), width=width, height=height, is_log=is_log, is_unicode=is_unicode)

    assert len(lines) in {1, height + 2}
    assert all(len(line) <= max(width, 40) for line in lines)


def test_the_place_of_a_nan_is_crossed_on_the_axis():
    """The line has a gap where a value is NaN, and the axis a cross below it."""
    lines = chart(band_of([0.0, 1.0, math.nan, 3.0]), width=14, height=4, is_unicode=False)

    assert lines[4] == "  +-------x---"
    assert all(line[10:11] in {"", " "} for line in lines[:4])


def test_a_tall_chart_has_round_values_between_its_extremes():
    """Beside the lowest and the highest value some rows have a round one, never two that touch."""
    lines = chart(band_of([0.013, 0.987]), width=40, height=16, is_unicode=False)

    labels = [line.split("|")[0].strip() for line in lines[:16]]
    assert (labels[0], labels[15]) == ("0.987", "0.013")
    assert {"0.2", "0.4", "0.6", "0.8"} == set(labels[1:15]) - {""}
    assert not any(above and below for above, below in itertools.pairwise(labels))


def test_several_lines_are_letters_with_a_legend():
    """Lines that cross can be told apart: each has a letter, which the legend below explains."""
    spec = Curves("", (Line("up", [0, 1], [0, 1]), Line("down", [0, 1], [1, 0], color=1)))

    lines = paint_text(spec, width=20, height=4)

    assert lines[-1] == "a up   b down"
    assert {"a", "b"} <= set("".join(lines[:4]))


def test_a_time_axis_is_labelled_with_times():
    """Seconds since the start are hours and minutes, seconds since the epoch a date in UTC."""
    line = (Line("loss", [0, 5400], [1, 2]),)

    assert paint_text(Curves("", line, x=Axis("relative")), width=30, height=3)[-1].split() == ["0", "1h30m"]
    wall = Curves("", (Line("loss", [0, 86400], [1, 2]),), x=Axis("wall"))
    assert "1970-01-01 00:00:00" in paint_text(wall, width=60, height=3)[-1]


def test_histograms_and_grids_are_drawn_in_characters():
    """A histogram is a bar a bin, a grid a shade a cell, its numeric rows with the lowest at the bottom."""
    assert paint_text(Histogram("w", [0, 1, 2], [1, 2]), width=24, is_unicode=False) == [
        "0 .. 1 |###### 1",
        "1 .. 2 |############# 2",
    ]
    grid = Heat("g", [[0, 4], [2, math.nan]], columns=("a", "b"), rows=(0.0, 1.0, 2.0))
    assert paint_text(grid, width=20, is_unicode=False) == ["1 |*?", "0 | #"]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""), ([1.0], "▄"), ([1, 1, 1], "▄▄▄"), ([0, 7], "▁█"), ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0, math.nan, 7], "▁ █"), ([math.nan, math.inf], "  "), ([-1.7e308, 1.7e308], "▁█"),
    ],
)  # fmt: skip
def test_sparklines_follow_the_values_and_leave_gaps(values, line):
    """The course of a series is drawn low to high; values that are not finite leave a gap."""
    assert sparkline(values, width=10) == line


@given(st.lists(st.floats(), max_size=50), st.integers(1, 30), st.booleans())
def test_a_sparkline_never_is_wider_than_asked_for(values, width, is_unicode):
    """Any series, of any length, fits into the width, in ASCII where that is all there is."""
    line = sparkline(values, width=width, is_unicode=is_unicode)

    assert len(line) == min(width, len(values))
    assert is_unicode or line.isascii()
