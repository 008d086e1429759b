"""Reading spans, log records and data points of instruments from SQLite."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from fnmatch import translate
from typing import Any, Final

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value, load_attributes, load_mappings, load_value
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.page import Page
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.search import check
from otel_experiments.store.sqlite.paging import PageStatement, page_statement
from otel_experiments.store.sqlite.record_places import SPAN_PLACES
from otel_experiments.store.sqlite.search import Bound, Statement
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    readable,
    sql_literal,
    tell,
)

_SPAN_COLUMNS: Final = (
    "trace_id, span_id, name, start_ns, end_ns, parent_span_id, kind, status, status_message, attributes, "
    "trace_state, flags, dropped_attributes_count, dropped_events_count, dropped_links_count, run_id, "
    "resource_id, scope_id"
)
# Indexes: the primary keys of span_events and span_links, one stretch a span.
_EVENTS: Final = """
    select span_events.trace_id, span_events.span_id, name, time_ns, attributes, dropped_attributes_count
    from json_each(?) wanted cross join span_events
      on span_events.trace_id = json_extract(wanted.value, '$[0]')
      and span_events.span_id = json_extract(wanted.value, '$[1]')
    order by span_events.trace_id, span_events.span_id, seq
"""
_LINKS: Final = """
    select span_links.trace_id, span_links.span_id, linked_trace_id, linked_span_id, attributes, trace_state,
      dropped_attributes_count
    from json_each(?) wanted cross join span_links
      on span_links.trace_id = json_extract(wanted.value, '$[0]')
      and span_links.span_id = json_extract(wanted.value, '$[1]')
    order by span_links.trace_id, span_links.span_id, seq
"""
_LOG_COLUMNS: Final = (
    "time_ns, observed_time_ns, event_name, severity_number, severity_text, body, attributes, trace_id, span_id, "
    "flags, dropped_attributes_count, run_id, resource_id, scope_id"
)
_INSTRUMENT_COLUMNS: Final = (
    "name, kind, time_ns, start_ns, unit, description, value, value_is_nan, histogram, is_monotonic, temporality, "
    "flags, attributes, exemplars, run_id, resource_id, scope_id"
)


def span_statement(query: SpanQuery) -> PageStatement:
    """Return the SQL of a query over spans with its bound values. Indexes: spans_by_run, by trace, by name."""
    made = Statement(SPAN_PLACES)
    conditions: list[str] = []

    def add(condition: str, *values: Bound) -> None:
        if None not in values:
            conditions.append(condition.format(*map(made.bind, values)))

    add("run_id = {}", query.run_id)
    add("trace_id = {}", query.trace_id)
    add("name = {}", query.name)
    if query.name_glob is not None:
        glob = clean_text(query.name_glob)
        prefix = re.split(r"[*?\[]", glob, maxsplit=1)[0]
        if prefix:
            add("name >= {} and name < {}", prefix, f"{prefix}\U0010ffff")
        add("cast(name as blob) regexp {}", rf"\A{translate(glob)}")
    add("end_ns - start_ns >= {}", query.min_duration_ns)
    add("end_ns - start_ns <= {}", query.max_duration_ns)
    if query.is_error is not None:
        add(f"status {'=' if query.is_error else '<>'} {int(StatusCode.ERROR)}")
    for key, value in query.attributes:
        # The substring test spares the parsing of almost all spans that do not have the key.
        if key.isascii() and not key.startswith("$"):
            add("instr(attributes, {}) > 0", dump_value(key))
        add("ox_attribute_is(cast(attributes as blob), {}, {})", key, dump_value(value))
    if query.hides_removed:  # index: runs_removed
        conditions.append(
            "(run_id is null or run_id not in (select run_id from runs where removed_ns is not null))"
        )
    if query.where is not None:
        conditions.append(made.where(query.where))
    return page_statement(made, query, columns=_SPAN_COLUMNS, rows="spans", conditions=conditions)


def spans(connection: sqlite3.Connection, query: SpanQuery) -> Page[Span]:
    """Return the spans that the query asks for, in its order.

    Raises:
        QueryError: the expression compares what cannot be compared.
    """
    if query.where is not None:
        check(query.where)
    rows, end = span_statement(query).rows(connection)
    return Page(_spans(connection, rows), end)


def spans_by_key(connection: sqlite3.Connection, keys: Sequence[int]) -> list[Span]:
    """Return the spans of these rows, in this order."""
    return _spans(connection, _rows_by_key(connection, _SPAN_COLUMNS, "spans", "span_key", keys))


def _rows_by_key(
    connection: sqlite3.Connection, columns: str, table: str, key: str, keys: Sequence[int]
) -> list[Any]:
    # Index: the table's primary key, one step a row.
    sql = f"""
        select {columns} from (select key place, value row_key from json_each(?)) wanted
        cross join {table} on {key} = row_key order by place
    """
    return connection.execute(sql, (json.dumps(list(keys)),)).fetchall()


def _spans(connection: sqlite3.Connection, rows: Sequence[Any]) -> list[Span]:
    origins = _Origins(connection)
    keys = [(row[0], row[1]) for row in rows]
    events: dict[tuple[str, str], list[Event]] = defaultdict(list)
    links: dict[tuple[str, str], list[Link]] = defaultdict(list)
    wanted = json.dumps(keys, default=str)
    for trace_id, span_id, name, time_ns, attributes, dropped in connection.execute(
        _EVENTS, (wanted,)
    ).fetchall():
        try:
            check_texts(name)
            check_numbers(time_ns)
            events[trace_id, span_id].append(Event(name, time_ns, load_attributes(attributes), dropped))
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "span_events", _span_key((trace_id, span_id)), error)
    for trace_id, span_id, to_trace, to_span, attributes, state, dropped in connection.execute(
        _LINKS, (wanted,)
    ).fetchall():
        try:
            check_texts(to_trace, to_span, state)
            links[trace_id, span_id].append(
                Link(to_trace, to_span, load_attributes(attributes), state, dropped)
            )
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "span_links", _span_key((trace_id, span_id)), error)

    def make(row: Sequence[Any]) -> Span:
        (
            trace_id, span_id, name, start_ns, end_ns, parent_span_id, kind, status, status_message, attributes,
            trace_state, flags, dropped_attributes_count, dropped_events_count, dropped_links_count, run_id,
            resource_id, scope_id, *_,
        ) = row  # fmt: skip
        check_texts(
            trace_id, span_id, name, status_message, trace_state, parent_span_id or "", run_id or ""
        )  # fmt: skip
        check_numbers(start_ns, end_ns, flags)
        return Span(
            trace_id=trace_id, span_id=span_id, name=name, start_ns=start_ns, end_ns=end_ns,
            parent_span_id=parent_span_id, kind=SpanKind(kind), status=StatusCode(status),
            status_message=status_message, attributes=load_attributes(attributes),
            events=tuple(events.get((trace_id, span_id), ())), links=tuple(links.get((trace_id, span_id), ())),
            resource=origins.resource(resource_id), scope=origins.scope(scope_id), trace_state=trace_state,
            flags=flags, dropped_attributes_count=dropped_attributes_count,
            dropped_events_count=dropped_events_count, dropped_links_count=dropped_links_count, run_id=run_id,
        )  # fmt: skip

    return readable(connection, rows, make, table="spans", key=_span_key)


def _span_key(row: Sequence[object]) -> str:
    return f"trace_id = {sql_literal(row[0])} and span_id = {sql_literal(row[1])}"


def log_statement(run_id: str | None, event_name: str | None) -> tuple[str, list[Bound]]:
    """Return the SQL for log records. Indexes: log_records_by_run, log_records_by_event."""
    where, parameters = _equal((("run_id", run_id), ("event_name", event_name)))
    return f"select {_LOG_COLUMNS} from log_records where {where} order by time_ns, log_record_id", parameters


def log_records(
    connection: sqlite3.Connection, run_id: str | None, event_name: str | None
) -> list[LogRecord]:
    """Return log records by time."""
    return _log_records(connection, connection.execute(*log_statement(run_id, event_name)).fetchall())


def log_records_by_key(connection: sqlite3.Connection, keys: Sequence[int]) -> list[LogRecord]:
    """Return the log records of these rows, in this order."""
    return _log_records(
        connection, _rows_by_key(connection, _LOG_COLUMNS, "log_records", "log_record_id", keys)
    )


def _log_records(connection: sqlite3.Connection, rows: Sequence[Any]) -> list[LogRecord]:
    origins = _Origins(connection)

    def make(row: Sequence[Any]) -> LogRecord:
        (
            time_ns, observed_time_ns, event_name_, severity_number, severity_text, body, attributes, trace_id,
            span_id, flags, dropped, run_id_, resource_id, scope_id,
        ) = row  # fmt: skip
        check_texts(event_name_, severity_text, trace_id or "", span_id or "", run_id_ or "")
        check_numbers(time_ns, observed_time_ns, severity_number)
        return LogRecord(
            time_ns=time_ns, observed_time_ns=observed_time_ns, event_name=event_name_,
            severity_number=severity_number, severity_text=severity_text, body=load_value(body),
            attributes=load_attributes(attributes), trace_id=trace_id, span_id=span_id, flags=flags,
            dropped_attributes_count=dropped, resource=origins.resource(resource_id),
            scope=origins.scope(scope_id), run_id=run_id_,
        )  # fmt: skip

    def key(row: Sequence[Any]) -> str:
        return " and ".join(
            (
                f"time_ns = {sql_literal(row[0])}",
                f"event_name = {sql_literal(row[2])}",
                f"run_id is {sql_literal(row[11])}",
            )
        )

    return readable(connection, rows, make, table="log_records", key=key)


def instrument_statement(run_id: str | None, name: str | None) -> tuple[str, list[Bound]]:
    """Return the SQL for data points. Indexes: instrument_points_by_run, instrument_points_by_name."""
    where, parameters = _equal((("run_id", run_id), ("name", name)))
    order = "order by time_ns, instrument_point_id"
    return f"select {_INSTRUMENT_COLUMNS} from instrument_points where {where} {order}", parameters


def instrument_points(
    connection: sqlite3.Connection, run_id: str | None, name: str | None
) -> list[InstrumentPoint]:
    """Return data points of instruments by time."""
    return _instrument_points(connection, connection.execute(*instrument_statement(run_id, name)).fetchall())


def instrument_points_by_key(connection: sqlite3.Connection, keys: Sequence[int]) -> list[InstrumentPoint]:
    """Return the data points of these rows, in this order."""
    rows = _rows_by_key(connection, _INSTRUMENT_COLUMNS, "instrument_points", "instrument_point_id", keys)
    return _instrument_points(connection, rows)


def _instrument_points(connection: sqlite3.Connection, rows: Sequence[Any]) -> list[InstrumentPoint]:
    origins = _Origins(connection)

    def make(row: Sequence[Any]) -> InstrumentPoint:
        (
            name_, kind, time_ns, start_ns, unit, description, value, value_is_nan, histogram, is_monotonic,
            temporality, flags, attributes, exemplars, run_id_, resource_id, scope_id,
        ) = row  # fmt: skip
        check_texts(name_, kind, unit, description, run_id_ or "")
        check_numbers(time_ns, start_ns, value)
        return InstrumentPoint(
            name=name_, kind=kind, time_ns=time_ns, start_ns=start_ns, unit=unit, description=description,
            value=math.nan if value_is_nan else value,
            histogram=None if histogram is None else load_attributes(histogram), is_monotonic=bool(is_monotonic),
            temporality=temporality, flags=flags, attributes=load_attributes(attributes),
            exemplars=load_mappings(exemplars), resource=origins.resource(resource_id),
            scope=origins.scope(scope_id), run_id=run_id_,
        )  # fmt: skip

    def key(row: Sequence[Any]) -> str:
        return " and ".join(
            (
                f"name = {sql_literal(row[0])}",
                f"time_ns = {sql_literal(row[2])}",
                f"run_id is {sql_literal(row[14])}",
            )
        )

    return readable(connection, rows, make, table="instrument_points", key=key)


class _Origins:
    """Resources and scopes by row id, each read once, so that spans of one process share one object."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._resources: dict[int, Resource] = {}
        self._scopes: dict[int, Scope] = {}

    def resource(self, resource_id: int) -> Resource:
        found = self._resources.get(resource_id)
        if found is None:
            sql = "select attributes, schema_url from resources where resource_id = ?"
            attributes, schema_url = self._connection.execute(sql, (resource_id,)).fetchone()
            check_texts(schema_url)
            found = self._resources[resource_id] = Resource(load_attributes(attributes), schema_url)
        return found

    def scope(self, scope_id: int) -> Scope:
        found = self._scopes.get(scope_id)
        if found is None:
            sql = "select name, version, schema_url, attributes from scopes where scope_id = ?"
            name, version, schema_url, attributes = self._connection.execute(sql, (scope_id,)).fetchone()
            check_texts(name, version, schema_url)
            found = Scope(name, version, schema_url, load_attributes(attributes))
            self._scopes[scope_id] = found
        return found


def _equal(wanted: Iterable[tuple[str, str | None]]) -> tuple[str, list[Bound]]:
    given = [(column, value) for column, value in wanted if value is not None]
    return " and ".join(f"{column} = ?" for column, _ in given) or "1", [
        clean_text(value) for _, value in given
    ]
