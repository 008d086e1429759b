"""Giving spans and log records that name no run to the run of others in their trace, as the SQLite store does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from otel_experiments.model.batch import SharedTrace, WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.store.memory.contents import Contents, apply, remove_points
from otel_experiments.store.semantics.span import StoredSpan, leaves_run
from otel_experiments.store.semantics.trace import Membership, TraceRuns, TraceSpan


def join_traces(contents: Contents, traces: Iterable[SharedTrace]) -> None:
    """Put what names no run in these traces into the runs of others, with the points that are made of it."""
    makers = {trace.trace_id: trace.points_of for trace in traces if trace.points_of is not None}
    for trace_id in dict.fromkeys(trace.trace_id for trace in traces):
        spans = [span for span in contents.spans.values() if span.trace_id == trace_id]
        runs = TraceRuns(
            [
                TraceSpan(
                    one.span_id, one.parent_span_id, one.run_id, contents.given_ns((trace_id, one.span_id))
                )
                for one in spans
            ],
            trace_id if trace_id in contents.runs else None,
        )
        changes = runs.changes()
        maker = makers.get(trace_id)
        for span, one in changes:
            place = (trace_id, span.span_id)
            blocks: list[PointBlock] = []
            if maker is not None and span.run_id is not None:
                remove_points(contents, span.run_id, maker(span.run_id, [contents.spans[place]]))
            if maker is not None and one is not None and not one.given_ns:
                blocks = maker(one.run_id, [contents.spans[place]])
            contents.spans[place] = replace(contents.spans[place], run_id=one and one.run_id)
            _mark(contents, place, one)
            apply(contents, WriteBatch(points=blocks))
        for content_hash, record in list(contents.log_records.items()):
            if record.trace_id == trace_id and (record.run_id is None or content_hash in contents.joined):
                found = runs.of_span(record.span_id)
                contents.log_records[content_hash] = replace(record, run_id=found and found.run_id)
                _mark(contents, content_hash, found)


def points_left(contents: Contents, batch: WriteBatch) -> list[tuple[str, list[PointBlock]]]:
    """Return the points of spans that were given a run and come again naming another one themselves, with the run that they leave.

    To be called before the batch is taken; `remove_points` takes them out after it.
    """
    makers = {trace.trace_id: trace.points_of for trace in batch.shared_traces}
    found: dict[tuple[str, str], tuple[str, list[PointBlock]]] = {}
    for span in batch.spans:
        place = (span.trace_id, span.span_id)
        before, maker = contents.spans.get(place), makers.get(span.trace_id)
        if before is None or before.run_id is None or maker is None:
            continue
        is_given = contents.given_ns(place) is not None
        known = StoredSpan(before.run_id, before.start_ns, before.end_ns is not None, is_given)
        if leaves_run(known, span):
            found[place] = before.run_id, maker(before.run_id, [before])
    return list(found.values())


def _mark(contents: Contents, place: object, one: Membership | None) -> None:
    contents.joined.discard(place)
    if one is not None:
        (contents.attached if one.given_ns else contents.joined).add(place)
