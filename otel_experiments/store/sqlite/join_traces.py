"""Giving spans and log records that name no run to the run of their trace, whichever of both comes first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

# Indexes: spans_of_no_run, log_records_of_no_run.
_HAS_RUNLESS: Final = """
    select exists (select 1 from spans indexed by spans_of_no_run where trace_id = ?1 and run_id is null)
      or exists (select 1 from log_records indexed by log_records_of_no_run where trace_id = ?1 and run_id is null)
"""
_IS_RUN: Final = "select 1 from runs where run_id = ?"
# Index: unique (trace_id, span_id).
_RUNS_OF_TRACE: Final = """
    select run_id, nullif(min(coalesce(attached_ns, 0)), 0) from spans
    where trace_id = ? and run_id is not null group by run_id limit 2
"""
_GIVE_SPANS: Final = """
    update spans indexed by spans_of_no_run set run_id = ?, attached_ns = ? where trace_id = ? and run_id is null
"""
_GIVE_LOGS: Final = """
    update log_records indexed by log_records_of_no_run set run_id = ?, attached_ns = ?
    where trace_id = ? and run_id is null
"""


def join_traces(connection: sqlite3.Connection, trace_ids: Iterable[str]) -> None:
    """Give what names no run in these traces to their runs; a trace of several runs or none is left alone.

    What belongs to a run because the trace was attached to it counts as attached, too.
    """
    for trace_id in dict.fromkeys(trace_ids):
        if not connection.execute(_HAS_RUNLESS, (trace_id,)).fetchone()[0]:
            continue
        owner = _owner(connection, trace_id)
        if owner is not None:
            connection.execute(_GIVE_SPANS, (*owner, trace_id))
            connection.execute(_GIVE_LOGS, (*owner, trace_id))


def _owner(connection: sqlite3.Connection, trace_id: str) -> tuple[str, int | None] | None:
    """Return the run of a trace, and when the trace was attached to it, if it was."""
    if connection.execute(_IS_RUN, (trace_id,)).fetchone() is not None:
        return trace_id, None
    rows = connection.execute(_RUNS_OF_TRACE, (trace_id,)).fetchall()
    return rows[0] if len(rows) == 1 else None
