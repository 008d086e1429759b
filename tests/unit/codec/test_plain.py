"""Values of any library become values that OpenTelemetry knows."""

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import uuid

import numpy as np
import pytest

from otel_experiments.codec.number import plain_number
from otel_experiments.codec.plain import PARAM_LIMITS, Plainer, plain_value
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
        (Unspeakable(), "<Unspeakable without a text>"),
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
    [
        (fractions.Fraction(1, 2), 0.5),
        (decimal.Decimal("1.5"), 1.5),
        (np.array([2]), 2),
        (enum.IntEnum("Number", "ONE").ONE, 1),
        (np.float16(1.5), 1.5),
        (np.int32(7), 7),
        (True, True),
        (3, 3),
        (math.inf, math.inf),
    ],
)
def test_numbers_become_pythons(value, expected):
    """Integers stay integers, floats floats."""
    made = plain_number(value)

    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize("value", ["a", "0.5", b"1", None, object(), [1], 1j, np.ma.masked, np.complex64(1)])
def test_what_is_no_number_is_refused(value):
    """A text, nothing or a list is no number."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        plain_number(value)


class Mode(enum.Enum):
    """A member that is no text and no number itself."""

    TRAIN = "train"


@dataclasses.dataclass
class Optimizer:
    """A structure; as a param by itself its fields become params of their own before this conversion."""

    lr: float = 0.5


class Wordy:
    """An object with a long text."""

    def __str__(self):
        return "y" * 5_000


def nested(levels):
    """Return a list in a list, that many levels deep."""
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def ring():
    """Return a list that holds itself."""
    made = [1]
    made.append(made)
    return made


BOTH = [
    pytest.param(np.float32(0.5), 0.5, id="float32"),
    pytest.param(np.int64(3), 3, id="int64"),
    pytest.param(np.bool_(True), True, id="bool_"),
    pytest.param(np.longdouble(0.5), "0.5", id="longdouble"),
    pytest.param(np.complex64(1 + 2j), "(1+2j)", id="complex64"),
    pytest.param(np.str_("a"), "a", id="str_"),
    pytest.param(np.datetime64("2026-01-02"), "2026-01-02", id="datetime64"),
    pytest.param(np.array(2.5), 2.5, id="0-d array"),
    pytest.param(np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], id="array"),
    pytest.param(np.array([1 + 2j]), ["(1+2j)"], id="complex array"),
    pytest.param(np.zeros(2_000), "<numpy.ndarray of shape (2000,), float64>", id="large array"),
    pytest.param(np.ma.array([1, 2], mask=[0, 1]), "[1 --]", id="masked array"),
    pytest.param(np.ma.array([1, 2], mask=[0, 0]), [1, 2], id="array without a masked element"),
    pytest.param(np.ma.masked, "--", id="masked"),
    pytest.param(1 + 2j, "(1+2j)", id="complex"),
    pytest.param(math.nan, math.nan, id="NaN"),
    pytest.param(-0.0, -0.0, id="negative zero"),
    pytest.param(10**400, 10**400, id="large int"),
    pytest.param({3, 1}, [1, 3], id="set of numbers"),
    pytest.param({"b", "a"}, ["a", "b"], id="set of texts"),
    pytest.param({"a": 1}.keys(), ["a"], id="keys"),
    pytest.param(None, None, id="None"),
    pytest.param(Mode.TRAIN, "train", id="enum"),
    pytest.param(Color.RED, "red", id="text enum"),
    pytest.param(enum.IntEnum("Number", "ONE").ONE, 1, id="int enum"),
    pytest.param(Optimizer(), "Optimizer(lr=0.5)", id="dataclass"),
    pytest.param(pathlib.PurePosixPath("/a/b"), "/a/b", id="path"),
    pytest.param(dt.datetime(2026, 1, 2), "2026-01-02 00:00:00", id="datetime"),
    pytest.param(dt.timedelta(seconds=3), "0:00:03", id="timedelta"),
    pytest.param(decimal.Decimal("1.5"), "1.5", id="Decimal"),
    pytest.param(fractions.Fraction(1, 2), "1/2", id="Fraction"),
    pytest.param(uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", id="UUID"),
    pytest.param(range(3), [0, 1, 2], id="range"),
    pytest.param(range(10**30), f"range(0, {10**30})", id="endless range"),
    pytest.param((1, 2), [1, 2], id="tuple"),
    pytest.param(ring(), [1, "<a value that holds itself>"], id="ring"),
    pytest.param({1: {2: 3}}, {"1": {"2": 3}}, id="keys that are no texts"),
    pytest.param(Unspeakable(), "<Unspeakable without a text>", id="without a text"),
    pytest.param(len, "<built-in function len>", id="function"),
]


@pytest.mark.parametrize(("value", "expected"), BOTH)
def test_a_value_is_the_same_as_a_param_and_as_an_attribute(value, expected):
    """One conversion: what a config and a span say about one value agrees, with the same types all the way down."""
    as_attribute, as_param = plain_value(value), Plainer(PARAM_LIMITS).of(value)

    assert repr(as_attribute) == repr(as_param) == repr(expected)
    dump_value(as_attribute)


@pytest.mark.parametrize(
    ("value", "attribute", "param"),
    [
        pytest.param(b"ab", b"ab", "b'ab'", id="bytes"),
        pytest.param(bytearray(b"ab"), b"ab", "bytearray(b'ab')", id="bytearray"),
        pytest.param(memoryview(b"ab"), b"ab", [97, 98], id="memoryview"),
        pytest.param(np.bytes_(b"a"), b"a", "b'a'", id="bytes_"),
        pytest.param("a\0b", "a\0b", "a\ufffdb", id="NUL"),
        pytest.param("x" * 100_001, "x" * 100_001, "x" * 100_000, id="long text"),
        pytest.param(Wordy(), "y" * 1_000, "y" * 5_000, id="object with a long text"),
        pytest.param([0] * 10_001, [0] * 10_001, "<list of 10,001 items: [0, 0, 0, ...]>", id="long list"),
        pytest.param(nested(25), eval("[" * 20 + repr(str(nested(5))) + "]" * 20), nested(25), id="deep"),
    ],
)
def test_params_and_attributes_differ_in_their_limits_alone(value, attribute, param):
    """A param is a column of a table: no bytes, no NUL, a bounded size; an attribute is bounded by the SDK."""
    assert plain_value(value) == attribute
    assert Plainer(PARAM_LIMITS).of(value) == param


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        ("tensor(2.5, requires_grad=True)", 2.5),
        ("tensor(1.5, dtype=torch.bfloat16)", 1.5),
        ("tensor([1.5, 2], requires_grad=True)", [1.5, 2.0]),
        ("tensor(1 + 2j)", "tensor(1.+2.j)"),
        ("zeros(2000)", "<torch.Tensor of shape (2000,), torch.float32>"),
        ("Size([1, 2])", [1, 2]),
        ("float32", "torch.float32"),
    ],
)
def test_what_torch_makes_is_the_same_as_a_param_and_as_an_attribute(make, expected):
    """A loss is its number, a small tensor its list, a large one says its shape."""
    torch = pytest.importorskip("torch")
    value = eval(f"torch.{make}", {"torch": torch})

    assert plain_value(value) == Plainer(PARAM_LIMITS).of(value) == expected


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.zeros(2_000), ("kept as text", "has 2,000 elements")),
        (range(20_000), ("kept as text", "has 20,000 items")),
        (ring(), ("kept as text", "holds itself")),
        (nested(21), ("kept as text", "is 20 levels deep")),
        (Wordy(), ("text cut", "has 5,000 characters; 1,000 are kept")),
        ({1: "a", "1": "b"}, ("key twice", "have one text, '1'; the first value is lost")),
    ],
    ids=["array", "range", "ring", "deep", "long text", "two keys"],
)
def test_what_is_not_kept_exactly_is_told(value, told):
    """Nothing is changed in silence, once for each change."""
    losses = []
    plain_value(value, on_loss=lambda kind, _value, why: losses.append((kind, why)))

    assert losses == [told]
