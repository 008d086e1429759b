"""Numbers, times and names as the terminal shows them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.cli.terminal import format as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.93421, "0.9342"), (0.5, "0.5"), (12.3456, "12.35"), (1234.5, "1234"),
        (123456.7, "123457"), (1e6, "1000000"), (1.5e-5, "1.5e-5"), (1e-3, "0.001"), (1e300, "1e300"), (-2.5, "-2.5"),
        (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"), (None, "-"), (99999999, "99999999"), (2.5e9, "2.5e9"),
        (0.99999, "1"), (1e-4, "0.0001"),
    ],
)  # fmt: skip
def test_numbers_keep_about_four_digits(value, text):
    """A number is as short as it can be without hiding its size."""
    assert fmt.number(value) == text


@given(st.text(max_size=12), st.integers(0, 12), st.sampled_from(["…", "..."]))
def test_a_shortened_text_never_overflows(text, width, ellipsis):
    """It has at most so many characters, is whole where it fits, and begins as the text does."""
    cut = fmt.shorten(text, width, ellipsis=ellipsis)

    assert len(cut) <= max(width, len(ellipsis))
    assert cut == text if len(text) <= width else cut.endswith(ellipsis)
    assert text.startswith(cut.removesuffix(ellipsis))
    assert len(text) <= width or width < len(ellipsis) or len(cut) == width


@given(st.floats(-1e300, 1e300))
def test_a_shown_number_is_close_to_the_number_and_short(value):
    """What is shown is within a thousandth of the number and fits into a column."""
    text = fmt.number(value)

    assert float(text) == pytest.approx(value, rel=1e-3)
    assert len(text) <= 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ns"), (5e-9, "5 ns"), (1.5e-5, "15 us"), (0.0123, "12.3 ms"), (0.9999, "1 s"), (1.234, "1.23 s"),
        (59.94, "59.9 s"), (59.96, "1m 00s"), (61, "1m 01s"), (3599.6, "1h 00m"), (7320, "2h 02m"), (90000, "1d 01h"),
        (None, "-"), (-2, "-2 s"),
    ],
)  # fmt: skip
def test_durations_show_their_two_largest_units(seconds, text):
    """A length of time is told in the units that a person would choose."""
    assert fmt.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "now"), (0.4, "now"), (59, "59s"), (61, "1m"), (7300, "2h"), (86400 * 3, "3d"), (86400 * 800, "2y")]
)  # fmt: skip
def test_ages_show_their_largest_unit(seconds, text):
    """How long ago something was is told in one unit."""
    assert fmt.age(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"), ("größe 😀", "größe 😀"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\x1b[31mred", "\\x1b[31mred"),
        ("a\0b", "a\\x00b"), ("right\u202eleft", "right\\u202eleft"), ("\u00a0x", " x"), ("\udcff", "\\udcff"),
    ],
)  # fmt: skip
def test_names_cannot_steer_the_terminal(text, shown):
    """Control characters, escape sequences and direction marks are shown, not obeyed."""
    assert fmt.clean(text) == shown


@given(st.text())
def test_a_cleaned_text_is_printable(text):
    """Whatever the name, nothing of it but printable characters reaches the terminal."""
    assert fmt.clean(text).isprintable()


def test_lists_and_truth_values_are_shown_as_json():
    """Parameters that are not numbers or text are shown as JSON writes them."""
    assert [fmt.value(one) for one in (True, [1, "a"], {"a": 1}, None, 3, "x")] == ["true", '[1, "a"]', '{"a": 1}', "-", "3", "x"]  # fmt: skip
