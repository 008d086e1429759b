"""Batches: whole or not at all, once, and exactly once where they come from a journal."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from otel_experiments.errors import JournalMovedError, QueryError, StoreClosedError
from otel_experiments.model.batch import (
    Heartbeat,
    JournalAdvance,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Owner, RunState
from otel_experiments.model.search import (
    RunQuery,
    SpanQuery,
)
from otel_experiments.model.span import Resource
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import LOSS, OTHER, RUN, a_block, a_run, a_span


class BatchContract:
    """Batches: whole or not at all, once, and exactly once where they come from a journal."""

    has_sql: ClassVar[bool] = False
    is_one_file: ClassVar[bool] = False
    hears_other_hosts: ClassVar[bool] = True

    def test_an_empty_store_answers_every_question(self, store: Store) -> None:
        """A store without data gives empty answers, not errors."""
        assert store.experiments() == []
        assert store.find_runs(RunQuery()) == []
        assert store.count_runs(RunQuery()) == 0
        assert store.get_run(RUN) is None
        assert store.resolve_run_ids("a") == []
        assert store.params([RUN]) == {RUN: {}}
        assert store.tags([RUN]) == {RUN: {}}
        assert store.series([RUN]) == {RUN: []}
        assert len(store.points(RUN, LOSS)) == 0
        assert list(store.band(RUN, LOSS, buckets=10).counts) == []
        assert store.spans(SpanQuery()) == []
        assert store.log_records() == []
        assert store.instrument_points() == []
        assert store.journal_offset("segment") == 0
        assert store.journal_reports() == []

    def test_applying_a_batch_twice_is_applying_it_once(self, store: Store) -> None:
        """Everything but points is an idempotent upsert."""
        batch = WriteBatch(
            runs=[a_run(), a_run(OTHER, created_ns=500)],
            state_changes=[
                RunStateChange(RUN, RunState.PAUSED, 4_000),
                RunStateChange(RUN, RunState.RUNNING, 5_000),
            ],
            heartbeats=[Heartbeat(RUN, 6_000)],
            params=[ParamSet(RUN, "lr", 0.1, 1)],
            tags=[TagSet(RUN, "t", "v", 1)],
            metric_definitions=[MetricDefinition(RUN, "loss", "min")],
            spans=[a_span(end_ns=None), a_span(), a_span("9" * 16, end_ns=None)],
            log_records=[LogRecord(1, 2)],
            instrument_points=[InstrumentPoint("x", "gauge", 1, value=1)],
        )

        def everything() -> object:
            return (
                store.find_runs(RunQuery()), store.experiments(), store.params([RUN]), store.tags([RUN]),
                store.spans(SpanQuery()), store.log_records(), store.instrument_points(),
            )  # fmt: skip

        store.apply(batch)
        once = everything()
        store.apply(batch)

        assert everything() == once

    def test_a_journal_is_taken_exactly_once(self, store: Store) -> None:
        """The offset moves with the data; a batch that another process has applied is refused whole."""
        batch = WriteBatch(points=[a_block([1.0])], journal=[JournalAdvance("seg", 0, 100)])
        store.apply(batch)

        with pytest.raises(JournalMovedError) as caught:
            store.apply(replace(batch, runs=[a_run(OTHER)]))

        assert (caught.value.expected, caught.value.found) == (0, 100)
        assert store.journal_offset("seg") == 100
        assert len(store.points(RUN, LOSS)) == 1
        assert store.get_run(OTHER) is None

    def test_a_refused_batch_leaves_no_trace_of_earlier_advances(self, store: Store) -> None:
        """When one of several segments has moved, the others stand where they stood."""
        store.apply(WriteBatch(journal=[JournalAdvance("b", 0, 10)]))

        with pytest.raises(JournalMovedError):
            store.apply(
                WriteBatch(
                    journal=[JournalAdvance("a", 0, 5), JournalAdvance("a", 5, 7), JournalAdvance("b", 0, 3)]
                )
            )
        store.apply(WriteBatch(journal=[JournalAdvance("a", 0, 5), JournalAdvance("a", 5, 7)]))

        assert (store.journal_offset("a"), store.journal_offset("b")) == (7, 10)

    def test_a_batch_that_cannot_be_stored_leaves_nothing_behind(self, store: Store) -> None:
        """A value of a foreign type refuses the whole batch, and the store goes on working."""
        bad = a_span("8" * 16, attributes={"what": object()}, resource=Resource({"new": 1}), run_id=OTHER)

        with pytest.raises(TypeError, match="object"):
            store.apply(WriteBatch(runs=[a_run()], points=[a_block([1.0])], spans=[a_span(), bad]))
        store.apply(WriteBatch(spans=[replace(bad, attributes={})]))

        assert store.get_run(RUN) is None
        assert len(store.points(RUN, LOSS)) == 0
        assert store.spans(SpanQuery()) == [replace(bad, attributes={})]

    def test_forgotten_segments_start_anew(self, store: Store) -> None:
        """Bookkeeping of deleted segments goes away."""
        store.apply(WriteBatch(journal=[JournalAdvance("a", 0, 5), JournalAdvance("b", 0, 5)]))

        store.forget_segments(["a", "never seen"])

        assert (store.journal_offset("a"), store.journal_offset("b")) == (0, 5)

    def test_the_latest_report_of_each_journal_is_kept(self, store: Store) -> None:
        """Readers on other hosts read who records into the store, what waits, and that nothing more comes, in any order."""
        first = JournalReport("one", Owner("host-1", "boot", 7, 1), "/journals", 10, 70, 3, 400)
        last = replace(first, time_ns=20, next_ns=0, waiting_records=0, waiting_bytes=0)
        other = replace(first, journal_id="two", owner=Owner("host-0", "boot", 8, 1))

        store.apply(WriteBatch(journal_reports=[first, other], points=[a_block([1.0])]))
        at_first = store.journal_reports()
        store.apply(WriteBatch(journal_reports=[last]))
        store.apply(WriteBatch(journal_reports=[first]))

        assert at_first == ([other, first] if self.hears_other_hosts else [])
        assert store.journal_reports() == ([other, last] if self.hears_other_hosts else [])

    def test_sql_reads_or_is_refused(self, store: Store) -> None:
        """SQL stores answer with names and rows; a store without SQL says so."""
        store.apply(WriteBatch(runs=[a_run()]))
        if not self.has_sql:
            with pytest.raises(QueryError):
                store.sql("select 1")
            return

        names, rows = store.sql("select run_id, name from runs where name = :name", {"name": "brave-otter"})

        assert (names, rows) == (["run_id", "name"], [(RUN, "brave-otter")])

    def test_sql_reads_no_more_rows_than_asked_for(self, store: Store) -> None:
        """A limit ends a statement that would answer without end."""
        if not self.has_sql:
            return
        endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"

        assert store.sql(endless, limit=3)[1] == [(1,), (2,), (3,)]

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """Closing twice is safe, using the store afterwards is not."""
        store.close()
        store.close()

        with pytest.raises(StoreClosedError):
            store.find_runs(RunQuery())
        with pytest.raises(StoreClosedError):
            store.apply(WriteBatch(runs=[a_run()]))

    def test_a_store_knows_whether_its_file_holds_everything(self, store: Store) -> None:
        """A file that was written to says that a copy of it may lack the newest rows, until it is settled; memory needs no file."""
        assert store.is_settled
        store.apply(WriteBatch(runs=[a_run()]))

        assert store.is_settled is not self.is_one_file
        store.settle()
        assert store.is_settled
