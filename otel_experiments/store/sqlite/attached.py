"""Telemetry of no run in SQLite: finding it, giving it to a run, taking it back.

Attributes and hashes of content stay as they are, so that the same telemetry received again is still the same.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from otel_experiments.codec.values import load_attributes
from otel_experiments.model.attachment import (
    Attachment,
    Detachment,
    TelemetryGroup,
    TelemetryQuery,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.span import Attributes, service_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION
from otel_experiments.store.semantics.attached import counts_by_series
from otel_experiments.store.sqlite import read_telemetry as _read_telemetry
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.reading import read
from otel_experiments.store.sqlite.unreadable import ABOUT_CONTENT, tell
from otel_experiments.store.sqlite.write_point import PointWriter

_Bound = str | int | None
_PAGE: Final = 2_000

_RESOURCES: Final = "select resource_id, attributes from resources"
# Index: unique (trace_id, span_id).
_FIRST_SPAN: Final = """
    select name from spans where trace_id = ? order by parent_span_id is not null, start_ns, span_key limit 1
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """One of the tables that hold telemetry. `key` orders its rows, `trace` is empty where a row has no trace."""

    name: str
    key: str
    time: str
    trace: str


_SPANS: Final = _Table("spans", "span_key", "start_ns", "trace_id")
_LOGS: Final = _Table("log_records", "log_record_id", "time_ns", "trace_id")
_DATA_POINTS: Final = _Table("instrument_points", "instrument_point_id", "time_ns", "")
_TABLES: Final = (_SPANS, _LOGS, _DATA_POINTS)


@dataclass(slots=True)
class _Counts:
    """Rows of one group, by table, and their times."""

    by_table: dict[str, int]
    first_ns: int
    last_ns: int
    service: str

    def add(self, table: str, count: int, first_ns: int, last_ns: int) -> None:
        self.by_table[table] = self.by_table.get(table, 0) + count
        self.first_ns, self.last_ns = min(self.first_ns, first_ns), max(self.last_ns, last_ns)


def telemetry_groups(
    connection: sqlite3.Connection, query: TelemetryQuery, *, by_trace: bool, limit: int | None
) -> list[TelemetryGroup]:
    """Return how much telemetry a query means, by service or by trace, the newest first."""
    resources = _resources(connection)
    groups: dict[str, _Counts] = {}
    for table in _TABLES:
        if by_trace and not table.trace:
            continue
        where, parameters = _where(table, query, resources)
        trace = table.trace if by_trace else "null"
        for resource_id, trace_id, count, first_ns, last_ns in connection.execute(
            f"select resource_id, {trace}, count(*), min({table.time}), max({table.time}) from {table.name} "
            f"where {where} group by 1, 2",
            parameters,
        ):
            service = service_of(resources.get(resource_id, {}))
            label = trace_id if by_trace else service
            if label is not None:
                groups.setdefault(label, _Counts({}, first_ns, last_ns, service)).add(
                    table.name, count, first_ns, last_ns
                )
    newest = sorted(groups.items(), key=lambda item: (-item[1].last_ns, item[0]))[:limit]
    return [
        TelemetryGroup(
            service=counts.service,
            trace_id=label if by_trace else None,
            name=_name_of(connection, label) if by_trace else "",
            span_count=counts.by_table.get(_SPANS.name, 0),
            log_record_count=counts.by_table.get(_LOGS.name, 0),
            data_point_count=counts.by_table.get(_DATA_POINTS.name, 0),
            first_ns=counts.first_ns,
            last_ns=counts.last_ns,
        )
        for label, counts in newest
    ]


def has_telemetry(connection: sqlite3.Connection) -> bool:
    """Tell whether there is telemetry of no run. Indexes: spans_by_run, log_records_by_run, instrument_points_by_run."""
    return any(
        connection.execute(f"select 1 from {table.name} where {where} limit 1", parameters).fetchone()
        for table in _TABLES
        for where, parameters in [_of_no_run(table)]
    )


def telemetry_items(database: Database, query: TelemetryQuery) -> Iterator[WriteBatch]:
    """Yield the spans and data points that a query means, a page at a time."""
    keys = read(database, _keys, _SPANS, query)
    for start in range(0, len(keys), _PAGE):
        yield WriteBatch(spans=read(database, _read_telemetry.spans_by_key, keys[start : start + _PAGE]))
    keys = read(database, _keys, _DATA_POINTS, query)
    for start in range(0, len(keys), _PAGE):
        part = keys[start : start + _PAGE]
        yield WriteBatch(instrument_points=read(database, _read_telemetry.instrument_points_by_key, part))


def attach(connection: sqlite3.Connection, attachments: Iterable[Attachment]) -> None:
    """Give telemetry of no run to runs, whose rows exist."""
    for one in attachments:
        resources = _resources(connection)
        for table in _TABLES:
            where, parameters = _where(table, one.query, resources)
            connection.execute(
                f"update {table.name} set run_id = ?, attached_ns = ? where {where}",
                (one.run_id, one.time_ns, *parameters),
            )


def detach(connection: sqlite3.Connection, detachments: Iterable[Detachment], points: PointWriter) -> None:
    """Take back what was given to runs, and the points that came of it."""
    for one in detachments:
        run_id = one.query.run_id
        if run_id is None:
            continue
        for key, removed in counts_by_series(run_id, one.points).items():
            points.remove(connection, run_id, key, removed)
        resources = _resources(connection)
        for table in _TABLES:
            where, parameters = _where(table, one.query, resources)
            connection.execute(
                f"update {table.name} set run_id = null, attached_ns = null where {where}", parameters
            )


def _keys(connection: sqlite3.Connection, table: _Table, query: TelemetryQuery) -> list[int]:
    where, parameters = _where(table, query, _resources(connection))
    sql = f"select {table.key} from {table.name} where {where} order by {table.time}, {table.key}"
    return [key for (key,) in connection.execute(sql, parameters)]


def _where(
    table: _Table, query: TelemetryQuery, resources: dict[int, Attributes]
) -> tuple[str, list[_Bound]]:
    """Return the SQL of a query with its bound values. Indexes: TABLE_by_run, TABLE_attached."""
    if query.run_id is None:
        condition, parameters = _of_no_run(table)
        conditions = [condition]
    else:
        conditions, parameters = ["run_id = ? and attached_ns > 0"], [query.run_id]
    for condition, value in (
        (f"{table.trace or 'null'} = ?", query.trace_id),
        (f"{table.time} >= ?", query.since_ns),
        (f"{table.time} < ?", query.until_ns),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    if query.is_of_resources:
        wanted = [row_id for row_id, attributes in resources.items() if query.takes_resource(attributes)]
        conditions.append("resource_id in (select value from json_each(?))")
        parameters.append(json.dumps(wanted))
    return " and ".join(conditions), parameters


def _of_no_run(table: _Table) -> tuple[str, list[_Bound]]:
    """Return the SQL of what belongs to no run and may be given to one: what defines an experiment is the experiment's."""
    if table is _LOGS:
        return "run_id is null and event_name is not ?", [ML_EXPERIMENT_DEFINITION.name]
    return "run_id is null", []


def _resources(connection: sqlite3.Connection) -> dict[int, Attributes]:
    found: dict[int, Attributes] = {}
    for resource_id, attributes in connection.execute(_RESOURCES).fetchall():
        try:
            found[resource_id] = load_attributes(attributes)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "resources", f"resource_id = {resource_id}", error)
    return found


def _name_of(connection: sqlite3.Connection, trace_id: str) -> str:
    row = connection.execute(_FIRST_SPAN, (trace_id,)).fetchone()
    return row[0] if row is not None and isinstance(row[0], str) else ""
