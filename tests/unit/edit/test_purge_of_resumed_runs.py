"""A run that goes on after it was read, and before it is taken away, stays with all of its points."""

import time
from dataclasses import replace

import pytest

import otel_experiments as ox
from otel_experiments.edit.runs import RunEditor
from otel_experiments.errors import RunEditError
from otel_experiments.model.batch import TagSet, WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store.memory.store import MemoryStore
from otel_experiments.store.sqlite.store import SqliteStore


@pytest.fixture
def ended(tmp_path):
    """A store with a run that has ended, and the view of it that a person has read."""
    path = tmp_path / "experiments.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    with ox.start_run("x", experiment="digits") as run:
        run.log({"loss": 1.0}, step=0)
    ox.shutdown()
    return path, ox.run("x", store=path)


@pytest.mark.parametrize("now", [False, True])
def test_a_run_that_goes_on_since_it_was_read_is_not_removed(ended, now):
    """What counts is what the processes have recorded up to now, stored or not."""
    path, view = ended
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    with ox.start_run(resume=view.id) as run:
        run.log({"loss": 2.0}, step=1)
        with pytest.raises(RunEditError, match="it is running, and process"):
            view.delete(now=now)
        run.log({"loss": 3.0}, step=2)
    ox.shutdown()
    found = ox.run(view.id, store=path)
    assert list(found.metrics["loss"].points().values) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("make", [MemoryStore, lambda: SqliteStore(None)])
def test_a_purge_asks_in_its_transaction_whether_a_run_is_wanted(make):
    """A run of which the answer is yes stays whole; the others go, and who purges knows which ones stayed."""
    runs = [Run(f"{number:032x}", "digits", "r", RunState.SUCCEEDED, 1) for number in (1, 2, 3)]
    with make() as store:
        store.apply(WriteBatch(runs=runs, tags=[TagSet(run.run_id, "a", "b", 1) for run in runs]))
        ids = [run.run_id for run in runs]
        assert RunEditor(store).purge(ids, unless=lambda run: run.run_id == ids[1]) == {ids[1]}
        assert [store.get_run(run_id) is None for run_id in ids] == [True, False, True]
        assert store.tags([ids[1]]) == {ids[1]: {"a": "b"}}
        assert store.purged_runs().keys() == {ids[0], ids[2]}
        assert RunEditor(store).purge(ids[1:2]) == set()
        assert store.get_run(ids[1]) is None


class Resuming(MemoryStore):
    """A store whose first run goes on just before the first purge reaches it."""

    def apply(self, batch):
        """Let the run go on, and take in the batch."""
        for one in batch.purges[:1]:
            going_on = {"state": RunState.RUNNING, "ended_ns": None, "attempt": 2}
            super().apply(
                WriteBatch(runs=[replace(self.get_run(one.run_id), heartbeat_ns=time.time_ns(), **going_on)])
            )
        super().apply(batch)


def test_a_run_that_goes_on_while_it_is_purged_stays_and_is_named():
    """It had ended when that was asked just before; the others are gone."""
    with Resuming() as store:
        store.apply(
            WriteBatch(
                runs=[Run(f"{n:032x}", "digits", f"r{n}", RunState.SUCCEEDED, 10 - n, 1, 2) for n in (1, 2)]
            )
        )
        with pytest.raises(RunEditError, match=r"r1'.*\n?.*it is running, and another program sends it"):
            Reader(store).runs().delete(now=True)
        assert [run.name for run in Reader(store).runs(visibility="all")] == ["r1"]
