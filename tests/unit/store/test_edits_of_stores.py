"""What every store makes of edits of runs, and of runs that are purged, whatever keeps its data."""

from __future__ import annotations

import shutil
import sqlite3
import time
from array import array
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.attachment import Attachment, TelemetryQuery
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import EDIT_FIELDS, RunContents, RunEdit, RunPurge
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.search import Comparison, Exists, RunField, RunQuery, SpanQuery
from otel_experiments.model.span import Event, Link, Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store import open_store

RUN, OTHER, THIRD = "a" * 32, "b" * 32, "c" * 32
LOSS = SeriesKey("loss")
FORMER = Path(__file__).parents[2] / "data" / "store_v5.db"
DIGEST = f"sha256:{'1' * 64}"


def a_run(run_id: str = RUN, **changes: object) -> Run:
    """A run that succeeded, made at 1,000."""
    run = Run(
        run_id, "digits", "base", RunState.SUCCEEDED, created_ns=1_000, started_ns=1_001, ended_ns=1_100
    )
    return replace(run, **changes)


def edit(
    field: str, value: str | None = "yes", time_ns: int = 2_000, run_id: str = RUN, author: str = "ada"
) -> RunEdit:
    """An edit of a run."""
    return RunEdit(run_id, field, value, time_ns, author)  # type: ignore[arg-type] # tests give texts


def whole(run_id: str = RUN) -> WriteBatch:
    """A run with something in every place that a run may have something in."""
    key = run_id[:16]
    return WriteBatch(
        runs=[a_run(run_id)],
        params=[ParamSet(run_id, "lr", 0.1, 1_001)],
        tags=[TagSet(run_id, "team", "vision", 1_001)],
        metric_definitions=[MetricDefinition(run_id, "loss", "min")],
        points=[
            PointBlock(run_id, (LOSS,), array("d", [0, 1]), array("q", [1_002, 1_003]), (array("d", [2, 1]),))
        ],
        spans=[
            Span(
                run_id,
                key,
                "fit",
                1_001,
                1_050,
                run_id=run_id,
                events=(Event("e", 1_002),),
                links=(Link(run_id, key),),
            )
        ],
        log_records=[LogRecord(1_004, 1_004, body=f"hello of {run_id}", run_id=run_id)],
        instrument_points=[InstrumentPoint("depth", "gauge", 1_005, value=3.0, run_id=run_id)],
        artifacts=[ArtifactLogged(run_id, "digits", "model", DIGEST, 1_006)],
        artifact_uses=[ArtifactUsed(run_id, DIGEST, 1_006, "digits", "model")],
        artifact_aliases=[AliasSet("digits", "model", "best", DIGEST, 1_007, run_id)],
    )


def seen(store, visibility: str, where=None) -> set[str]:
    """The first digits of the runs that a visibility shows."""
    query = RunQuery(where, visibility=visibility)  # type: ignore[arg-type] # tests give texts
    found = {run.run_id[0] for run in store.find_runs(query)}
    assert store.count_runs(query) == len(found)
    return found


def test_a_run_shows_its_edits(store):
    """Name, group and note are those of the edit; a mark is the time at which it was set."""
    store.apply(WriteBatch(runs=[a_run(group="g0")]))
    texts = [edit("name", "better"), edit("group", "sweep"), edit("note", "# why\nbecause")]
    store.apply(
        WriteBatch(
            edits=[*texts, edit("pinned"), edit("archived", time_ns=2_001), edit("removed", time_ns=2_002)]
        )
    )

    expected = replace(
        a_run(),
        name="better",
        group="sweep",
        note="# why\nbecause",
        pinned_ns=2_000,
        archived_ns=2_001,
        removed_ns=2_002,
    )
    assert store.get_run(RUN) == expected
    assert {one.field for one in store.edits([RUN, OTHER])[RUN]} == set(EDIT_FIELDS)
    assert store.edits([RUN, OTHER])[OTHER] == []
    assert {one.author for one in store.edits([RUN])[RUN]} == {"ada"}


def test_a_recorder_undoes_no_edit(store):
    """Its record, states and signs of life come again and again, later than the edit, and change nothing of it."""
    store.apply(WriteBatch(runs=[a_run(state=RunState.RUNNING, ended_ns=None)]))
    store.apply(
        WriteBatch(edits=[edit("name", "better"), edit("group", "g"), edit("archived"), edit("note", "n")])
    )

    store.apply(WriteBatch(runs=[a_run(state=RunState.RUNNING, ended_ns=None, heartbeat_ns=9_000)]))
    store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 9_500)]))
    store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.FAILED, 9_900)]))
    store.apply(WriteBatch(runs=[a_run(attempt=2, state=RunState.RUNNING, ended_ns=None, started_ns=10_000)]))

    run = store.get_run(RUN)
    assert (run.name, run.group, run.note, run.archived_ns, run.attempt) == ("better", "g", "n", 2_000, 2)
    assert [
        found.run_id for found in store.find_runs(RunQuery(Comparison(RunField("name"), "==", "better")))
    ] == [RUN]


def test_a_recorder_edits_nothing_by_its_record(store):
    """What a record says of note and marks does not count, when it is the first as when it comes again."""
    odd = a_run(note="x", pinned_ns=1, archived_ns=2, removed_ns=3)
    store.apply(WriteBatch(runs=[odd]))
    store.apply(WriteBatch(runs=[odd], edits=[edit("name", "better")]))
    assert store.get_run(RUN) == a_run(name="better")


@pytest.mark.parametrize("field", EDIT_FIELDS)
def test_the_latest_edit_of_a_field_counts_whatever_the_order(store, field):
    """An edit that arrives late and was made earlier changes nothing; the same again is the same."""
    store.apply(WriteBatch(runs=[a_run()]))
    store.apply(WriteBatch(edits=[edit(field, "later", 3_000)]))
    after = store.get_run(RUN)
    store.apply(WriteBatch(edits=[edit(field, "earlier", 2_000), edit(field, "later", 3_000)]))
    assert store.get_run(RUN) == after
    assert [one.time_ns for one in store.edits([RUN])[RUN]] == [3_000]


def test_of_two_edits_at_the_same_time_the_same_one_counts(store):
    """Two stores that heard of them in another order show the same."""
    store.apply(WriteBatch(runs=[a_run(), a_run(OTHER)]))
    store.apply(WriteBatch(edits=[edit("name", "x"), edit("name", "y")]))
    store.apply(WriteBatch(edits=[edit("name", "y", run_id=OTHER), edit("name", "x", run_id=OTHER)]))
    assert store.get_run(RUN).name == store.get_run(OTHER).name == "y"


def test_an_edit_may_arrive_before_its_run(store):
    """A run whose own record comes later has the edit from the start."""
    store.apply(WriteBatch(edits=[edit("name", "better"), edit("pinned")]))
    store.apply(WriteBatch(runs=[a_run()]))
    assert store.get_run(RUN) == a_run(name="better", pinned_ns=2_000)


def test_each_visibility_shows_its_runs(store):
    """Archived runs are kept and not listed; removed ones are neither, archived or not."""
    store.apply(WriteBatch(runs=[a_run(), a_run(OTHER), a_run(THIRD), a_run("d" * 32)]))
    store.apply(
        WriteBatch(
            edits=[
                edit("archived", run_id=OTHER),
                edit("removed", run_id=THIRD),
                edit("archived", run_id="d" * 32),
                edit("removed", run_id="d" * 32),
            ]
        )
    )
    expected = {
        "listed": "a", "kept": "ab", "archived": "b", "removed": "cd", "hidden": "bcd", "present": "abcd", "all": "abcd"
    }  # fmt: skip
    assert {name: seen(store, name) for name in expected} == {
        name: set(ids) for name, ids in expected.items()
    }
    assert store.experiments()[0].run_count == 2
    assert seen(store, "present", Exists(RunField("archived"))) == {"b", "d"}
    assert seen(store, "all", Comparison(RunField("removed"), ">", 0)) == {"c", "d"}

    store.apply(
        WriteBatch(
            edits=[edit("removed", None, 3_000, run_id=THIRD), edit("archived", None, 3_000, run_id=OTHER)]
        )
    )
    assert seen(store, "listed") == {"a", "b", "c"}


def test_what_a_removed_run_recorded_is_hidden_where_that_is_asked(store):
    """Spans and artifacts of other runs are found; `latest` is the last that a run which is there logged."""
    store.apply(whole(OTHER))
    store.apply(whole())
    second = f"sha256:{'2' * 64}"
    store.apply(WriteBatch(artifacts=[ArtifactLogged(RUN, "digits", "model", second, 2_000)]))
    store.apply(WriteBatch(edits=[edit("removed")]))

    assert {span.run_id for span in store.spans(SpanQuery(hides_removed=True))} == {OTHER}
    assert len(store.spans(SpanQuery())) == 2
    (kept,) = store.artifacts(ArtifactQuery(hides_removed=True))
    assert (kept.logged.run_id, kept.aliases) == (OTHER, ("latest", "best"))
    assert len(store.artifacts(ArtifactQuery())) == 3

    store.apply(WriteBatch(edits=[edit("removed", None, 3_000)]))
    assert [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="latest"))] == [second]


def test_a_whole_run_takes_its_edits_along(store, tmp_path):
    """Another store shows the run as this one does, and an edit there that is later stays."""
    store.apply(whole())
    store.apply(
        WriteBatch(edits=[edit("name", "better"), edit("note", "n"), edit("archived"), edit("pinned", None)])
    )
    with open_store(tmp_path / "other.db") as other:
        other.apply(WriteBatch(edits=[edit("note", "later", 5_000)]))
        for page in store.whole_run(RUN):
            other.apply(page)
        assert other.get_run(RUN) == replace(store.get_run(RUN), note="later")


def test_the_contents_of_runs_are_counted_together(store):
    """What would go with some runs is known before they go."""
    store.apply(whole())
    store.apply(whole(OTHER))
    one = store.run_contents([RUN])
    assert one == RunContents(
        1, point_count=2, span_count=1, log_record_count=1, data_point_count=1, artifact_count=1
    )
    assert store.run_contents([RUN, OTHER, THIRD]).span_count == 2
    assert store.run_contents([]) == RunContents()


def everything(store) -> list[object]:
    """All that a store holds, for comparison."""
    runs = store.find_runs(RunQuery(visibility="all"))
    return [
        *runs, store.experiments(), store.spans(SpanQuery()), store.log_records(), store.instrument_points(),
        store.artifacts(ArtifactQuery(role=None)), store.artifact_uses(), store.unsent(),
        [store.points(run.run_id, LOSS) for run in runs],
        store.params([run.run_id for run in runs]), store.tags([run.run_id for run in runs]),
        store.edits([run.run_id for run in runs]), store.series([run.run_id for run in runs]),
    ]  # fmt: skip


def test_a_purged_run_is_gone_with_all_that_hangs_on_it(store, tmp_path):
    """What is left is what a store has that never heard of the run; other runs are as they were."""
    store.apply(whole(OTHER))
    before = everything(store)
    store.apply(whole())
    store.apply(WriteBatch(edits=[edit("name", "better")]))

    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))

    assert everything(store) == before
    assert store.get_run(RUN) is None
    assert store.purged_runs() == {RUN: 5_000}
    assert store.run_contents([RUN]) == RunContents()
    assert seen(store, "all") == {"b"}


def test_the_last_run_of_an_experiment_takes_it_along(store):
    """No empty experiment is listed; an alias of bytes that no run logged points nowhere."""
    store.apply(whole())
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    assert store.experiments() == []
    store.apply(whole(OTHER))
    store.apply(WriteBatch(artifact_aliases=[]))
    assert [one.version for one in store.artifacts(ArtifactQuery())] == [0]


def test_what_arrives_late_of_a_purged_run_is_not_stored(store):
    """A journal of it, a request, another run's batch that names it: nothing brings half of it back."""
    store.apply(whole())
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    late = whole()
    late.runs += [a_run(OTHER)]
    late.edits += [edit("name", "x")]
    late.state_changes += [RunStateChange(RUN, RunState.FAILED, 9_000)]
    late.heartbeats += [Heartbeat(RUN, 9_000)]

    store.apply(late)

    assert seen(store, "all") == {"b"}
    assert store.spans(SpanQuery()) == store.artifacts(ArtifactQuery()) == store.log_records() == []
    assert store.run_contents([RUN]) == RunContents()


def test_a_run_that_is_made_later_under_the_same_id_is_a_new_one(store):
    """A caller's own id is used again: the new run is stored from its first record on."""
    store.apply(whole())
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    again = whole()
    again.runs = [a_run(created_ns=6_000, started_ns=6_000, ended_ns=6_100)]
    store.apply(again)
    assert store.get_run(RUN).created_ns == 6_000
    assert store.purged_runs() == {}
    assert store.run_contents([RUN]).point_count == 2
    store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 7_000)]))
    assert store.get_run(RUN).heartbeat_ns == 7_000


def test_a_purged_run_comes_back_where_a_batch_says_so(store):
    """An import that was told to brings the whole run, and what comes of it later is stored again."""
    store.apply(whole())
    pages = list(store.whole_run(RUN))
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    store.apply(WriteBatch(revivals=[RUN, OTHER]))
    for page in pages:
        store.apply(page)
    assert store.get_run(RUN) == a_run()
    assert store.run_contents([RUN]).point_count == 2
    assert store.purged_runs() == {}
    store.apply(WriteBatch(purges=[RunPurge(RUN, 6_000)]))
    assert (store.get_run(RUN), store.purged_runs()) == (None, {RUN: 6_000})


def test_what_was_attached_to_a_purged_run_belongs_to_none_again(store):
    """It was sent by another program, and may be attached to another run."""
    store.apply(whole())
    store.apply(WriteBatch(spans=[Span("e" * 32, "e" * 16, "GET", 1_000, 1_001)]))
    store.apply(WriteBatch(attach=[Attachment(RUN, TelemetryQuery(), 1_500)]))
    assert store.run_contents([RUN]).span_count == 2

    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))

    assert [(span.name, span.run_id) for span in store.spans(SpanQuery())] == [("GET", None)]
    assert store.has_telemetry()


def with_environment(run_id: str, of: str | None = None) -> WriteBatch:
    """A run that has the event of its environment, or says whose it shares."""
    shared = {} if of is None else {attr.ML_ENVIRONMENT_RUN_ID: of}
    start = LogRecord(1_001, 1_001, event_name=ML_RUN_START.name, attributes=shared, run_id=run_id)
    own = LogRecord(1_002, 1_002, event_name=ML_RUN_ENVIRONMENT.name, body={"packages": "x"}, run_id=run_id)
    return WriteBatch(runs=[a_run(run_id)], log_records=[start] if of else [start, own])


def test_what_runs_share_stays_until_the_last_of_them_is_purged(store):
    """The environment of a purged run is there for those that name it, hidden, and goes with the last."""
    store.apply(with_environment(RUN))
    store.apply(with_environment(OTHER, of=RUN))
    store.apply(WriteBatch(edits=[edit("name", "x")], tags=[TagSet(RUN, "a", "b", 1)]))

    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
    assert [one.event_name for one in store.log_records(run_id=RUN)] == [ML_RUN_ENVIRONMENT.name]
    assert store.tags([RUN]) == {RUN: {}}
    assert store.edits([RUN]) == {RUN: []}
    assert [seen(store, one) for one in ("kept", "removed", "hidden", "present")] == [
        {"b"},
        set(),
        set(),
        {"b"},
    ]
    assert store.get_run(RUN) is None
    assert store.resolve_run_ids(RUN[:4]) == store.resolve_run_ids("x") == []
    store.apply(with_environment(RUN))
    assert len(store.log_records(run_id=RUN)) == 1

    store.apply(WriteBatch(purges=[RunPurge(OTHER, 6_000)]))
    assert store.log_records() == []
    assert seen(store, "all") == set()


def test_runs_that_share_and_go_together_leave_nothing(store):
    """One purge of all of them needs no second."""
    store.apply(with_environment(RUN))
    store.apply(with_environment(OTHER, of=RUN))
    store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000), RunPurge(OTHER, 5_000)]))
    assert (store.log_records(), seen(store, "all")) == ([], set())


def test_another_process_that_records_on_is_not_in_the_way(tmp_path):
    """What it remembers of rows that are gone does not end its next batch, and it stores nothing of the purged run."""
    path = tmp_path / "experiments.db"
    with open_store(path) as recorder, open_store(path) as other:
        recorder.apply(whole())
        recorder.apply(whole(OTHER))
        other.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)]))
        recorder.apply(whole())
        recorder.apply(whole(THIRD))
        assert seen(recorder, "all") == {"b", "c"}
        assert recorder.run_contents([THIRD]).point_count == 2


def test_a_purge_that_is_rolled_back_is_none(tmp_path):
    """A batch that cannot be stored takes nothing out, and the store goes on."""
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        store.apply(whole())
        bad = LogRecord(1, 1, body=object(), run_id=OTHER)  # type: ignore[arg-type] # on purpose
        with pytest.raises(TypeError):
            store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000)], log_records=[bad]))
        store.apply(WriteBatch(heartbeats=[Heartbeat(RUN, 9_000)]))
        assert store.get_run(RUN).heartbeat_ns == 9_000
        assert store.purged_runs() == {}


def test_a_store_of_the_former_schema_takes_edits(tmp_path):
    """Its runs are there as they were, listed, without an edit, and can be edited and purged."""
    path = shutil.copy(FORMER, tmp_path / "old.db")
    with open_store(path) as store:
        newest, oldest = store.find_runs(RunQuery(visibility="listed"))
        assert (oldest.name, oldest.note, oldest.removed_ns) == ("first", "", None)
        store.apply(WriteBatch(edits=[edit("name", "better", newest.created_ns + 1, newest.run_id)]))
        store.apply(WriteBatch(purges=[RunPurge(oldest.run_id, newest.created_ns)]))
        assert [run.name for run in store.find_runs(RunQuery())] == ["better"]


@pytest.mark.parametrize("is_shared", [False, True])
def test_no_table_has_a_row_of_a_purged_run(tmp_path, is_shared):
    """Whatever a run may have rows in: they are gone, but for what other runs share of it."""
    path = tmp_path / "experiments.db"
    ox.configure(store=path, system_metrics_s=0, capture_git=False)
    with ox.start_run("x", config={"lr": 0.1}, tags=["a"]) as run:
        run.log_params({"lr": 0.2})
        run.summary["best"] = 1
        run.define_metric("loss", direction="min")
        run.log({"loss": 1.0}, step=1)
        run.log_artifact(b"model", name="model", aliases=["best"])
        run.use_artifact("model:best")
        with run.stage("fit"):
            run.emit("lib.event", {"a": 1})
        run.meter.create_counter("lib.count").add(1)
    ox.shutdown()
    with open_store(path) as store:
        if is_shared:
            store.apply(with_environment(OTHER, of=run.id))
            store.apply(replace(with_environment(run.id), runs=[]))
        store.apply(WriteBatch(edits=[edit("note", "n", run_id=run.id)]))
        store.apply(WriteBatch(unsent=[Unsent(run.id, "logs", "x", Owner("h", "b", 1, 1), 5, 1, "off")]))
        store.apply(WriteBatch(purges=[RunPurge(run.id, time.time_ns())]))
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        ]
        with_runs = [
            name
            for name in tables
            if any(row[1] == "run_id" for row in connection.execute(f"pragma table_info({name})"))
        ]
        left = {
            name: count
            for name in with_runs
            if (
                count := connection.execute(
                    f"select count(*) from {name} where run_id = ?", (run.id,)
                ).fetchone()[0]
            )
        }
    assert len(with_runs) > 14
    assert left == {"purged_runs": 1} | ({"runs": 1, "log_records": 1} if is_shared else {})


def test_nothing_refers_to_a_row_that_is_gone(tmp_path):
    """SQLite's own check finds no row without the one that it belongs to."""
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        for run_id in (RUN, OTHER, THIRD):
            store.apply(whole(run_id))
        store.apply(with_environment(THIRD, of=RUN))
        store.apply(with_environment(RUN))
        store.apply(WriteBatch(purges=[RunPurge(RUN, 5_000), RunPurge(OTHER, 5_000)]))
    with sqlite3.connect(path) as connection:
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        assert connection.execute("select count(*) from axes").fetchone() == (1,)
        assert connection.execute("select count(*) from span_events").fetchone() == (1,)
    connection.close()
