"""Values of any library become values that OpenTelemetry knows."""

import enum
import math

import numpy as np
import pytest

from otel_experiments.codec.plain import plain_number, plain_value
from otel_experiments.codec.values import dump_value


class Color(str, enum.Enum):  # noqa: UP042 - the older form, whose str() is not its value
    """A text that is a member of an enum."""

    RED = "red"


class Unspeakable:
    """An object that nothing can be made of."""

    def __str__(self):
        raise ZeroDivisionError

    @property
    def shape(self):  # noqa: D102 - as the class says
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.str_("a"), "a"),
        ({"a": (np.int8(1), {"b": None})}, {"a": [1, {"b": None}]}),
        ({1: 2}, {"1": 2}),
        ({"b", "a"}, ["a", "b"]),
        (bytearray(b"x"), b"x"),
        (Color.RED, "red"),
        (enum.IntEnum("Number", "ONE").ONE, 1),
        (Unspeakable(), "<Unspeakable>"),
        (2 + 1j, "(2+1j)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_becomes_plain(value, expected):
    """The result has the expected value and exactly the expected types, all the way down."""
    made = plain_value(value)

    assert (made, repr(made)) == (expected, repr(expected))
    dump_value(made)


def test_what_is_plain_stays_the_same_object():
    """Nothing is copied that need not be."""
    text = "x" * 10_000

    assert plain_value(text) is text


def test_what_is_nested_without_end_ends():
    """A list that holds itself becomes text at some depth."""
    endless = []
    endless.append(endless)

    dump_value(plain_value(endless))


def test_large_arrays_become_their_short_text():
    """A tensor of a million values in an attribute is a mistake that must not cost a million values."""
    assert len(plain_value(np.zeros(1_000_000))) <= 1000


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float16(1.5), 1.5), (np.int32(7), 7), (True, True), (3, 3), (math.inf, math.inf)],
)
def test_numbers_become_pythons(value, expected):
    """Integers stay integers, floats floats."""
    made = plain_number(value)

    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize("value", ["a", None, object(), [1]])
def test_what_is_no_number_is_refused(value):
    """A text, nothing or a list is no number."""
    with pytest.raises((TypeError, ValueError)):
        plain_number(value)
