"""The chart of a series in characters."""

import math

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.cli.terminal.chart import chart
from otel_experiments.model.metric import Band


def band_of(values):
    """Return a band with one point a bucket."""
    steps = [float(i) for i in range(len(values))]
    return Band(steps, steps, values, values, values, [1] * len(values))


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


@given(
    st.lists(st.floats(), max_size=40), st.integers(10, 100), st.integers(2, 20), st.booleans(), st.booleans()
)
def test_any_series_can_be_drawn_within_its_width(values, width, height, is_log, is_unicode):
    """Whatever the values, a chart comes out and no line of it is wider than asked for, labels aside."""
    lines = chart(band_of(values), width=width, height=height, is_log=is_log, is_unicode=is_unicode)

    assert len(lines) in {1, height + 2}
    assert all(len(line) <= max(width, 40) for line in lines)
