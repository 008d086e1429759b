"""A run that is read says what its start was given, and where the words of other trackers are."""

import copy

import pytest

import otel_experiments as ox


@pytest.fixture
def told(store_path):
    """Return a stored run that was given every text."""
    ox.configure(store=store_path)
    with ox.start_run(
        "told",
        group="ablation",
        condition="control",
        hypothesis="less momentum does no harm",
        description="As baseline.",
    ):
        pass
    return ox.run("told")


def test_the_texts_of_the_start_are_read_back(told):
    """Group, condition, hypothesis and description are attributes of the run, as they were arguments of its start."""
    assert told.group == "ablation"
    assert told.condition == "control"
    assert told.hypothesis == "less momentum does no harm"
    assert told.description == "As baseline."


def test_a_run_without_texts_has_empty_ones(store_path):
    """What was not said is an empty text."""
    ox.configure(store=store_path)
    with ox.start_run("silent"):
        pass

    silent = ox.run("silent")

    assert (silent.group, silent.condition, silent.hypothesis, silent.description) == ("", "", "", "")


@pytest.mark.parametrize(
    ("word", "here"),
    [
        ("config", "params"),
        ("files", "artifacts"),
        ("history", "metrics"),
        ("info", "id"),
        ("logged_artifacts", "artifacts"),
        ("notes", "note"),
        ("project", "experiment"),
        ("scan_history", "metrics"),
        ("to_pandas", "metrics"),
    ],
)
def test_a_word_of_another_tracker_says_what_it_is_here(told, word, here):
    """Hands that learnt another tracker are told an attribute that is there."""
    with pytest.raises(
        AttributeError, match=rf"^'RunView' object has no attribute '{word}': .*run\.{here}\b"
    ):
        getattr(told, word)

    assert hasattr(told, here)


def test_a_misspelt_attribute_is_told_as_python_tells_it(told):
    """A name of no tracker has nothing to say, and Python may suggest the right one."""
    with pytest.raises(AttributeError, match=r"^'RunView' object has no attribute 'metrcs'$") as raised:
        _ = told.metrcs

    assert (raised.value.name, raised.value.obj) == ("metrcs", told)


def test_probing_a_run_ends(told):
    """What copies asks for names that are not there, also of a run that holds nothing yet."""
    bare = type(told).__new__(type(told))

    assert not hasattr(bare, "__deepcopy__")
    assert copy.copy(told).name == "told"


def test_an_error_inside_of_a_property_is_the_one_that_is_raised(told, monkeypatch):
    """An attribute of a run that fails to be read says what failed, and not that the run has no such attribute."""
    monkeypatch.delattr(type(told._page), "params")

    with pytest.raises(AttributeError, match="'RunPage' object has no attribute 'params'"):
        _ = told.params
