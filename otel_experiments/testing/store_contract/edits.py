"""Edits of stored runs, and runs that are purged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery
from otel_experiments.model.batch import Heartbeat, ParamSet, RunStateChange, TagSet, WriteBatch
from otel_experiments.model.edit import EDIT_FIELDS, EditField, RunContents, RunEdit, RunPurge
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import RunState
from otel_experiments.model.search import RunQuery, SpanQuery, Visibility
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run, a_span, stored

_THIRD = "c" * 32


def _edit(field: EditField, value: str | None = "yes", time_ns: int = 20_000, run_id: str = RUN) -> RunEdit:
    return RunEdit(run_id, field, value, time_ns, "ada")


def _whole(run_id: str = RUN) -> WriteBatch:
    """A run with something in most places that a run may have something in."""
    return WriteBatch(
        runs=[a_run(run_id)],
        params=[ParamSet(run_id, "lr", 0.1, 1_001)],
        tags=[TagSet(run_id, "team", "vision", 1_001)],
        points=[a_block([2.0, 1.0], run_id=run_id)],
        spans=[a_span(run_id[:16], trace_id=run_id, run_id=run_id)],
        log_records=[LogRecord(1_004, 1_004, body=f"hello of {run_id}", run_id=run_id)],
        instrument_points=[InstrumentPoint("depth", "gauge", 1_005, value=3.0, run_id=run_id)],
        artifacts=[ArtifactLogged(run_id, "digits", "model", f"sha256:{'1' * 64}", 1_006)],
    )


def _everything(store: Store) -> list[object]:
    run_ids = [run.run_id for run in store.find_runs(RunQuery(visibility="all"))]
    return [
        store.find_runs(RunQuery(visibility="all")), store.experiments(), store.params(run_ids), store.tags(run_ids),
        store.edits(run_ids), store.series(run_ids), [list(store.points(one, LOSS).values) for one in run_ids],
        store.spans(SpanQuery()), store.log_records(), store.instrument_points(), store.artifacts(ArtifactQuery()),
        store.span_summaries(run_ids),
    ]  # fmt: skip


def _seen(store: Store, visibility: Visibility) -> set[str]:
    found = {run.run_id[0] for run in store.find_runs(RunQuery(visibility=visibility))}
    assert store.count_runs(RunQuery(visibility=visibility)) == len(found)
    return found


class EditContract:
    """Edits of stored runs, and runs that are purged."""

    def test_a_run_shows_its_edits(self, store: Store) -> None:
        """Name, group and note are those of the edit; a mark is the time at which it was set."""
        store.apply(WriteBatch(runs=[a_run()]))
        texts = [_edit("name", "better"), _edit("group", "g"), _edit("note", "# why\nbecause")]
        marks = [_edit("pinned"), _edit("archived", time_ns=20_001), _edit("removed", time_ns=20_002)]

        store.apply(WriteBatch(edits=[*texts, *marks]))

        expected = a_run(
            name="better", group="g", note="# why\nbecause", pinned_ns=20_000, archived_ns=20_001, removed_ns=20_002
        )  # fmt: skip
        assert stored(store) == expected
        found = store.edits([RUN, OTHER])
        assert {one.field for one in found[RUN]} == set(EDIT_FIELDS)
        assert ({one.author for one in found[RUN]}, found[OTHER]) == ({"ada"}, [])

    def test_a_recorder_undoes_no_edit(self, store: Store) -> None:
        """Record, states and signs of life come again and again, later than the edit, and change nothing of it."""
        store.apply(WriteBatch(runs=[a_run()]))
        store.apply(WriteBatch(edits=[_edit("name", "better"), _edit("archived")]))

        store.apply(WriteBatch(runs=[a_run(heartbeat_ns=90_000)], heartbeats=[Heartbeat(RUN, 95_000)]))
        store.apply(WriteBatch(state_changes=[RunStateChange(RUN, RunState.FAILED, 99_000)]))

        run = stored(store)
        assert (run.name, run.archived_ns, run.state) == ("better", 20_000, RunState.FAILED)

    @pytest.mark.parametrize("field", EDIT_FIELDS)
    def test_the_latest_edit_of_a_field_counts(self, store: Store, field: EditField) -> None:
        """An edit that arrives late and was made earlier changes nothing; the same again is the same."""
        store.apply(WriteBatch(runs=[a_run()], edits=[_edit(field, "later", 30_000)]))
        after = stored(store)

        store.apply(WriteBatch(edits=[_edit(field, "earlier"), _edit(field, "later", 30_000)]))

        assert stored(store) == after
        assert [one.time_ns for one in store.edits([RUN])[RUN]] == [30_000]

    def test_an_edit_may_arrive_before_its_run(self, store: Store) -> None:
        """A run whose own record comes later has the edit from the start."""
        store.apply(WriteBatch(edits=[_edit("name", "better"), _edit("pinned")]))
        store.apply(WriteBatch(runs=[a_run()]))

        assert stored(store) == a_run(name="better", pinned_ns=20_000)

    def test_each_visibility_shows_its_runs(self, store: Store) -> None:
        """Archived runs are kept and not listed, removed ones are hidden, until the mark is taken away."""
        store.apply(WriteBatch(runs=[a_run(), a_run(OTHER), a_run(_THIRD)]))
        store.apply(WriteBatch(edits=[_edit("archived", run_id=OTHER), _edit("removed", run_id=_THIRD)]))
        expected: dict[Visibility, set[str]] = {
            "listed": {"a"}, "kept": {"a", "b"}, "archived": {"b"}, "removed": {"c"}, "hidden": {"b", "c"},
            "present": {"a", "b", "c"},
        }  # fmt: skip

        found = {visibility: _seen(store, visibility) for visibility in expected}
        store.apply(WriteBatch(edits=[_edit("removed", None, 30_000, _THIRD)]))

        assert found == expected
        assert _seen(store, "listed") == {"a", "c"}

    def test_a_whole_run_takes_its_edits_along(self, store: Store) -> None:
        """The pages of a run have the latest edit of each field, so that another store shows it as this one does."""
        edits = [_edit("name", "better"), _edit("note", "n"), _edit("pinned", None)]
        store.apply(_whole())
        store.apply(WriteBatch(edits=[*edits, _edit("name", "earlier", 10_000)]))

        found = [one for page in store.whole_run(RUN) for one in page.edits]

        assert sorted(found, key=lambda one: one.field) == sorted(edits, key=lambda one: one.field)

    def test_what_hangs_on_runs_is_counted_together(self, store: Store) -> None:
        """What would go with some runs is known before they go."""
        store.apply(_whole())
        store.apply(_whole(OTHER))

        assert store.run_contents([RUN]) == RunContents(1, 2, 1, 1, 1, 1)
        assert store.run_contents([RUN, OTHER, _THIRD]) == RunContents(2, 4, 2, 2, 2, 2)
        assert store.run_contents([]) == RunContents()

    def test_a_purged_run_is_gone_with_all_that_hangs_on_it(self, store: Store) -> None:
        """What is left is what a store has that never heard of the run; other runs are as they were."""
        store.apply(_whole(OTHER))
        before = _everything(store)
        store.apply(_whole())
        store.apply(WriteBatch(edits=[_edit("name", "better")]))

        store.apply(WriteBatch(purges=[RunPurge(RUN, 50_000)]))

        assert _everything(store) == before
        assert (store.get_run(RUN), store.purged_runs()) == (None, {RUN: 50_000})
        assert store.run_contents([RUN]) == RunContents()

    def test_a_purge_leaves_a_run_of_which_is_said_so(self, store: Store) -> None:
        """The store asks, of the run as it is then, whether it is to stay."""
        store.apply(WriteBatch(runs=[a_run(), a_run(OTHER)]))

        store.apply(
            WriteBatch(
                purges=[RunPurge(one, 50_000, unless=lambda run: run.run_id == OTHER) for one in (RUN, OTHER)]
            )
        )

        assert _seen(store, "all") == {"b"}

    def test_what_arrives_late_of_a_purged_run_is_not_stored(self, store: Store) -> None:
        """Nothing that names it brings half of it back, until a batch says that it brings the whole."""
        store.apply(_whole())
        store.apply(WriteBatch(purges=[RunPurge(RUN, 50_000)]))
        late = _whole()
        late.edits.append(_edit("name", "x"))
        late.heartbeats.append(Heartbeat(RUN, 90_000))

        store.apply(late)
        after_late = store.get_run(RUN), store.spans(SpanQuery()), store.log_records()
        store.apply(replace(_whole(), revivals=[RUN]))

        assert after_late == (None, [], [])
        assert stored(store) == a_run()
        assert len(store.points(RUN, LOSS)) == 2

    def test_a_run_that_is_made_later_under_the_id_of_a_purged_one_is_new(self, store: Store) -> None:
        """A caller's own id is used again: the new run is stored from its first record on."""
        store.apply(_whole())
        store.apply(WriteBatch(purges=[RunPurge(RUN, 50_000)]))
        later = a_run(created_ns=60_000, started_ns=60_001, heartbeat_ns=None)

        store.apply(WriteBatch(runs=[later], points=[a_block([7.0])]))

        assert stored(store) == later
        assert list(store.points(RUN, LOSS).values) == [7.0]
