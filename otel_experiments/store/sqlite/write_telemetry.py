"""Writing spans, log records, data points of instruments and the progress of journals into SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value
from otel_experiments.errors import JournalMovedError
from otel_experiments.model.batch import JournalAdvance
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span
from otel_experiments.store.semantics.identity import instrument_point_hash, log_record_hash
from otel_experiments.store.semantics.span import SpanKey, StoredSpan, latest_forms, received_forms
from otel_experiments.store.sqlite.read_point import null_of_nan
from otel_experiments.store.sqlite.settled import segment_offset
from otel_experiments.store.sqlite.span_summaries import SpanCounter
from otel_experiments.store.sqlite.write_origin import OriginWriter
from otel_experiments.store.sqlite.write_run import RunWriter

# Index: unique (trace_id, span_id).
_KNOWN_SPAN: Final = """
    select run_id, start_ns, end_ns is not null, attached_ns is not null from spans where trace_id = ? and span_id = ?
"""
_GIVE_RUN: Final = "update spans set run_id = ?, attached_ns = ? where trace_id = ? and span_id = ?"
_UPSERT_SPAN: Final = """
    insert into spans (
      trace_id, span_id, parent_span_id, run_id, name, kind, start_ns, end_ns, status, status_message,
      attributes, trace_state, flags, dropped_attributes_count, dropped_events_count, dropped_links_count,
      resource_id, scope_id, attached_ns
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (trace_id, span_id) do update set
      parent_span_id = excluded.parent_span_id, run_id = coalesce(excluded.run_id, spans.run_id),
      name = excluded.name, kind = excluded.kind, start_ns = excluded.start_ns, end_ns = excluded.end_ns,
      status = excluded.status, status_message = excluded.status_message, attributes = excluded.attributes,
      trace_state = excluded.trace_state, flags = excluded.flags,
      dropped_attributes_count = excluded.dropped_attributes_count,
      dropped_events_count = excluded.dropped_events_count,
      dropped_links_count = excluded.dropped_links_count,
      resource_id = excluded.resource_id, scope_id = excluded.scope_id,
      attached_ns = case when excluded.run_id is null then spans.attached_ns else excluded.attached_ns end
"""
_DELETE_EVENTS: Final = "delete from span_events where trace_id = ? and span_id = ?"
_DELETE_LINKS: Final = "delete from span_links where trace_id = ? and span_id = ?"
_INSERT_EVENT: Final = """
    insert into span_events (trace_id, span_id, seq, time_ns, name, attributes, dropped_attributes_count)
    values (?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_LINK: Final = """
    insert into span_links (
      trace_id, span_id, seq, linked_trace_id, linked_span_id, trace_state, attributes, dropped_attributes_count
    ) values (?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_LOG_RECORD: Final = """
    insert into log_records (
      hash, run_id, time_ns, observed_time_ns, event_name, severity_number, severity_text, body, attributes,
      trace_id, span_id, flags, dropped_attributes_count, resource_id, scope_id, attached_ns
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (hash) do update set
      run_id = excluded.run_id, attributes = excluded.attributes, attached_ns = excluded.attached_ns
    where log_records.run_id is null and excluded.run_id is not null
"""
_INSERT_INSTRUMENT_POINT: Final = """
    insert into instrument_points (
      hash, run_id, name, kind, unit, description, time_ns, start_ns, value, value_is_nan, histogram,
      is_monotonic, temporality, flags, attributes, exemplars, resource_id, scope_id, attached_ns
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (hash) do update set run_id = excluded.run_id, attached_ns = excluded.attached_ns
    where instrument_points.run_id is null and excluded.run_id is not null
"""
_UPSERT_SEGMENT: Final = """
    insert into segments (segment_id, stored_bytes) values (?, ?)
    on conflict (segment_id) do update set stored_bytes = excluded.stored_bytes
"""


class TelemetryWriter:
    """Writes what OpenTelemetry calls signals. One for each store; runs inside the caller's transaction."""

    def __init__(self, runs: RunWriter, origins: OriginWriter, counter: SpanCounter) -> None:
        self._counter = counter
        self._runs = runs
        self._origins = origins

    def write_spans(self, connection: sqlite3.Connection, spans: Sequence[Span]) -> None:
        """Upsert spans with their events and links; an ended span stays as it is when an open form comes late.

        What was received comes last, and changes nothing of a span that is there but what `received_forms` lets it.
        """

        def find(key: SpanKey) -> StoredSpan | None:
            return known_span(connection, key)

        journalled = latest_forms(span for span in spans if not span.is_received)
        self._upsert_spans(
            connection,
            [span for span in journalled if span.end_ns is not None or not _is_ended(find, span)],
        )
        there: set[SpanKey] = set()

        def find_received(key: SpanKey) -> StoredSpan | None:
            known = find(key)
            if known is not None:
                there.add(key)
            return known

        received, runs = received_forms((span for span in spans if span.is_received), find_received)
        self._upsert_spans(connection, received, there)
        for run in runs:
            self._runs.ensure(connection, run.run_id, run.start_ns)
        connection.executemany(_GIVE_RUN, [(run.run_id, run.given_ns, *run.key) for run in runs])

    def _upsert_spans(
        self, connection: sqlite3.Connection, chosen: Sequence[Span], there: Collection[SpanKey] | None = None
    ) -> None:
        """Write spans with their events and links; `there` are those that the store has, None where that is not known."""
        rows, keys = [], []
        for span in chosen:
            if span.run_id is not None:
                self._runs.ensure(connection, span.run_id, span.start_ns)
            resource_id, _ = self._origins.resource(connection, span.resource)
            scope_id, _ = self._origins.scope(connection, span.scope)
            if there is None or (span.trace_id, span.span_id) in there:
                keys.append((span.trace_id, span.span_id))
            rows.append(
                (
                    span.trace_id, span.span_id, span.parent_span_id, span.run_id, clean_text(span.name),
                    int(span.kind), span.start_ns, span.end_ns, int(span.status), clean_text(span.status_message),
                    dump_value(span.attributes), span.trace_state, span.flags, span.dropped_attributes_count,
                    span.dropped_events_count, span.dropped_links_count, resource_id, scope_id, span.given_ns,
                )
            )  # fmt: skip
        connection.executemany(_UPSERT_SPAN, rows)
        self._counter.count(connection, rows)
        connection.executemany(_DELETE_EVENTS, keys)
        connection.executemany(_DELETE_LINKS, keys)
        connection.executemany(
            _INSERT_EVENT,
            [
                (span.trace_id, span.span_id, seq, event.time_ns, clean_text(event.name),
                 dump_value(event.attributes), event.dropped_attributes_count)
                for span in chosen
                for seq, event in enumerate(span.events)
            ],
        )  # fmt: skip
        connection.executemany(
            _INSERT_LINK,
            [
                (span.trace_id, span.span_id, seq, link.trace_id, link.span_id, link.trace_state,
                 dump_value(link.attributes), link.dropped_attributes_count)
                for span in chosen
                for seq, link in enumerate(span.links)
            ],
        )  # fmt: skip

    def write_log_records(self, connection: sqlite3.Connection, records: Iterable[LogRecord]) -> None:
        """Insert log records that are not there yet; one that is there without a run takes the run."""
        rows = []
        for record in records:
            if record.run_id is not None:
                self._runs.ensure(connection, record.run_id, record.time_ns)
            resource_id, resource_hash = self._origins.resource(connection, record.resource)
            scope_id, scope_hash = self._origins.scope(connection, record.scope)
            rows.append(
                (
                    log_record_hash(record, resource_hash, scope_hash), record.run_id, record.time_ns,
                    record.observed_time_ns, clean_text(record.event_name), record.severity_number,
                    clean_text(record.severity_text), dump_value(record.body), dump_value(record.attributes),
                    record.trace_id, record.span_id, record.flags, record.dropped_attributes_count,
                    resource_id, scope_id, record.given_ns,
                )
            )  # fmt: skip
        connection.executemany(_INSERT_LOG_RECORD, rows)

    def write_instrument_points(
        self, connection: sqlite3.Connection, points: Iterable[InstrumentPoint]
    ) -> None:
        """Insert data points that are not there yet; one that is there without a run takes the run it was attached to."""
        rows = []
        for point in points:
            if point.run_id is not None:
                self._runs.ensure(connection, point.run_id, point.time_ns)
            resource_id, resource_hash = self._origins.resource(connection, point.resource)
            scope_id, scope_hash = self._origins.scope(connection, point.scope)
            value = null_of_nan(point.value)
            rows.append(
                (
                    instrument_point_hash(point, resource_hash, scope_hash), point.run_id, clean_text(point.name),
                    point.kind, clean_text(point.unit), clean_text(point.description), point.time_ns,
                    point.start_ns, value, int(value is None and point.value is not None),
                    None if point.histogram is None else dump_value(point.histogram), int(point.is_monotonic),
                    point.temporality, point.flags, dump_value(point.attributes), dump_value(point.exemplars),
                    resource_id, scope_id, point.given_ns,
                )
            )  # fmt: skip
        connection.executemany(_INSERT_INSTRUMENT_POINT, rows)


def advance_segments(connection: sqlite3.Connection, advances: Iterable[JournalAdvance]) -> None:
    """Move the stored offsets on.

    Raises:
        JournalMovedError: a segment does not stand where its advance starts.
    """
    for advance in advances:
        found = segment_offset(connection, advance.segment_id)
        if found != advance.start_offset:
            raise JournalMovedError(segment_id=advance.segment_id, expected=advance.start_offset, found=found)
        connection.execute(_UPSERT_SEGMENT, (advance.segment_id, advance.end_offset))


def known_span(connection: sqlite3.Connection, key: SpanKey) -> StoredSpan | None:
    """Return what is stored of a span; None where there is none."""
    row = connection.execute(_KNOWN_SPAN, key).fetchone()
    return None if row is None else StoredSpan(row[0], row[1], bool(row[2]), bool(row[3]))


def _is_ended(find: Callable[[SpanKey], StoredSpan | None], span: Span) -> bool:
    known = find((span.trace_id, span.span_id))
    return known is not None and known.is_ended
