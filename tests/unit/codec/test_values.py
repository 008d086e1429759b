"""Values survive their JSON form exactly, and plain ones are plain JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.codec.values import (
    dump_canonical,
    dump_value,
    load_attributes,
    load_mappings,
    load_value,
)

keys = st.text(max_size=6) | st.sampled_from(["$float", "$$float", "$bytes", "$int", "$", "$x"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63, max_value=2**70),
    st.floats(),
    st.text(max_size=8),
    st.text('\udc80\udfff"\\\0$', max_size=4),  # as os.fsdecode makes them of foreign bytes
    st.sampled_from(["$float", "nan", '"$']),
    st.binary(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


def exact(value: object) -> object:
    """The value in a form that tells NaN, signed zeros and types apart."""
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    return (type(value).__name__, value)


@given(value=values)
def test_any_value_survives(value):
    """Type, sign of zero, NaN, infinities, bytes and order of keys come back."""
    text = dump_value(value)

    assert exact(load_value(text)) == exact(value)
    assert text.encode().decode() == text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@given(value=st.dictionaries(keys, values, max_size=4))
def test_any_attributes_survive(value):
    """A mapping of attributes comes back with its keys in order."""
    found = load_attributes(dump_value(value))

    assert exact(found) == exact(value)
    assert list(found) == list(value)


@given(value=st.dictionaries(keys, values, max_size=4))
def test_the_canonical_form_does_not_depend_on_the_order_of_keys(value):
    """Equal mappings have equal canonical texts."""
    reordered = dict(reversed(list(value.items())))

    assert dump_canonical(reordered) == dump_canonical(value)
    assert exact(load_value(dump_canonical(value))) == exact(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": 1.0, "c": [True, None, "x"]}, '{"a":1,"b":1.0,"c":[true,null,"x"]}'),
        ({"umlaut": "ä"}, '{"umlaut":"ä"}'),
        ("\udc80", '"\\udc80"'),
        ([math.nan, math.inf, -math.inf], '[{"$float":"nan"},{"$float":"inf"},{"$float":"-inf"}]'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        ({"$float": "nan"}, '{"$$float":"nan"}'),
        ({"$float": "nan", "other": 1}, '{"$float":"nan","other":1}'),
        (2**64, "18446744073709551616"),
        ((1, 2), "[1,2]"),
    ],
)
def test_the_text_is_as_documented(value, text):
    """What JSON can say is said in JSON, the rest is tagged."""
    assert dump_value(value) == text


def test_an_integer_of_any_length_survives():
    """Integers longer than Python writes in decimal are written in hexadecimal."""
    value = [10**5000, -(10**5000)]

    assert load_value(dump_value(value)) == value
    assert dump_value(value).startswith('[{"$int":"0x')


def test_what_another_program_wrote_with_blanks_is_read():
    """A value in a table that somebody has edited by hand may have blanks around it; what follows it is an error."""
    assert load_value(' {"a": [1, 2]}\n') == {"a": [1, 2]}
    for damaged in ("", "[1] [2]", "[1", "x"):
        with pytest.raises(ValueError):  # noqa: PT011 - the text is json's
            load_value(damaged)


def test_a_foreign_object_is_refused_by_name():
    """An object that is no attribute value raises, and the text says what it was."""
    with pytest.raises(TypeError, match="object"):
        dump_value({"a": [object()]})


@pytest.mark.parametrize("text", ["[]", "1", '"x"'])
def test_attributes_must_be_an_object(text):
    """A text that holds no mapping is not taken for attributes."""
    with pytest.raises(ValueError, match="JSON object"):
        load_attributes(text)


def test_a_sequence_of_mappings_comes_back_as_a_tuple():
    """Exemplars are a tuple of mappings; anything else is refused."""
    assert load_mappings('[{"a":{"$float":"inf"}},{}]') == ({"a": math.inf}, {})
    with pytest.raises(ValueError, match="array of objects"):
        load_mappings("[1]")
