"""Joining a run by environment, seen from inside one process."""

import os

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base import propagation


@pytest.fixture
def process(store_path):
    """Set up recording into a new store, and let go of it in the end."""
    yield ox.configure(store=store_path, capture_git=False, system_metrics_s=0)
    ox.shutdown()


def test_a_run_tells_how_to_join_it(process, store_path):
    """The environment of a run names run, store, experiment and the span that is current; nothing is set."""
    before = dict(os.environ)
    with ox.start_run("base", experiment="digits") as run, run.stage("outer") as stage:
        told = run.environment()

    context = stage.span.get_span_context()
    assert told == {
        "OTEL_EXPERIMENTS_RUN_ID": run.id,
        "OTEL_EXPERIMENTS_RUN_NAME": "base",
        "OTEL_EXPERIMENTS_EXPERIMENT": "digits",
        "OTEL_EXPERIMENTS_STORE": str(store_path),
        "TRACEPARENT": propagation.traceparent(context),
    }
    assert dict(os.environ) == before


def test_what_a_run_tells_is_understood(process):
    """Reading the environment of a run gives back the run and the span that was current."""
    with ox.start_run("base") as run:
        found = propagation.read_membership(run.environment())

    assert (found.run_id, found.name, found.experiment) == (run.id, "base", "default")
    assert found.parent.span_id == run.otel_span.get_span_context().span_id
    assert found.parent.is_remote


def test_the_store_is_told_as_it_is_however_the_working_directory_moves(tmp_path, monkeypatch):
    """A store given by a relative path is told by its absolute one."""
    monkeypatch.chdir(tmp_path)
    ox.configure(store="here.db", capture_git=False, system_metrics_s=0)
    with ox.start_run("base") as run:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        told = run.environment()
    ox.shutdown()

    assert told["OTEL_EXPERIMENTS_STORE"] == str(tmp_path / "here.db")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == []


def test_a_run_in_memory_cannot_be_joined():
    """A run that no other process can find says so when it is asked how to join it."""
    ox.configure(store="memory://", capture_git=False, system_metrics_s=0)
    with ox.start_run("base") as run, pytest.raises(ConfigurationError, match="no other process finds it"):
        run.environment()
    ox.shutdown()


def test_without_a_run_to_join_nothing_is_joined():
    """An environment without a run, or with something else for its id, is told, with what to do."""
    with pytest.raises(
        ConfigurationError, match="There is no run to join: OTEL_EXPERIMENTS_RUN_ID is not set"
    ):
        ox.join_run({})
    with pytest.raises(ConfigurationError, match="OTEL_EXPERIMENTS_RUN_ID='17' is not the id of a run"):
        ox.join_run({"OTEL_EXPERIMENTS_RUN_ID": "17"})


def test_leaving_a_joined_run_ends_only_its_own_part(process):
    """After `with join_run()`, the run goes on and takes what its owner records; an exception passes through."""
    with ox.start_run("base") as run:
        error, caught = ValueError("of the worker"), None
        try:
            with ox.join_run(run.environment()) as joined:
                joined.log({"part": 1.0}, step=0)
                raise error
        except ValueError as passed:
            caught = passed
        run.log({"whole": 2.0}, step=0)
        joined.log({"part": 3.0}, step=1)
        assert ox.current_run() is run

    assert caught is error
    stored = ox.run("base")
    assert stored.state == "succeeded"
    assert {name: stored.metrics[name].count for name in stored.metrics} == {"part": 1, "whole": 1}
    assert joined.refused_count == 1


def test_worker_init_joins_nothing_twice(process):
    """In a process where the run is active already, as in a forked worker, the initializer does nothing."""
    with ox.start_run("base") as run:
        ox.worker_init(run.environment(), 3)
        assert ox.current_run() is run


def test_a_run_that_a_member_starts_inside_is_another_one(process, monkeypatch):
    """The first `start_run` of a process that was told a run joins it; inside of that, a new run is a run."""
    with ox.start_run("base") as base:
        told = base.environment()
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    with ox.start_run("ignored") as joined, ox.start_run("inner") as inner:
        pass

    assert joined.id == base.id
    assert inner.id != base.id
    assert ox.run("inner").state == "succeeded"


def test_a_run_joined_without_a_parent_has_a_span_of_its_own(process):
    """Told only the id of a run, a process records under a root of its own in the run's trace."""
    with ox.start_run("base") as run:
        told = {"OTEL_EXPERIMENTS_RUN_ID": run.id}
        with ox.join_run(told) as joined, joined.stage("inner"):
            pass

    names = {span.span_id: span.name for span in ox.run("base").spans}
    tree = {(span.name, names.get(span.parent_span_id)) for span in ox.run("base").spans}
    assert tree == {("run default", None), ("stage worker", None), ("stage inner", "stage worker")}
    assert {span.trace_id for span in ox.run("base").spans} == {run.id}
