"""Lists of traces from SQLite: what the spans of each come to."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from otel_experiments.model.page import Page
from otel_experiments.model.search import TraceQuery
from otel_experiments.model.span import StatusCode
from otel_experiments.model.trace import Trace
from otel_experiments.store.semantics.search import check
from otel_experiments.store.sqlite.paging import PageStatement, page_statement
from otel_experiments.store.sqlite.record_places import RecordPlaces
from otel_experiments.store.sqlite.search import Statement, Tie
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts, readable, sql_literal

# Indexes: unique (trace_id, span_id), runs_removed.
_TRACES: Final = f"""
    with traces as (
      select trace_id, min(start_ns) as start_ns, max(end_ns) as end_ns, count(*) as spans,
        sum(status = {int(StatusCode.ERROR)}) as errors
      from spans
      where run_id is null or run_id not in (select run_id from runs where removed_ns is not null)
      group by trace_id
    )
"""
# Index: unique (trace_id, span_id).
_ROOT: Final = """
    (select root.{column} from spans root where root.trace_id = {trace}
      and (root.run_id is null or root.run_id not in (select run_id from runs where removed_ns is not null))
      order by root.parent_span_id is not null, root.start_ns, root.span_key limit 1)
"""
_PLACES: Final = RecordPlaces(
    of_what="trace",
    table="traces",
    key="traces.trace_id",
    columns={
        "name": _ROOT.format(column="name", trace="traces.trace_id"),
        "run_id": _ROOT.format(column="run_id", trace="traces.trace_id"),
        "trace_id": "traces.trace_id",
        "started": "(traces.start_ns / 1e9)",
        "duration": "((traces.end_ns - traces.start_ns) / 1e9)",
        "spans": "traces.spans",
        "errors": "traces.errors",
    },
    last=(Tie("traces.start_ns", is_descending=True), Tie("traces.trace_id")),
)


def trace_statement(query: TraceQuery) -> PageStatement:
    """Return the SQL of a query over traces with its bound values; the root is read of those on the page alone."""
    made = Statement(_PLACES)
    conditions = [] if query.where is None else [made.where(query.where)]
    columns = "trace_id, start_ns, end_ns, spans, errors"
    return page_statement(made, query, columns=columns, rows="traces", conditions=conditions, above=_TRACES)


def traces(connection: sqlite3.Connection, query: TraceQuery) -> Page[Trace]:
    """Return the traces that the query asks for, in its order.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    if query.where is not None:
        check(query.where)
    roots = "select {}, {}".format(*(_ROOT.format(column=one, trace="?1") for one in ("name", "run_id")))

    def make(row: Sequence[Any]) -> Trace:
        trace_id, start_ns, end_ns, span_count, error_count, *_ = row
        name, run_id = connection.execute(roots, (trace_id,)).fetchone()
        check_texts(trace_id, name, run_id or "")
        check_numbers(start_ns, end_ns, span_count, error_count)
        return Trace(trace_id, name, run_id, start_ns, end_ns, span_count, error_count)

    rows, end = trace_statement(query).rows(connection)
    found = readable(
        connection, rows, make, table="spans", key=lambda row: f"trace_id = {sql_literal(row[0])}"
    )
    return Page(found, end)
