"""Writing metric points into SQLite: chunks appended, sealed when full, and the summary of each series.

A batch appends one unsealed chunk to each series it touches; nothing that is stored is rewritten for it. When
a series has gathered TARGET_POINTS in unsealed chunks they are sealed (compressed) together, when it has
gathered many small ones they are joined. The database alone holds this state, so that any process may append.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Final, TypeAlias

from otel_experiments.codec.text import clean_text
from otel_experiments.model.metric import PointBlock, SeriesKey, Summary
from otel_experiments.store.semantics.attached import blocks_of, without
from otel_experiments.store.semantics.received_points import without_known
from otel_experiments.store.semantics.summary import Axis, as_floats, direction_of, extremes, merge, summarize
from otel_experiments.store.sqlite.chunk import PACKED, RAW, TARGET_POINTS, decode_floats, pack, pack_raw
from otel_experiments.store.sqlite.read_point import (
    SUMMARY_COLUMNS,
    null_of_nan,
    points,
    points_with,
    summary_of,
)
from otel_experiments.store.sqlite.write_axis import AxisShelf
from otel_experiments.store.sqlite.write_run import RunWriter, definitions_of

_MANY_OPEN_CHUNKS: Final = 32

# Index: unique (run_id, name, phase, rank).
_SELECT_SERIES: Final = f"""
    select series_id, chunk_count, open_chunk_count, open_point_count,
      (select attempt from chunks where chunks.series_id = series.series_id and seq = chunk_count - 1), {SUMMARY_COLUMNS}
    from series where run_id = ? and name = ? and phase = ? and rank = ?
"""
_LAST_TIME: Final = "select last_time_ns from series where run_id = ? and name = ? and phase = ? and rank = ?"
_INSERT_SERIES: Final = """
    insert into series (
      run_id, name, phase, rank, direction, count, nan_count, finite_count, finite_sum, first_step, last, last_step,
      last_time_ns, minimum, minimum_step, maximum, maximum_step, chunk_count, open_chunk_count, open_point_count
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_SERIES: Final = """
    update series set
      count = ?, nan_count = ?, finite_count = ?, finite_sum = ?, first_step = ?, last = ?, last_step = ?,
      last_time_ns = ?, minimum = ?, minimum_step = ?, maximum = ?, maximum_step = ?,
      chunk_count = ?, open_chunk_count = ?, open_point_count = ?
    where series_id = ?
"""
# Index: unique (series_id, seq).
_SELECT_OPEN: Final = """
    select axis_id, encoding, count, values_data from chunks where series_id = ? and seq >= ? order by seq
"""
_DELETE_OPEN: Final = "delete from chunks where series_id = ? and seq >= ?"
_INSERT_CHUNK: Final = """
    insert into chunks (
      series_id, seq, axis_id, is_sealed, encoding, count, nan_count, minimum, maximum, last, values_data, attempt
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# Index: unique (run_id, name, phase, rank).
_SERIES_ID: Final = "select series_id from series where run_id = ? and name = ? and phase = ? and rank = ?"
# Index: unique (series_id, seq).
_AXES: Final = "select distinct axis_id from chunks where series_id = ?"
_DELETE_SERIES: Final = "delete from series where series_id = ?"
# Index: chunks_by_axis.
_DELETE_AXIS: Final = """
    delete from axes where axis_id = ?1 and not exists (select 1 from chunks where chunks.axis_id = ?1)
"""

_Row = tuple[float | int | bytes | None, ...]
_Part: TypeAlias = "tuple[Axis, array[float], PointBlock]"
"""Points of one series that came together, and whether they were received by OTLP."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where a series stands: its chunks, of which the last `open_chunk_count` can be put together with what comes."""

    series_id: int
    chunk_count: int = 0
    open_chunk_count: int = 0
    open_point_count: int = 0


class PointWriter:
    """Appends points to series. One for each store; runs inside the caller's transaction."""

    def __init__(self, runs: RunWriter) -> None:
        self._runs = runs

    def write(self, connection: sqlite3.Connection, blocks: Iterable[PointBlock]) -> None:
        """Append the blocks to their series, in order."""
        batch = _Batch(connection)
        for (run_id, key), parts in _columns(blocks).items():
            self._runs.ensure(connection, run_id, parts[0][0].times_ns[0])
            for number, (attempt, those) in enumerate(groupby(parts, key=lambda part: part[2].attempt)):
                if number:  # where the series stands is looked up
                    batch.finish()
                columns = _new_columns(connection, run_id, key, list(those))
                if not columns:
                    continue
                axis = batch.golden_paths.join([axis for axis, _ in columns])
                values = columns[0][1]
                if len(columns) > 1:
                    values = array("d", chain.from_iterable(column for _, column in columns))
                batch.append(run_id, key, axis, values, attempt)
        batch.finish()

    def remove(
        self, connection: sqlite3.Connection, run_id: str, key: SeriesKey, removed: Counter[bytes]
    ) -> None:
        """Take points out of a series, as `attached.counts_by_series` counts them; an empty series goes."""
        stored = SeriesKey(clean_text(key.name), clean_text(key.phase), key.rank)
        left = without(points(connection, run_id, stored), removed)
        _delete_series(connection, run_id, stored)
        self.write(connection, blocks_of(run_id, stored, left))


class _Batch:
    """The points of one batch on their way into the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.golden_paths = AxisShelf(connection)
        self._connection = connection
        self._chunks: list[_Row] = []
        self._updates: list[_Row] = []

    def append(self, run_id: str, key: SeriesKey, axis: Axis, values: array[float], attempt: int) -> None:
        tail, summary = self._series(run_id, key, summarize(axis, values), attempt)
        is_full = tail.open_point_count + len(values) >= TARGET_POINTS
        if tail.open_chunk_count and (is_full or tail.open_chunk_count + 1 >= _MANY_OPEN_CHUNKS):
            axis, values = self._with_open(tail, axis, values)
            tail = _Tail(tail.series_id, tail.chunk_count - tail.open_chunk_count)
        pieces = len(values) // TARGET_POINTS if is_full else 1
        for piece in range(pieces):
            start, stop = len(values) * piece // pieces, len(values) * (piece + 1) // pieces
            axis_id = self.golden_paths.store(run_id, axis, start, stop, is_sealed=is_full)
            place = (tail.series_id, tail.chunk_count + piece, axis_id)
            self._chunks.append(_chunk_row(place, values[start:stop], attempt, is_sealed=is_full))
        self._updates.append(
            (
                *_summary_row(summary),
                tail.chunk_count + pieces,
                0 if is_full else tail.open_chunk_count + 1,
                0 if is_full else tail.open_point_count + len(values),
                tail.series_id,
            )
        )

    def finish(self) -> None:
        self._connection.executemany(_UPDATE_SERIES, self._updates)
        self._connection.executemany(_INSERT_CHUNK, self._chunks)
        self._updates.clear()
        self._chunks.clear()
        self.golden_paths.clear_given_up()

    def _series(self, run_id: str, key: SeriesKey, added: Summary, attempt: int) -> tuple[_Tail, Summary]:
        """Return where the series stands and its summary with `added`; a new series gets its row."""
        name, phase = clean_text(key.name), clean_text(key.phase)
        row = self._connection.execute(_SELECT_SERIES, (run_id, name, phase, key.rank)).fetchone()
        if row is not None:
            is_open = row[4] == attempt  # a chunk is of one attempt
            return _Tail(*row[: 4 if is_open else 2]), merge(summary_of(row[5:]), added)
        direction = direction_of(name, definitions_of(self._connection, run_id))
        new = (run_id, name, phase, key.rank, direction, *_summary_row(added), 0, 0, 0)
        series_id = self._connection.execute(_INSERT_SERIES, new).lastrowid
        assert series_id is not None
        return _Tail(series_id), added

    def _with_open(self, tail: _Tail, axis: Axis, values: array[float]) -> tuple[Axis, array[float]]:
        """Take the unsealed chunks out of the database and return their points followed by the given ones."""
        place = (tail.series_id, tail.chunk_count - tail.open_chunk_count)
        axis_ids: list[int] = []
        whole = array("d")
        for axis_id, encoding, count, values_data in self._connection.execute(_SELECT_OPEN, place):
            axis_ids.append(axis_id)
            whole.extend(decode_floats(encoding, count, values_data))
        self._connection.execute(_DELETE_OPEN, place)
        whole.extend(values)
        return self.golden_paths.reopen(axis_ids, axis), whole


def _delete_series(connection: sqlite3.Connection, run_id: str, key: SeriesKey) -> None:
    row = connection.execute(_SERIES_ID, (run_id, key.name, key.phase, key.rank)).fetchone()
    if row is None:
        return
    axis_ids = connection.execute(_AXES, row).fetchall()
    connection.execute(_DELETE_SERIES, row)
    connection.executemany(_DELETE_AXIS, axis_ids)


def _columns(blocks: Iterable[PointBlock]) -> dict[tuple[str, SeriesKey], list[_Part]]:
    """Gather the points of each series, in recording order."""
    gathered: dict[tuple[str, SeriesKey], list[_Part]] = defaultdict(list)
    for block in blocks:
        if len(block.steps):
            axis = Axis.of(block.steps, block.times_ns)
            for key, column in zip(block.keys, block.values, strict=True):
                gathered[block.run_id, key].append((axis, as_floats(column), block))
    return gathered


def _new_columns(
    connection: sqlite3.Connection, run_id: str, key: SeriesKey, parts: list[_Part]
) -> list[tuple[Axis, array[float]]]:
    """Return the points that are to be stored: of those that were received what the series does not have."""
    if not any(block.is_received for _, _, block in parts):
        return [(axis, values) for axis, values, _ in parts]
    stored = SeriesKey(clean_text(key.name), clean_text(key.phase), key.rank)
    row = connection.execute(_LAST_TIME, (run_id, stored.name, stored.phase, stored.rank)).fetchone()
    return without_known(parts, row and row[0], lambda steps: points_with(connection, run_id, stored, steps))


def _chunk_row(place: tuple[int, int, int], values: array[float], attempt: int, *, is_sealed: bool) -> _Row:
    low, high = extremes(values)
    nan_count = sum(map(math.isnan, values)) if math.isnan(sum(values)) else 0
    return (
        *place,
        int(is_sealed),
        PACKED if is_sealed else RAW,
        len(values),
        nan_count,
        null_of_nan(low),
        null_of_nan(high),
        null_of_nan(values[-1]),
        pack(values) if is_sealed else pack_raw(values),
        attempt,
    )


def _summary_row(summary: Summary) -> tuple[float | int | None, ...]:
    return (
        summary.count,
        summary.nan_count,
        summary.finite_count,
        summary.finite_sum,
        null_of_nan(summary.first_step),
        null_of_nan(summary.last),
        null_of_nan(summary.last_step),
        summary.last_time_ns,
        null_of_nan(summary.minimum),
        null_of_nan(summary.minimum_step),
        null_of_nan(summary.maximum),
        null_of_nan(summary.maximum_step),
    )
