"""Giving spans and log records that name no run to the run of their trace, as the SQLite store does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span
from otel_experiments.store.semantics.run import StoredRun


class _Contents(Protocol):
    """What a memory store holds of runs and telemetry; `attached` has the keys of what was attached to a run."""

    runs: dict[str, StoredRun]
    spans: dict[tuple[str, str], Span]
    log_records: dict[str, LogRecord]
    attached: set[object]


def join_traces(contents: _Contents, trace_ids: Iterable[str]) -> None:
    """Give what names no run in these traces to their runs; a trace of several runs or none is left alone."""
    for trace_id in dict.fromkeys(trace_ids):
        run_id, is_attached = _owner(contents, trace_id)
        if run_id is None:
            continue
        for place, span in list(contents.spans.items()):
            if span.trace_id == trace_id and span.run_id is None:
                contents.spans[place] = replace(span, run_id=run_id)
                contents.attached.update([place] if is_attached else [])
        for content_hash, record in list(contents.log_records.items()):
            if record.trace_id == trace_id and record.run_id is None:
                contents.log_records[content_hash] = replace(record, run_id=run_id)
                contents.attached.update([content_hash] if is_attached else [])


def _owner(contents: _Contents, trace_id: str) -> tuple[str | None, bool]:
    """Return the run of a trace, and whether the trace was attached to it."""
    if trace_id in contents.runs:
        return trace_id, False
    places = {
        place: span.run_id
        for place, span in contents.spans.items()
        if span.trace_id == trace_id and span.run_id is not None
    }
    run_ids = set(places.values())
    return (run_ids.pop(), places.keys() <= contents.attached) if len(run_ids) == 1 else (None, False)
