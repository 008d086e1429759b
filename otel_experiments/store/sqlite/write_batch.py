"""Writing a whole batch into SQLite. Its only own decision is the order in which the parts are written."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from otel_experiments.model.batch import WriteBatch
from otel_experiments.store.sqlite.edits import write_edits
from otel_experiments.store.sqlite.join_traces import join_traces, leave_runs
from otel_experiments.store.sqlite.purge import PurgedRuns, purge
from otel_experiments.store.sqlite.span_summaries import SpanCounter
from otel_experiments.store.sqlite.trim_output import OutputTrimmer
from otel_experiments.store.sqlite.unsent import join_arrivals, write_unsent
from otel_experiments.store.sqlite.write_artifacts import ArtifactWriter
from otel_experiments.store.sqlite.write_origin import OriginWriter
from otel_experiments.store.sqlite.write_point import PointWriter
from otel_experiments.store.sqlite.write_run import RunWriter
from otel_experiments.store.sqlite.write_telemetry import TelemetryWriter, advance_segments


class BatchWriter:
    """The writers of one store with what they remember; runs inside the caller's transaction."""

    def __init__(self) -> None:
        self._generation: int | None = None
        self._origins = OriginWriter()
        self._runs = RunWriter(self._origins)
        self._points = PointWriter(self._runs)
        self._spans = SpanCounter()
        self._telemetry = TelemetryWriter(self._runs, self._origins, self._spans)
        self._artifacts = ArtifactWriter(self._runs)
        self._output = OutputTrimmer()
        self._purged = PurgedRuns()

    @property
    def late(self) -> Mapping[str, int]:
        """How many records the latest batch had of runs that were purged, by run; they are not stored."""
        return self._purged.late

    def write(self, connection: sqlite3.Connection, batch: WriteBatch, generation: int) -> None:
        """Write the batch and move the offsets of its journals on.

        `generation` is that of the database: when it has changed, a transaction was rolled back, or this is a
        forked child, and what is remembered may not be stored.

        Raises:
            JournalMovedError: a segment's stored offset is not where the batch begins.
        """
        self._recall(connection, batch, generation)
        advance_segments(connection, batch.journal)
        batch = self._purged.let_in(connection, batch)
        self._write_runs(connection, batch)
        if batch.points:
            self._points.write(connection, batch.points)
        if batch.spans:
            if batch.shared_traces:
                leave_runs(connection, batch.spans, batch.shared_traces, self._points)
            self._telemetry.write_spans(connection, batch.spans)
        if batch.log_records:
            self._telemetry.write_log_records(connection, batch.log_records)
            self._output.after(connection, batch.log_records)
        if batch.instrument_points:
            self._telemetry.write_instrument_points(connection, batch.instrument_points)
        if batch.detach or batch.attach:
            self._attach(connection, batch)
        if batch.artifacts or batch.artifact_uses or batch.artifact_aliases:
            self._artifacts.write(connection, batch)
        if batch.shared_traces:
            join_traces(connection, batch.shared_traces, self._points)
        if batch.edits:
            write_edits(connection, batch.edits, self._runs)
        self._note_unsent(connection, batch)
        self._spans.finish(connection)

    def _recall(self, connection: sqlite3.Connection, batch: WriteBatch, generation: int) -> None:
        """Purge what the batch purges, and forget what may not be there any more."""
        is_new = self._generation != generation
        if is_new:
            self._generation = generation
            self._purged = PurgedRuns()
        self._spans.start(connection, is_new=is_new)
        if batch.purges:
            purge(connection, batch.purges)
            self._spans.forget_changes(connection)
        if self._purged.has_news(connection):
            self._origins.forget()
            self._runs.forget()

    def _attach(self, connection: sqlite3.Connection, batch: WriteBatch) -> None:
        from otel_experiments.store.sqlite.attached import attach, detach  # noqa: PLC0415 - few need it

        for one in batch.attach:
            self._runs.ensure(connection, one.run_id, one.time_ns)
        detach(connection, batch.detach, self._points)
        attach(connection, batch.attach)

    def _write_runs(self, connection: sqlite3.Connection, batch: WriteBatch) -> None:
        if batch.runs or batch.sightings or batch.state_changes or batch.heartbeats:
            self._runs.write_runs(
                connection, batch.runs, batch.sightings, batch.state_changes, batch.heartbeats,
                is_journalled=bool(batch.journal),
            )  # fmt: skip
        if batch.params:
            self._runs.write_params(connection, batch.params)
        if batch.summaries:
            self._runs.write_summaries(connection, batch.summaries)
        if batch.tags:
            self._runs.write_tags(connection, batch.tags)
        if batch.metric_definitions:
            self._runs.write_definitions(connection, batch.metric_definitions)

    def _note_unsent(self, connection: sqlite3.Connection, batch: WriteBatch) -> None:
        for row in batch.unsent:
            self._runs.ensure(connection, row.run_id, row.noted_ns)
        if batch.unsent or batch.sent:
            write_unsent(connection, batch.unsent, batch.sent)
        if batch.journal:
            join_arrivals(connection, batch)
