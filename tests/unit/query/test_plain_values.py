"""What JSON cannot hold has one documented spelling."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.query.json_values import json_line, plain, plain_step


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (0.1, 0.1),
        (True, True),
        (None, None),
        (b"\x00\xff", "AP8="),
        ((1, 2.5, math.nan), [1, 2.5, "NaN"]),
        ({"a": {"b": math.inf}}, {"a": {"b": "Infinity"}}),
        (2**70, 2**70),
    ],
    ids=str,
)
def test_each_value_has_its_plain_form(value, expected):
    """Numbers, bytes, lists and mappings become what JSON can hold."""
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [(3.0, 3), (0.5, 0.5), (None, None), (math.nan, "NaN"), (math.inf, "Infinity"), (-2.0, -2)],
)
def test_steps_are_integers_where_they_are_whole(step, expected):
    """A step of 3.0 is written as 3; a fractional one stays as it is."""
    assert repr(plain_step(step)) == repr(expected)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(values)
def test_a_json_line_is_strict_json_on_one_line(value):
    """Any value becomes one line that a strict JSON parser reads back to its plain form."""
    line = json_line(value)

    def refuse(name):
        raise AssertionError(name)

    assert "\n" not in line
    assert json.loads(line, parse_constant=refuse) == plain(value)


def test_half_a_surrogate_pair_is_escaped():
    """A file name that is no UTF-8 reads back as it was, and the line can be written anywhere."""
    line = json_line({"file": "caf\udce9.csv", "é": 1})

    assert line.encode() == b'{"file":"caf\\udce9.csv","\xc3\xa9":1}'
    assert json.loads(line) == {"file": "caf\udce9.csv", "é": 1}
