"""What comes of a run after it was purged: not stored, and not left out in silence."""

import pytest

from otel_experiments.model.batch import Heartbeat, ParamSet, WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

RUN, OTHER = "ab" * 16, "cd" * 16


@pytest.fixture(params=["sqlite", "memory"])
def store(request, tmp_path):
    """A store that is written directly."""
    with open_store(tmp_path / "x.db" if request.param == "sqlite" else "memory://") as opened:
        yield opened


def points(run_id, count):
    """Return a block of points of two metrics."""
    steps = list(range(count))
    return PointBlock(run_id, (SeriesKey("a"), SeriesKey("b")), steps, steps, (steps, steps))


def test_what_comes_of_a_purged_run_is_counted_and_said_once_for_each_run(store, caplog):
    """The log names the run and the store and says how much it was so far; at the end it says how much it was in all."""
    store.apply(
        WriteBatch(
            runs=[Run(RUN, "e", "n", RunState.SUCCEEDED, 1, 1), Run(OTHER, "e", "o", RunState.RUNNING, 1, 1)]
        )
    )
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    assert caplog.records == []

    store.apply(WriteBatch(points=[points(RUN, 3), points(OTHER, 3)], params=[ParamSet(RUN, "lr", 1, 1)]))
    store.apply(WriteBatch(points=[points(RUN, 2)]))
    where = store.location
    store.close()

    assert [record.message for record in caplog.records] == [
        (
            f"Run {RUN[:12]} was purged from store {where!r}: what comes of it now is not stored (7 records so far). "
            "To keep what its program still sends, record or send it as a new run, or into another store."
        ),
        f"In all 11 records of 1 purged run came to store {where!r} and were not stored.",
    ]


def test_signs_of_life_of_a_purged_run_are_nothing_that_is_lost(store, caplog):
    """A heartbeat has nothing that anybody would miss."""
    store.apply(WriteBatch(runs=[Run(RUN, "e", "n", RunState.SUCCEEDED, 1, 1)]))
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 6_000)]))
    store.close()

    assert caplog.records == []
