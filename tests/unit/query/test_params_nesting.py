"""Params come back nested as they were given, and no value is hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.query.params_view import ParamsView, nest


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ({}, {}),
        ({"lr": 0.1}, {"lr": 0.1}),
        ({"optim.lr": 0.1, "optim.name": "sgd"}, {"optim": {"lr": 0.1, "name": "sgd"}}),
        ({"a.b.c": 1, "a.b.d": 2, "a.e": 3}, {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        ({"a": 1, "a.b": 2}, {"a": 1, "a.b": 2}),
        ({"a": 1, "a.b.c": 2}, {"a": 1, "a.b.c": 2}),
        ({"a.": 1, ".b": 2, "c..d": 3}, {"a.": 1, ".b": 2, "c..d": 3}),
        ({"layers": [64, 32], "none": None}, {"layers": [64, 32], "none": None}),
    ],
)
def test_dotted_keys_become_the_mapping_they_stand_for(flat, nested):
    """Dots nest; a key that is a value and a prefix at once leaves the longer key as it is."""
    assert nest(flat) == nested


def test_a_parameter_is_found_by_path_and_by_dotted_key():
    """The same value is reached by nested keys, by the dotted key, and in the flat mapping."""
    params = ParamsView({"optim.lr": 0.1, "seed": 7})

    assert params["optim"]["lr"] == params["optim.lr"] == params.flat["optim.lr"] == 0.1
    assert dict(params) == {"optim": {"lr": 0.1}, "seed": 7}
    assert params.get("missing") is None


def flatten(nested, prefix=""):
    """Return dotted keys and values of a nested mapping."""
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


keys = st.text("ab.", min_size=1, max_size=6)


@given(st.dictionaries(keys, st.integers(), max_size=8))
def test_nesting_hides_no_value_whatever_the_keys(flat):
    """Flattening what was nested gives every key and value back, clashes included."""
    assert dict(flatten(nest(flat))) == flat


def test_a_key_that_is_not_there_is_explained():
    """Who mistypes a param is told what the run has; what asks by `in` or `get` is not."""
    params = ParamsView({"optim.lr": 0.1, "seed": 7}, run_label="3f2a")

    for read in (params.__getitem__, params.history):
        with pytest.raises(
            KeyError, match=r"Run '3f2a' has no param 'optim.l' .*\n  Did you mean 'optim.lr'"
        ):
            read("optim.l")
    assert (params.get("optim.l"), "optim.l" in params, "optim" in params, "optim.lr" in params) == (
        None, False, True, True,
    )  # fmt: skip
