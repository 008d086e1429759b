"""Giving spans and log records that name no run to the run of others in their trace, whichever of them comes first."""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from otel_experiments.model.batch import SharedTrace
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.span import Span
from otel_experiments.store.semantics.attached import counts_by_series
from otel_experiments.store.semantics.span import leaves_run
from otel_experiments.store.semantics.trace import Membership, TraceRuns, TraceSpan
from otel_experiments.store.sqlite import read_telemetry as _read_telemetry
from otel_experiments.store.sqlite.write_point import PointWriter
from otel_experiments.store.sqlite.write_telemetry import known_span

# Indexes: spans_of_no_run, log_records_of_no_run.
_HAS_RUNLESS: Final = """
    select exists (select 1 from spans indexed by spans_of_no_run where trace_id = ?1 and run_id is null)
      or exists (select 1 from log_records indexed by log_records_of_no_run where trace_id = ?1 and run_id is null)
"""
# Indexes: spans_joined, log_records_joined.
_HAS_JOINED_OTHER: Final = """
    select exists (
        select 1 from spans indexed by spans_joined where trace_id = ?1 and attached_ns = 0 and run_id is not ?2
      ) or exists (
        select 1 from log_records indexed by log_records_joined
        where trace_id = ?1 and attached_ns = 0 and run_id is not ?2
      )
"""
_IS_RUN: Final = "select 1 from runs where run_id = ?"
# Index: unique (trace_id, span_id).
_NAMED: Final = """
    select distinct run_id, attached_ns from spans where trace_id = ? and run_id is not null and attached_ns is not 0 limit 2
"""
# Indexes: spans_of_no_run, spans_joined.
_OUTSIDE: Final = """
    select span_id, parent_span_id, run_id, attached_ns from spans indexed by spans_of_no_run
    where trace_id = ?1 and run_id is null
    union all
    select span_id, parent_span_id, run_id, attached_ns from spans indexed by spans_joined
    where trace_id = ?1 and attached_ns = 0 and run_id is not ?2
"""
# Indexes: log_records_of_no_run, log_records_joined.
_LOGS_OUTSIDE: Final = """
    select log_record_id from log_records indexed by log_records_of_no_run where trace_id = ?1 and run_id is null
    union all
    select log_record_id from log_records indexed by log_records_joined
    where trace_id = ?1 and attached_ns = 0 and run_id is not ?2
"""
# Index: unique (trace_id, span_id).
_SPANS: Final = "select span_id, parent_span_id, run_id, attached_ns from spans where trace_id = ?"
_SPAN_KEY: Final = "select span_key from spans where trace_id = ? and span_id = ?"
_GIVE_SPAN: Final = "update spans set run_id = ?, attached_ns = ? where trace_id = ? and span_id = ?"
_LOGS: Final = """
    select log_record_id, span_id, run_id, attached_ns from log_records indexed by log_records_of_no_run
    where trace_id = ?1 and run_id is null
    union all
    select log_record_id, span_id, run_id, attached_ns from log_records indexed by log_records_joined
    where trace_id = ?1 and attached_ns = 0
"""
_GIVE_LOG: Final = "update log_records set run_id = ?, attached_ns = ? where log_record_id = ?"


def join_traces(connection: sqlite3.Connection, traces: Iterable[SharedTrace], points: PointWriter) -> None:
    """Put what names no run in these traces into the runs of others, with the points that are made of it."""
    gathered: dict[str, SharedTrace] = {}
    for trace in traces:
        known = gathered.get(trace.trace_id)
        if known is None:
            gathered[trace.trace_id] = trace
        elif not trace.run_ids <= known.run_ids or known.points_of is None:
            run_ids = known.run_ids | trace.run_ids
            gathered[trace.trace_id] = SharedTrace(
                trace.trace_id, run_ids, known.points_of or trace.points_of
            )
    for trace in gathered.values():
        if _may_change(connection, trace):
            _join(connection, trace, points)


def leave_runs(
    connection: sqlite3.Connection, spans: Iterable[Span], traces: Iterable[SharedTrace], points: PointWriter
) -> None:
    """Take the points of spans that were given a run out of it, where they come again and name another one themselves.

    To be called before the spans are written.
    """
    makers = {trace.trace_id: trace for trace in traces if trace.points_of is not None}
    leaving = defaultdict[tuple[str, str], set[str]](set)
    for span in spans:
        if span.run_id is None or not span.is_received or span.trace_id not in makers:
            continue
        known = known_span(connection, (span.trace_id, span.span_id))
        if known is not None and known.run_id is not None and leaves_run(known, span):
            leaving[span.trace_id, known.run_id].add(span.span_id)
    for (trace_id, run_id), span_ids in leaving.items():
        blocks = _blocks(connection, makers[trace_id], run_id, sorted(span_ids))
        for key, removed in counts_by_series(run_id, blocks).items():
            points.remove(connection, run_id, key, removed)


def _may_change(connection: sqlite3.Connection, trace: SharedTrace) -> bool:
    if connection.execute(_HAS_RUNLESS, (trace.trace_id,)).fetchone()[0]:
        return True
    return any(
        connection.execute(_HAS_JOINED_OTHER, (trace.trace_id, run_id)).fetchone()[0]
        for run_id in trace.run_ids
    )


def _join(connection: sqlite3.Connection, trace: SharedTrace, points: PointWriter) -> None:
    trace_id = trace.trace_id
    is_run = connection.execute(_IS_RUN, (trace_id,)).fetchone() is not None
    only = _only_run(connection, trace_id, is_run=is_run)
    if only is not None:
        _join_all(connection, trace, only, points)
        return
    spans = map(TraceSpan._make, connection.execute(_SPANS, (trace_id,)).fetchall())
    runs = TraceRuns(spans, trace_id if is_run else None)
    changes = runs.changes()
    _move_points(connection, trace, changes, points)
    connection.executemany(
        _GIVE_SPAN, [(*(one or (None, None)), trace_id, span.span_id) for span, one in changes]
    )
    logs = connection.execute(_LOGS, (trace_id,)).fetchall()
    given = [(runs.of_span(span_id) or (None, None), key) for key, span_id, _, _ in logs]
    connection.executemany(_GIVE_LOG, [(*one, key) for one, key in given])


def _only_run(connection: sqlite3.Connection, trace_id: str, *, is_run: bool) -> Membership | None:
    """Return the membership of all that names no run in a trace where one run is all that is named; None in another one."""
    named = set(connection.execute(_NAMED, (trace_id,)))
    if is_run:
        named.add((trace_id, None))
    if len(named) != 1:
        return None
    ((run_id, attached_ns),) = named
    return Membership(run_id) if attached_ns is None else None


def _join_all(
    connection: sqlite3.Connection, trace: SharedTrace, one: Membership, points: PointWriter
) -> None:
    """Put what is not in the only run of a trace into it, without a look at what is: a long trace comes in many batches."""
    key = trace.trace_id, one.run_id
    found = map(TraceSpan._make, connection.execute(_OUTSIDE, key).fetchall())
    changes: list[tuple[TraceSpan, Membership | None]] = [(span, one) for span in found]
    _move_points(connection, trace, changes, points)
    connection.executemany(_GIVE_SPAN, [(*one, trace.trace_id, span.span_id) for span, _ in changes])
    logs = connection.execute(_LOGS_OUTSIDE, key).fetchall()
    connection.executemany(_GIVE_LOG, [(*one, log_record_id) for (log_record_id,) in logs])


def _move_points(
    connection: sqlite3.Connection,
    trace: SharedTrace,
    changes: Sequence[tuple[TraceSpan, Membership | None]],
    points: PointWriter,
) -> None:
    """Take the points of spans out of the runs that they leave, and put them into those that they join.

    Those of attached spans are made by whoever attaches.
    """
    if trace.points_of is None:
        return
    leaving, joining = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for span, one in changes:
        if span.run_id is not None:
            leaving[span.run_id].append(span.span_id)
        if one is not None and not one.given_ns:
            joining[one.run_id].append(span.span_id)
    for run_id, span_ids in leaving.items():
        for key, removed in counts_by_series(run_id, _blocks(connection, trace, run_id, span_ids)).items():
            points.remove(connection, run_id, key, removed)
    for run_id, span_ids in joining.items():
        points.write(connection, _blocks(connection, trace, run_id, span_ids))


def _blocks(
    connection: sqlite3.Connection, trace: SharedTrace, run_id: str, span_ids: Iterable[str]
) -> list[PointBlock]:
    assert trace.points_of is not None
    keys = [connection.execute(_SPAN_KEY, (trace.trace_id, one)).fetchone()[0] for one in span_ids]
    return trace.points_of(run_id, _read_telemetry.spans_by_key(connection, array("q", keys)))
