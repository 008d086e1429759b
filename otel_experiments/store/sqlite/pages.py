"""Reading from SQLite what is to be sent later: page by page, in order of time, each page in a transaction of its own.

Only the keys of what a run has are held at once, 16 bytes an item; the items are read for one page after the other,
so that a run of any size takes the same memory, and nobody waits for a long transaction. What some items have in
attributes and texts is measured before they are read: a page of large ones has few of them.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Final

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.signal import Signal
from otel_experiments.model.stored_page import StoredPage
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.pages import boundaries, slices
from otel_experiments.store.sqlite import read_telemetry as _read_telemetry
from otel_experiments.store.sqlite.chunk import decode_floats, decode_times
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.reading import read
from otel_experiments.store.sqlite.unreadable import ABOUT_CONTENT, tell

# Indexes: spans_by_run, log_records_by_run, instrument_points_by_run, axes_by_run, chunks_by_axis.
_ROOT_KEYS: Final = """
    select end_ns, span_key from spans
    where run_id = ? and end_ns >= ? and end_ns < ? and parent_span_id is null order by end_ns, span_key
"""
_SPAN_KEYS: Final = """
    select end_ns, span_key from spans
    where run_id = ? and end_ns >= ? and end_ns < ? and parent_span_id is not null order by end_ns, span_key
"""
_LOG_KEYS: Final = """
    select time_ns, log_record_id from log_records where run_id = ? and time_ns >= ? and time_ns < ?
    order by time_ns, log_record_id
"""
_INSTRUMENT_KEYS: Final = """
    select time_ns, instrument_point_id from instrument_points where run_id = ? and time_ns >= ? and time_ns < ?
    order by time_ns, instrument_point_id
"""
# Indexes: the primary keys of the tables; those of span_events and span_links by trace and span, one stretch a span.
_SPAN_SIZES: Final = """
    select
      length(cast(attributes as blob))
      + (select coalesce(sum(length(cast(attributes as blob))), 0) from span_events events
         where events.trace_id = spans.trace_id and events.span_id = spans.span_id)
      + (select coalesce(sum(length(cast(attributes as blob))), 0) from span_links links
         where links.trace_id = spans.trace_id and links.span_id = spans.span_id)
    from (select key place, value row_key from json_each(?)) wanted left join spans on span_key = row_key order by place
"""
_LOG_SIZES: Final = """
    select length(cast(body as blob)) + length(cast(attributes as blob))
    from (select key place, value row_key from json_each(?)) wanted
    left join log_records on log_record_id = row_key order by place
"""
_INSTRUMENT_SIZES: Final = """
    select length(cast(attributes as blob)) + length(cast(exemplars as blob)) + coalesce(length(cast(histogram as blob)), 0)
    from (select key place, value row_key from json_each(?)) wanted
    left join instrument_points on instrument_point_id = row_key order by place
"""
_AXES: Final = """
    select axis_id, encoding, axes.count, times_data, (select count(*) from chunks where chunks.axis_id = axes.axis_id)
    from axes where run_id = ? order by axis_id
"""
_CHUNKS: Final = """
    select name, phase, rank, series_id, seq, axes.axis_id, axes.count, axes.first_time_ns, axes.last_time_ns
    from series join chunks using (series_id) join axes using (axis_id)
    where series.run_id = ? order by name, phase, rank, seq
"""
# Indexes: unique (series_id, seq), the primary key of axes.
_CHUNK: Final = """
    select chunks.count, axes.encoding, steps_data, times_data, chunks.encoding, values_data
    from chunks join axes using (axis_id) where series_id = ? and seq = ?
"""
_AxisKey = tuple[int, int, int, int]
"""What an axis is known by between two pages: its row, and what changes where points were added to it."""


def stored_pages(
    database: Database, run_id: str, signal: Signal, *, since_ns: int, until_ns: int
) -> Iterator[StoredPage]:
    """Yield what is stored of one signal of a run. See `Store.stored_pages`."""
    bounds = (run_id, since_ns, until_ns)
    if signal == "traces":
        roots = _keys(database, "spans", _ROOT_KEYS, bounds)[1]
        for cut, _ in slices(roots, until_ns, _sizes(database, _SPAN_SIZES, roots)):
            batch = WriteBatch(spans=read(database, _read_telemetry.spans_by_key, roots[cut]))
            yield StoredPage(batch, since_ns)
        times_ns, keys = _keys(database, "spans", _SPAN_KEYS, bounds)
        for cut, until in slices(times_ns, until_ns, _sizes(database, _SPAN_SIZES, keys)):
            yield StoredPage(WriteBatch(spans=read(database, _read_telemetry.spans_by_key, keys[cut])), until)
    elif signal == "logs":
        times_ns, keys = _keys(database, "log_records", _LOG_KEYS, bounds)
        for cut, until in slices(times_ns, until_ns, _sizes(database, _LOG_SIZES, keys)):
            records = read(database, _read_telemetry.log_records_by_key, keys[cut])
            yield StoredPage(WriteBatch(log_records=records), until)
    else:
        yield from _metric_pages(database, run_id, since_ns, until_ns)


def _metric_pages(database: Database, run_id: str, since_ns: int, until_ns: int) -> Iterator[StoredPage]:
    """Yield metric points and data points of instruments: both of one window of time, then of the next."""
    times_ns, keys = _keys(database, "instrument_points", _INSTRUMENT_KEYS, (run_id, since_ns, until_ns))
    reader = _PointReader(run_id)
    done = 0
    start_ns = since_ns
    for end_ns in read(database, reader.windows, since_ns, until_ns):
        window = _count_before(times_ns, end_ns, done)
        sizes = _sizes(database, _INSTRUMENT_SIZES, keys[done:window])
        for cut, until in slices(times_ns[done:window], end_ns, sizes):
            found = read(database, _read_telemetry.instrument_points_by_key, keys[done:window][cut])
            is_last = until == end_ns
            points = read(database, reader.points, start_ns, end_ns) if is_last else []
            yield StoredPage(
                WriteBatch(points=points, instrument_points=found), end_ns if is_last else start_ns
            )
        if done == window and (points := read(database, reader.points, start_ns, end_ns)):
            yield StoredPage(WriteBatch(points=points), end_ns)
        done, start_ns = window, end_ns


def _count_before(times_ns: Sequence[int], end_ns: int, start: int) -> int:
    while start < len(times_ns) and times_ns[start] < end_ns:
        start += 1
    return start


def _keys(
    database: Database, table: str, sql: str, bounds: tuple[str, int, int]
) -> tuple[array[int], array[int]]:
    """Return the times and the keys of rows, in order of time."""

    def ask(connection: sqlite3.Connection) -> tuple[array[int], array[int]]:
        times_ns, keys = array("q"), array("q")
        for time_ns, key in connection.execute(sql, bounds):
            if isinstance(time_ns, int):
                times_ns.append(time_ns)
                keys.append(key)
            else:
                why = TypeError(f"a number was expected, {time_ns!r} was found")
                tell(connection, table, f"rowid = {key}", why)
        return times_ns, keys

    return read(database, ask)


def _sizes(database: Database, sql: str, keys: Sequence[int]) -> Callable[[slice], list[int]]:
    """Return what measures some of the rows with these keys, in bytes; a row that is gone meanwhile has none."""

    def of(cut: slice) -> list[int]:
        rows = read(
            database, lambda connection: connection.execute(sql, (json.dumps(list(keys[cut])),)).fetchall()
        )
        return [size or 0 for (size,) in rows]

    return of


class _PointReader:
    """Reads the metric points of a run by windows of time; remembers which stretch of time an axis covers."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._ranges: dict[_AxisKey, tuple[int, int]] = {}

    def windows(self, connection: sqlite3.Connection, since_ns: int, until_ns: int) -> list[int]:
        """Return the ends of the windows."""

        def axes() -> Iterator[tuple[array[int], int]]:
            for axis_id, encoding, count, blob, series_count in connection.execute(_AXES, (self._run_id,)):
                try:
                    yield decode_times(encoding, count, blob), series_count
                except ABOUT_CONTENT as error:
                    if is_interruption(error):
                        raise
                    tell(connection, "axes", f"axis_id = {axis_id}", error)

        return boundaries(axes(), since_ns, until_ns)

    def points(self, connection: sqlite3.Connection, start_ns: int, end_ns: int) -> list[PointBlock]:
        """Return the points of one window, a block a series."""
        found: dict[SeriesKey, tuple[array[float], array[int], array[float]]] = {}
        for row in connection.execute(_CHUNKS, (self._run_id,)).fetchall():
            name, phase, rank, series_id, seq, *axis = row
            try:
                low_ns, high_ns = self._ranges.get(tuple(axis), (start_ns, end_ns))
                if high_ns < start_ns or low_ns >= end_ns:
                    continue
                steps, times_ns, values = _decoded(connection, series_id, seq)
            except ABOUT_CONTENT as error:
                if is_interruption(error):
                    raise
                tell(connection, "chunks", f"series_id = {series_id} and seq = {seq}", error)
                continue
            if not times_ns:
                continue
            low_ns, high_ns = self._ranges[tuple(axis)] = min(times_ns), max(times_ns)
            if low_ns < start_ns or high_ns >= end_ns:
                wanted = [start_ns <= time_ns < end_ns for time_ns in times_ns]
                steps, times_ns, values = (
                    array("d", compress(steps, wanted)),
                    array("q", compress(times_ns, wanted)),
                    array("d", compress(values, wanted)),
                )
            columns = found.setdefault(SeriesKey(name, phase, rank), (array("d"), array("q"), array("d")))
            columns[0].extend(steps)
            columns[1].extend(times_ns)
            columns[2].extend(values)
        return [
            PointBlock(self._run_id, (key,), steps, times_ns, (values,))
            for key, (steps, times_ns, values) in found.items()
            if times_ns
        ]


def _decoded(
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
    lengths = {len(column) for column in columns}
    if lengths != {count}:
        raise ValueError(f"{count} points were expected, the columns have {sorted(lengths)}")
    return columns
