"""Artifacts that a run uses, and aliases that it sets: found in the store, and recorded as used."""

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.errors import ArtifactNotFoundError, ConfigurationError
from otel_experiments.model.artifact import ArtifactQuery

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def stored(**conditions):
    """Return what the store has of artifacts, oldest first."""
    found = active_store().artifacts(ArtifactQuery(**conditions))
    return sorted(found, key=lambda one: one.logged.time_ns)


def losses(run):
    """Return {(kind, name): count} of what a stored run lost."""
    return {(one.kind, one.name): one.count for one in ox.run(run.id).losses}


def test_an_alias_moves_to_the_version_that_got_it_last(recording):
    """`best` means one version at a time."""
    with ox.start_run("r") as run:
        run.log_artifact(b"1", "model", aliases=["best"])
        run.log_artifact(b"2", "model")
        assert run.use_artifact("model:best").read_bytes() == b"1"
        run.set_alias("model", "best")
        assert run.use_artifact("model:best").read_bytes() == b"2"
        run.set_alias("model:v0", "best")
        assert run.use_artifact("model:best").read_bytes() == b"1"
        run.set_alias(run.use_artifact("model:v1"), "best")
        assert run.use_artifact("model:best").read_bytes() == b"2"


def test_used_artifacts_are_recorded(recording):
    """Whoever reads the store later sees which run used which bytes."""
    with ox.start_run("producer", experiment="e") as run:
        run.log_artifact(b"hello", "data", aliases=["train"])
    with ox.start_run("consumer", experiment="f") as run:
        for ref in ("e/data:train", "e/data:v0", "e/data", HELLO, HELLO[:20], "sha256-" + HELLO[7:39]):
            assert run.use_artifact(ref).read_bytes() == b"hello"

    used = active_store().artifact_uses(run_ids=[run.id])
    assert {(one.digest, one.experiment, one.name) for one in used} == {(HELLO, "e", "data")}


def test_a_run_uses_what_it_has_just_logged(recording):
    """What this run has recorded is stored before an artifact is looked for, that of `wait=False` as well."""
    with ox.start_run("r") as run:
        run.log_artifact(b"x" * 100_000, "a", wait=False)
        assert run.use_artifact("a").size_bytes == 100_000


def test_an_artifact_that_there_is_not_is_an_error_with_the_nearest_names(recording):
    """A program that asks for data cannot go on without it."""
    with ox.start_run("r", experiment="e") as run:
        run.log_artifact(b"1", "training-data")
        with pytest.raises(ArtifactNotFoundError, match="training-data"):
            run.use_artifact("trainig-data")
        with pytest.raises(ConfigurationError, match="it is of type int"):
            run.use_artifact(5)

    assert active_store().artifact_uses(run_ids=[run.id]) == []


def test_an_alias_of_nothing_is_told(forgiving, caplog):
    """Setting an alias records, so it raises nothing."""
    with ox.start_run("r") as run:
        run.set_alias("nothing", "best")
        run.set_alias("nothing", "v1")

    assert losses(run) == {("artifact alias", "best"): 1, ("artifact alias", "v1"): 1}


@pytest.mark.parametrize("how", ["paused", "finished"])
def test_a_run_that_takes_nothing_keeps_no_artifact(forgiving, how):
    """What comes in a pause or after the end is counted, not kept; an artifact can still be read."""
    with ox.start_run("r") as run:
        run.log_artifact(b"1", "a")
        if how == "paused":
            run.pause()
        else:
            run.finish()
        assert run.log_artifact(b"2", "b") == ""
        assert run.log_artifact(b"2", "b", wait=False).result() == ""
        run.set_alias("a", "best")
        assert run.use_artifact("a").read_bytes() == b"1"

    assert run.refused == {"artifact": 2, "artifact alias": 1, "artifact use": 1}
    assert [one.logged.name for one in stored()] == ["a"]


def test_artifacts_of_a_store_in_memory_are_there_while_the_process_is(configure):
    """A notebook that keeps nothing on disk reads what it has logged."""
    configure(store="memory://")
    with ox.start_run("r") as run:
        run.log_artifact(b"hello", "a")
        assert run.use_artifact("a").read_bytes() == b"hello"
