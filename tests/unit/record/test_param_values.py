"""Values of params and tags: kept exactly, or told and counted; nothing large is expanded."""

import collections
import itertools
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import otel_experiments as ox
from otel_experiments.codec.plain import PARAM_LIMITS
from otel_experiments.record.params.flatten import flatten_params


class Lazy(collections.abc.Sequence):
    """A sequence that makes its items when it is asked, as datasets do."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        raise AssertionError("nobody is to load an item for its params")


class Endless(collections.abc.Sequence):
    """A sequence that says it is short, and is not."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index

    def __iter__(self):
        return itertools.count()


class Tensor:
    """An array as torch has it: `size` is a method."""

    def __init__(self, *shape):
        self.shape = shape
        self.dtype = "torch.float32"

    def size(self):
        """Return the shape."""
        return self.shape

    def tolist(self):
        """Return its elements."""
        assert np.prod(self.shape) <= 1000
        return np.zeros(self.shape).tolist()


LARGE = [
    pytest.param(range(10**7), "range(0, 10000000)", id="range"),
    pytest.param(range(10**8), "range(0, 100000000)", id="large range"),
    pytest.param(range(10**30), f"range(0, {10**30})", id="range that has no len"),
    pytest.param([0] * 10**6, "<list of 1,000,000 items: [0, 0, 0, ...]>", id="list"),
    pytest.param((0,) * (PARAM_LIMITS.max_items + 1), "<tuple of 10,001 items: [0, 0, 0, ...]>", id="tuple"),
    pytest.param(set(range(20_000)), "<set of 20,000 items>", id="set"),
    pytest.param(dict.fromkeys(range(20_000)).values(), "<dict_values of 20,000 items>", id="values of a dict"),
    pytest.param(collections.deque(range(20_000)), "<deque of 20,000 items>", id="deque"),
    pytest.param(Lazy(10**6), "<Lazy of 1,000,000 items>", id="lazy"),
    pytest.param(np.zeros((100, 50)), "<numpy.ndarray of shape (100, 50), float64>", id="array"),
    pytest.param(np.zeros(10**7, "int8"), "<numpy.ndarray of shape (10000000,), int8>", id="large array"),
    pytest.param(Tensor(512, 512), "<tests.Tensor of shape (512, 512), torch.float32>", id="tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), LARGE)
@pytest.mark.parametrize("place", ["config", "log_params", "in a list"])
def test_what_is_large_is_kept_as_a_text_that_says_what_it_is(forgiving, caplog, value, text, place):
    """A run starts as fast as ever, its params stay small, and the log says which one is no list."""
    given_value = [value] if place == "in a list" else value
    with ox.start_run("r", config={"big": given_value, "lr": 0.1} if place != "log_params" else None) as run:
        if place == "log_params":
            run.log_params({"big": given_value, "lr": 0.1})

    kept = ox.run("r").params["big"]
    text = text.replace("tests.", f"{Tensor.__module__}.")
    assert (kept[0] if place == "in a list" else kept) == text
    assert ox.run("r").params["lr"] == 0.1
    assert [(loss.kind, loss.name, loss.count) for loss in ox.run("r").losses] == [("kept as text", "big", 1)]
    assert len([r for r in caplog.records if "'big'" in r.getMessage()]) == 1


def test_large_values_cost_next_to_nothing(forgiving):
    """The processor time of a start does not grow with what a range stands for."""
    start_s = time.thread_time()
    with ox.start_run(config={"indices": range(10**8), "rows": [range(10**8)] * 100, "lazy": Lazy(10**9)}):
        pass

    assert time.thread_time() - start_s < 2.0


def test_lists_of_lists_are_bounded_together():
    """A thousand lists of a thousand numbers are not a million numbers in a param."""
    told = []
    flat = flatten_params({"rows": [[0.5] * 1000] * 1000}, tell=lambda *what: told.append(what))

    assert 1000 <= len(str(flat["rows"])) < 200_000
    assert {(kind, name) for kind, name, _ in told} == {("kept as text", "rows")}


def test_a_sequence_without_end_ends():
    """What says that it has three items and goes on for ever is cut, and told."""
    told = []
    flat = flatten_params({"endless": Endless()}, tell=lambda *what: told.append(what))

    assert flat["endless"] == list(range(PARAM_LIMITS.max_items))
    assert [(kind, name) for kind, name, _ in told] == [("text cut", "endless")]


def test_an_iterator_is_not_consumed(recording):
    """What the training is to iterate over is still whole afterwards."""
    numbers, squares = iter([1, 2, 3]), (n * n for n in range(4))
    with ox.start_run(config={"numbers": numbers, "squares": squares}):
        pass

    assert (list(numbers), list(squares)) == ([1, 2, 3], [0, 1, 4, 9])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(np.complex128(1 + 2j), "(1+2j)", id="complex128"),
        pytest.param(1 + 2j, "(1+2j)", id="complex"),
        pytest.param([np.complex64(2j)], ["2j"], id="in a list"),
        pytest.param(np.ma.masked, "--", id="masked"),
        pytest.param(np.longdouble("0.1"), "0.1", id="longdouble"),
        pytest.param(range(3), [0, 1, 2], id="short range"),
        pytest.param(Tensor(2, 1), [[0.0], [0.0]], id="small tensor"),
        pytest.param(np.datetime64("2026-01-02"), "2026-01-02", id="date"),
        pytest.param(2**70, 2**70, id="large integer"),
        pytest.param("a\udce9b", "a\udce9b", id="undecodable"),
    ],
)
def test_values_keep_what_they_say(recording, read, value, kept):
    """No number loses its imaginary part, no mask becomes a zero."""
    with ox.start_run("r", config={"value": value}):
        pass

    assert read("r").params["value"] == kept


def test_two_params_of_one_dotted_name_are_told(forgiving, caplog):
    """The later value is kept, as with params that are set again; the other one is counted."""
    config = {"a.b": 1, "a": {"b": 2, "c": {1: "x", "1": "y"}}}
    with ox.start_run("r", config=config) as run:
        run.log_params(config)

    assert ox.run("r").params.flat == {"a.b": 2, "a.c.1": "y"}
    assert {loss.name: loss.count for loss in ox.run("r").losses} == {"a.b": 2, "a.c.1": 2}
    assert {loss.kind for loss in ox.run("r").losses} == {"param name"}
    assert len(caplog.records) == 2


def test_texts_that_are_cut_or_changed_are_told_by_name(forgiving, caplog):
    """A prompt of 150,000 characters is cut, NUL and half surrogate pairs are replaced: once each in the log."""
    long = "x" * (PARAM_LIMITS.max_text_chars + 50_000)
    with ox.start_run("r", config={"prompt": long, "nul": "a\0b"}, tags={"note": long}) as run:
        for _ in range(3):
            run.log_params({"prompt": long, "inside": ["short", long]})
            run.set_tags({"note": long, "bad": "a\udce9", "fine": "x"})

    stored = ox.run("r")
    assert len(stored.params["prompt"]) == len(stored.tags["note"]) == PARAM_LIMITS.max_text_chars
    assert stored.params["nul"] == "a\ufffdb"
    assert stored.tags["bad"] == "a?"
    assert {(loss.kind, loss.name, loss.count) for loss in stored.losses} == {
        ("text cut", "prompt", 4),
        ("text cut", "note", 4),
        ("text cut", "inside", 3),
        ("text changed", "nul", 1),
        ("text changed", "bad", 3),
    }
    assert len(caplog.records) == 5


def test_arrays_of_torch_are_kept_as_what_they_are(forgiving):
    """Small ones as lists, with gradients or without; large ones by shape and type."""
    torch = pytest.importorskip("torch")
    with ox.start_run(
        "r", config={"w": torch.ones(2, requires_grad=True), "W": torch.zeros(64, 64), "z": torch.tensor(1j)}
    ):
        pass

    stored = ox.run("r")
    assert stored.params["w"] == [1.0, 1.0]
    assert stored.params["W"] == "<torch.Tensor of shape (64, 64), torch.float32>"
    assert "1.j" in stored.params["z"]
    assert [(loss.kind, loss.name) for loss in stored.losses] == [("kept as text", "W")]


NAMES = st.text(
    st.sampled_from("ab.\0\ufffd?\udce9\udce8 /é😀") | st.characters(), max_size=6
) | st.sampled_from(["x" * 1001, "x" * 1000 + "\udce9", "x" * 1000 + "\udce8"])
NUMBERS = (
    st.floats()
    | st.integers(-(10**400), 10**400)
    | st.booleans()
    | st.complex_numbers()
    | st.text(max_size=3)
)
LEAVES = (
    NUMBERS
    | st.none()
    | st.binary(max_size=3)
    | st.sampled_from([np.float32(0.5), np.complex64(1j), range(10**7)])
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.recursive(NUMBERS, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6).filter(
        lambda v: isinstance(v, dict)
    )
)
def test_whatever_is_logged_comes_out_or_is_counted(forgiving, values):
    """For any mapping the points that come out and the losses together are the values that went in."""

    def leaves(mapping):
        for value in mapping.values():
            yield from leaves(value) if isinstance(value, dict) and value else [value]

    expected = list(leaves(values))
    with ox.start_run() as run:
        run.log(values)

    stored = ox.run(run.id)
    found = [value for series in stored.metrics.all() for value in series.points().values]
    assert len(found) + stored.lost_count == len(expected)
    if not stored.lost_count:
        assert sorted(map(str, found)) == sorted(str(float(value)) for value in expected)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        NAMES.filter(str.strip),
        st.recursive(
            LEAVES,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_whatever_params_go_in_come_out_or_are_counted(forgiving, config):
    """For any config every leaf is a param of its type and value, or among the losses by name."""

    def leaves(mapping):
        for value in mapping.values():
            yield from leaves(value) if isinstance(value, dict) and value else [value]

    expected = list(leaves(config))
    with ox.start_run() as run:
        run.log_params(config)

    stored = ox.run(run.id)
    assert len(stored.params.flat) <= len(expected) <= len(stored.params.flat) + stored.lost_count
    if not stored.lost_count:

        def kept(value):
            if isinstance(value, (bytes, complex, np.complexfloating)):
                return str(value)
            if isinstance(value, np.generic):
                return value.item()
            if isinstance(value, list):
                return [kept(item) for item in value]
            return {str(key): kept(item) for key, item in value.items()} if isinstance(value, dict) else value

        assert sorted(map(repr, stored.params.flat.values())) == sorted(
            repr(kept(value)) for value in expected
        )
