"""Artifacts found by a search expression."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import QueryError, SearchSyntaxError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return the address of a store with three artifacts of two runs, one in two versions."""
    path = tmp_path_factory.mktemp("store") / "runs.db"
    ox.configure(store=path, quiet=True, system_metrics_s=0.0)
    try:
        with ox.start_run("a", experiment="e") as run:
            run.log_artifact(
                b"x" * 10, name="model", type="model", step=1, metadata={"f1": 0.8, "set": "val"}
            )
            run.log_artifact(
                b"y" * 2000, name="model", type="model", step=2, metadata={"f1": 0.9}, aliases=["best"]
            )
            run.log_artifact(b"z", name="data.csv", type="dataset")
        with ox.start_run("b", experiment="other") as run:
            run.log_artifact(b"w" * 30, name="model", type="model", step=3)
    finally:
        ox.shutdown()
    return path


FOUND = {
    'type == "model"': ["e/model:v0", "e/model:v1", "other/model:v0"],
    "size > 1e3": ["e/model:v1"],
    'metadata["f1"] > 0.85': ["e/model:v1"],
    'metadata["set"] == "val" or step == 3': ["e/model:v0", "other/model:v0"],
    'aliases == "best"': ["e/model:v1"],
    'aliases == "latest" and type == "model"': ["e/model:v1", "other/model:v0"],
    'name.endswith(".csv")': ["e/data.csv:v0"],
    "version == 1 and files == 1": ["e/model:v1"],
    "not exists(step)": ["e/data.csv:v0"],
    'logged > "2020-01-01" and experiment == "other"': ["other/model:v0"],
    "size / 10 == 1": ["e/model:v0"],
    'digest.startswith("sha256:") and name == "nothing"': [],
}


@pytest.mark.parametrize("where", FOUND)
def test_a_search_finds_artifacts(store, where):
    """Each field is searched as in the search for runs."""
    found = ox.find_artifacts(where=where, store=store)

    assert [one.ref for one in found] == FOUND[where]


def test_a_search_narrows_what_the_arguments_leave(store):
    """An argument and an expression hold together."""
    found = ox.find_artifacts(experiment="e", where='type == "model"', store=store)

    assert [one.ref for one in found] == ["e/model:v0", "e/model:v1"]


def test_the_artifacts_of_a_run_are_searched(store):
    """`run.artifacts.where` is of that run alone, in the order of time."""
    found = ox.run("a", store=store).artifacts.where("step >= 1")

    assert [one.step for one in found] == [1, 2]


def test_a_run_is_named_by_its_id(store):
    """`run_id` finds what one run logged."""
    run_id = ox.run("b", store=store).id

    assert [one.ref for one in ox.find_artifacts(where=f'run == "{run_id}"', store=store)] == [
        "other/model:v0"
    ]


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ("size_bytes > 1", "size"),
        ('kind == "model"', "type"),
        ("f1 > 0.5", 'metadata\\["f1"\\]'),
        ("params.lr > 1", "params"),
        ("size >", "size >"),
    ],
)
def test_what_is_no_field_of_an_artifact_says_what_is(store, where, meant):
    """A field of runs, or of another tracker, is refused with the one that is meant."""
    with pytest.raises(SearchSyntaxError, match=meant):
        ox.find_artifacts(where=where, store=store)


def test_a_search_made_for_runs_is_refused(store):
    """Objects that stand for fields of runs are no fields of artifacts."""
    with pytest.raises(QueryError):
        ox.find_artifacts(where=ox.open_reader(store).store and _of_runs(), store=store)


def _of_runs():
    from otel_experiments.query.search.parser import parse_search

    return parse_search("params.lr > 1")
