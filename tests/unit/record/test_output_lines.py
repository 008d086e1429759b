"""What is written to a stream becomes lines, each in the form that a terminal shows in the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.record.output.lines import MOST_CHARS, Lines


def lines_of(*writes):
    """Return the lines that come of what is written, the rest included."""
    lines = Lines()
    made = [found for text in writes if (found := lines.feed(text)) is not None]
    rest = lines.take_rest()
    return "\n".join([*made, *([] if rest is None else [rest])]).split("\n")


def test_a_line_is_whole_when_its_break_is_written():
    """Parts of a line that are written one after another are one line."""
    lines = Lines()

    assert lines.feed("epoch ") is None
    assert lines.feed("3") is None
    assert lines.feed("\n") == "epoch 3"
    assert lines.take_rest() is None


def test_several_lines_at_once_stay_in_order():
    """What is written with several line breaks is several lines, and its end waits for the next break."""
    assert lines_of("one\ntwo\nth", "ree\n", "four") == ["one", "two", "three", "four"]


def test_empty_lines_are_lines():
    """An empty `print()` is a line."""
    assert lines_of("a\n", "\n", "b\n") == ["a", "", "b"]


def test_a_progress_bar_keeps_its_last_form():
    """A line that is written over again and again, as tqdm does, is kept once."""
    bar = [f"\r{percent:3}%|{'#' * (percent // 10)}" for percent in range(0, 101, 10)]

    assert lines_of(*bar, "\n", "done\n") == ["100%|##########", "done"]


def test_a_bar_that_clears_itself_leaves_no_line():
    """A bar that ends with spaces and a carriage return is not seen in the end."""
    assert lines_of("\r 10%", "\r 99%", "\r     \r", "done\n") == ["done"]


@pytest.mark.parametrize("writes", [("a\r\nb\r\n",), ("a\r", "\nb\r", "\n")])
def test_line_breaks_of_windows_are_line_breaks(writes):
    """A carriage return before a line break belongs to the break."""
    assert lines_of(*writes) == ["a", "b"]


def test_colours_stay():
    """Control sequences that move nothing are part of the line."""
    assert lines_of("\x1b[31mred\x1b[0m\n") == ["\x1b[31mred\x1b[0m"]


def test_bars_below_each_other_are_folded():
    """Nested progress bars, which move the cursor up between updates, are kept once each."""
    writes = ["\r  0% outer"]
    for outer in range(3):
        for inner in range(50):
            writes += ["\n", f"\r {inner}% inner of {outer}", "\x1b[A"]
        writes += [f"\r {outer + 1}/3 outer"]
    writes += ["\n", "\r inner is done", "\n", "all done\n"]

    found = lines_of(*writes)

    assert found[-3:] == [" 3/3 outer", " inner is done", "all done"]
    assert len(found) < 10


def test_a_display_that_is_drawn_again_is_folded():
    """A table that is drawn over itself, as rich does, is kept once, and what scrolls off is kept too."""
    writes = ["head\nrow 0\n"]
    writes += [f"\x1b[1A\x1b[2K\x1b[1A\x1b[2Khead\nrow {n}\n" for n in range(1, 40)]

    found = lines_of(*writes, "after\n")

    assert found[-3:] == ["head", "row 39", "after"]
    assert len(found) < 10


def test_a_line_without_end_takes_no_memory_without_end():
    """A line of which the break never comes is written in pieces."""
    lines = Lines()

    assert lines.feed("x" * (MOST_CHARS + 1)) == "x" * (MOST_CHARS + 1)
    assert lines.take_rest() is None


@given(st.lists(st.text(st.sampled_from("ab\n"), max_size=5), max_size=20))
def test_text_without_control_characters_is_kept_as_it_is(writes):
    """However a text is cut into writes, its lines are those of the text."""
    whole = "".join(writes)
    expected = whole.removesuffix("\n").split("\n") if whole.endswith("\n") else whole.split("\n")

    found = lines_of(*writes)

    assert [line for line in found if line] == [line for line in expected if line]


@given(st.lists(st.text(st.sampled_from("ab\n\r\x1b[2AFB1"), max_size=6), max_size=30))
def test_any_control_sequences_are_taken(writes):
    """Whatever moves the cursor, nothing is raised, and no carriage return is left."""
    assert not any("\r" in line for line in lines_of(*writes))
