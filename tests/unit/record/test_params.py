"""Params: nested, typed, mutable; from whatever people steer their runs with."""

import argparse
import dataclasses
import enum
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import otel_experiments as ox
from otel_experiments.record.params.flatten import attribute_of_param, flatten_params


class Colour(enum.Enum):
    """An enum as a param."""

    RED = "red"


@dataclasses.dataclass
class Optimizer:
    """A dataclass as a param."""

    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)


@pytest.mark.parametrize(
    ("source", "flat"),
    [
        ({"a": {"b": {"c": 1}}, "d": []}, {"a.b.c": 1, "d": []}),
        ({"empty": {}}, {"empty": {}}),
        (argparse.Namespace(lr=0.1, deep={"x": None}), {"lr": 0.1, "deep.x": None}),
        ({"optim": Optimizer()}, {"optim.lr": 0.1, "optim.betas": [0.9, 0.999]}),
        ({"n": np.float32(0.5), "i": np.int64(3), "b": np.bool_(True)}, {"n": 0.5, "i": 3, "b": True}),
        ({"path": Path("a") / "b", "colour": Colour.RED, 3: "x"}, {"path": "a/b", "colour": "red", "3": "x"}),
        ({"layers": [{"size": 3}, np.array([1, 2])]}, {"layers": [{"size": 3}, [1, 2]]}),
        ({"set": {2, 1}, "bytes": b"x"}, {"set": [1, 2], "bytes": "b'x'"}),
    ],
    ids=["nested", "empty", "namespace", "dataclass", "numpy", "others", "list", "odd"],
)
def test_sources_become_typed_dotted_params(source, flat):
    """Types survive, structures flatten, lists stay whole."""
    found = flatten_params(source)

    assert found == flat
    assert [type(v) for v in found.values()] == [type(v) for v in flat.values()]


def test_params_come_back_with_value_and_type(recording, read):
    """What was an int, float, bool, None, text or list is one again; NaN and infinity too."""
    config = {
        "i": 1,
        "f": 1.0,
        "b": True,
        "n": None,
        "s": "1",
        "l": [1, "a", None],
        "deep": {"x": {"y": -0.0}},
        "inf": math.inf,
    }
    with ox.start_run("r", config=config):
        pass

    stored = read("r").params
    assert repr(stored.flat["i"]) == "1"
    assert repr(stored.flat["f"]) == "1.0"
    assert stored["deep"]["x"]["y"] == 0
    assert {k: v for k, v in stored.flat.items() if k != "deep.x.y"} == {
        k: v for k, v in config.items() if k != "deep"
    }


def test_a_param_may_change(recording, read):
    """The latest value counts; nothing raises."""
    with ox.start_run("r", config={"lr": 0.1}) as run:
        run.log_param("lr", 0.01)
        run.config.update({"optim": {"name": "adam"}})
        run.config.warmup = 5
        assert (run.config.lr, run.config.optim.name, run.config["optim.name"]) == (0.01, "adam", "adam")

    assert read("r").params.flat == {"lr": 0.01, "optim.name": "adam", "warmup": 5}


def test_a_missing_param_says_what_there_is(recording):
    """config.typo is an AttributeError that lists the params."""
    with ox.start_run(config={"lr": 0.1}) as run, pytest.raises(AttributeError, match="It has: lr"):
        _ = run.config.rl


def test_two_hundred_params_never_evict_identity(recording, read):
    """The span carries the first hundred, the event all; the run's identity is in its resource."""
    config = {f"p{i}": i for i in range(300)}
    with ox.start_run("r", config=config) as run:
        run.otel_span.set_attributes({f"extra.{i}": i for i in range(900)})

    stored = read("r")
    (root,) = stored.spans
    assert root.resource.attributes["ml.run.id"] == run.id
    assert root.attributes["ml.operation.name"] == "run"
    assert stored.params.flat == config
    (event,) = [r for r in stored.log_records if r.event_name == "ml.run.config"]
    assert event.body == config


PARAMS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcde", min_size=1, max_size=4), PARAMS, max_size=5))
def test_flattening_loses_nothing(config):
    """Every leaf of a nested config is under the dotted path that leads to it."""
    flat = flatten_params(config)

    def leaves(value, path):
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                yield from leaves(inner, [*path, key])
        else:
            yield ".".join(path), value

    expected = dict(pair for key, value in config.items() for pair in leaves(value, [key]))
    assert {k: repr(v) for k, v in flat.items()} == {
        k: repr(v).replace("\\x00", "\ufffd") for k, v in expected.items()
    }


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        pytest.param([64, 32], [64, 32], id="one-type"),
        pytest.param([1, 0.5], "[1, 0.5]", id="mixed"),
        pytest.param([[1], [2]], "[[1], [2]]", id="nested"),
        pytest.param(["a", None], '["a", null]', id="none"),
        pytest.param([], "[]", id="empty"),
        pytest.param(list(range(101)), json.dumps(list(range(101))), id="long"),
        pytest.param("x" * 2000, "x" * 1000, id="text"),
        pytest.param(0.1, 0.1, id="number"),
    ],
)
def test_a_param_is_an_attribute_of_the_run_span_whatever_it_is(value, attribute):
    """A golden compares attributes, so one more layer in a list of layers has to be in one."""
    assert attribute_of_param(value) == attribute
