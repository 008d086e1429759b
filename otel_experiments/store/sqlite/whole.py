"""Reading from SQLite all that is stored of a run, page by page, each page in a transaction of its own.

Only the keys of spans, log records and data points are held at once, 8 bytes an item. Points come series by series in the
order of recording; where a series is read on is known by how many points were read, since chunks are put together
while a run is recorded.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from otel_experiments.model.batch import TagSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.given import as_given
from otel_experiments.store.semantics.identity import instrument_point_hash, log_record_hash
from otel_experiments.store.semantics.news import news_of
from otel_experiments.store.semantics.pages import WHOLE_ITEMS, WHOLE_POINTS
from otel_experiments.store.semantics.run import StoredRun
from otel_experiments.store.sqlite import read_artifacts as _read_artifacts
from otel_experiments.store.sqlite import read_telemetry as _read_telemetry
from otel_experiments.store.sqlite import read_values as _read_values
from otel_experiments.store.sqlite.chunk import decode_floats, decode_times
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.edits import edits
from otel_experiments.store.sqlite.reading import read
from otel_experiments.store.sqlite.run_columns import RUN_COLUMNS, STORED, run_of
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    damaged,
    readable,
    sql_literal,
    tell,
)

# Indexes: spans_by_run, log_records_by_run, instrument_points_by_run, unique (run_id, name, phase, rank) of series.
_SPAN_KEYS: Final = "select span_key from spans where run_id is ? order by span_key"
_LOG_KEYS: Final = "select log_record_id from log_records where run_id is ? order by log_record_id"
_INSTRUMENT_KEYS: Final = (
    "select instrument_point_id from instrument_points where run_id is ? order by instrument_point_id"
)
# Index: the primary keys.
_GIVEN_SPANS: Final = """
    select trace_id || span_id, attached_ns from json_each(?) wanted cross join spans on span_key = wanted.value
    where attached_ns is not null
"""
_GIVEN_LOGS: Final = (
    "select hash, attached_ns from json_each(?) wanted cross join log_records on log_record_id = wanted.value"
)
_GIVEN_POINTS: Final = "select hash, attached_ns from json_each(?) wanted cross join instrument_points on instrument_point_id = wanted.value"
_SERIES: Final = "select series_id, name, phase, rank from series where run_id = ? order by series_id"
# Index: unique (series_id, seq).
_COUNTS: Final = "select seq, count, attempt from chunks where series_id = ? order by seq"
_CHUNK: Final = """
    select chunks.count, axes.encoding, steps_data, times_data, chunks.encoding, values_data
    from chunks join axes using (axis_id) where series_id = ? and seq = ?
"""
# Indexes: the primary keys.
_RUN: Final = f"select {RUN_COLUMNS}, {', '.join(STORED)} from runs left join resources using (resource_id) where run_id = ?"
_TAGS: Final = "select key, value, time_ns from tags where run_id = ? order by key"


class _Stretch(NamedTuple):
    """A part of a series, and for how many points of it that stands: more than it has where a chunk is damaged."""

    steps: array[float]
    times_ns: array[int]
    values: array[float]
    covered: int
    attempt: int = 0


def whole_run(database: Database, run_id: str | None) -> Iterator[WriteBatch]:
    """Yield all that is stored of a run, or of none. See `Store.whole_run`."""
    for keys in _key_pages(database, _SPAN_KEYS, run_id):
        spans = read(database, _read_telemetry.spans_by_key, keys)
        given = read(database, _given, _GIVEN_SPANS, keys)
        yield WriteBatch(
            spans=[replace(one, given_ns=given.get(f"{one.trace_id}{one.span_id}")) for one in spans]
        )
    for keys in _key_pages(database, _LOG_KEYS, run_id):
        records = read(database, _read_telemetry.log_records_by_key, keys)
        given = read(database, _given, _GIVEN_LOGS, keys)
        yield WriteBatch(log_records=[as_given(one, log_record_hash, given) for one in records])
    for keys in _key_pages(database, _INSTRUMENT_KEYS, run_id):
        points = read(database, _read_telemetry.instrument_points_by_key, keys)
        given = read(database, _given, _GIVEN_POINTS, keys)
        yield WriteBatch(instrument_points=[as_given(one, instrument_point_hash, given) for one in points])
    if run_id is not None:
        yield from _points(database, run_id)
        yield from _read_artifacts.of_run(database, run_id)
        yield read(database, _run_itself, run_id)


def _given(connection: sqlite3.Connection, sql: str, keys: array[int]) -> dict[str, int | None]:
    """Return when the rows were attached to their run, by what tells them from others."""
    return dict(connection.execute(sql, (json.dumps(list(keys)),)).fetchall())


def _key_pages(database: Database, sql: str, run_id: str | None) -> Iterator[array[int]]:
    def ask(connection: sqlite3.Connection) -> array[int]:
        return array("q", [key for (key,) in connection.execute(sql, (run_id,))])

    keys = read(database, ask)
    for start in range(0, len(keys), WHOLE_ITEMS):
        yield keys[start : start + WHOLE_ITEMS]


def _points(database: Database, run_id: str) -> Iterator[WriteBatch]:
    held: list[PointBlock] = []
    held_count = 0
    for series_id, key in read(database, _series, run_id):
        done = 0
        while (stretch := read(database, _stretch, series_id, done)).covered:
            done += stretch.covered
            if stretch.steps:
                held.append(
                    PointBlock(run_id, (key,), *stretch[:2], (stretch.values,), attempt=stretch.attempt)
                )
                held_count += len(stretch.steps)
            if held_count >= WHOLE_POINTS:
                yield WriteBatch(points=held)
                held, held_count = [], 0
    if held:
        yield WriteBatch(points=held)


def _series(connection: sqlite3.Connection, run_id: str) -> list[tuple[int, SeriesKey]]:
    def make(row: tuple[object, ...]) -> tuple[int, SeriesKey]:
        series_id, name, phase, rank = row
        check_texts(name, phase)
        check_numbers(rank)
        return series_id, SeriesKey(name, phase, rank)  # type: ignore[return-value,arg-type] # checked

    rows = connection.execute(_SERIES, (run_id,)).fetchall()
    return readable(connection, rows, make, table="series", key=lambda row: f"series_id = {row[0]}")  # type: ignore[arg-type] # rows are tuples


def _stretch(connection: sqlite3.Connection, series_id: int, start: int) -> _Stretch:
    """Return points of a series from `start` on: of one attempt, to the end of a chunk, and no more than a page needs."""
    stretch = _Stretch(array("d"), array("q"), array("d"), 0)
    passed = covered = 0
    for seq, count, attempt in connection.execute(_COUNTS, (series_id,)).fetchall():
        passed += count
        if passed <= start:
            continue
        if covered and attempt != stretch.attempt:
            break
        stretch = stretch._replace(attempt=attempt)
        skipped = max(0, start - (passed - count))
        covered += count - skipped
        try:
            steps, times_ns, values = _chunk(connection, series_id, seq)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "chunks", f"series_id = {series_id} and seq = {seq}", error)
        else:
            stretch.steps.extend(steps[skipped:])
            stretch.times_ns.extend(times_ns[skipped:])
            stretch.values.extend(values[skipped:])
        if covered >= WHOLE_POINTS:
            break
    return stretch._replace(covered=covered)


def _chunk(
    connection: sqlite3.Connection, series_id: int, seq: int
) -> tuple[array[float], array[int], array[float]]:
    count, axis_encoding, steps_data, times_data, encoding, values_data = connection.execute(
        _CHUNK, (series_id, seq)
    ).fetchone()
    columns = (
        decode_floats(axis_encoding, count, steps_data),
        decode_times(axis_encoding, count, times_data),
        decode_floats(encoding, count, values_data),
    )
    if any(len(column) != count for column in columns):
        raise ValueError(
            f"{count} points were expected, the columns have {[len(column) for column in columns]}"
        )
    return columns


def _run_itself(connection: sqlite3.Connection, run_id: str) -> WriteBatch:
    row = connection.execute(_RUN, (run_id,)).fetchone()
    batch = WriteBatch()
    if row is not None:
        try:
            batch = news_of(StoredRun(run_of(row[:-2]), *row[-2:]))
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            raise damaged(connection, "runs", f"run_id = {sql_literal(run_id)}", error) from error

    def place(row: tuple[object, ...]) -> str:
        return f"run_id = {sql_literal(run_id)} and key = {sql_literal(row[0])}"

    def tag(row: tuple[object, ...]) -> TagSet:
        key, value, time_ns = row
        check_texts(key, value or "")
        check_numbers(time_ns)
        return TagSet(run_id, key, value, time_ns)  # type: ignore[arg-type] # checked

    def ask(sql: str) -> list[tuple[object, ...]]:
        return connection.execute(sql, (run_id,)).fetchall()

    batch.params += _read_values.param_sets(connection, run_id)
    batch.summaries += _read_values.summary_sets(connection, run_id)
    batch.tags += readable(connection, ask(_TAGS), tag, table="tags", key=place)  # type: ignore[arg-type] # rows are tuples
    batch.metric_definitions += _read_values.metric_definitions(connection, run_id)
    batch.edits += edits(connection, [run_id])[run_id]
    return batch
