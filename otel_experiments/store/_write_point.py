"""Writing metric points into SQLite: chunks appended, sealed when full, and the summary of each series.

A batch appends one unsealed chunk to each series it touches; nothing that is stored is rewritten for it. When
a series has gathered TARGET_POINTS in unsealed chunks they are sealed (compressed) together, when it has
gathered many small ones they are joined. The database alone holds this state, so that any process may append.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.model.metric import PointBlock, SeriesKey, Summary
from otel_experiments.store._band import finite_steps, is_ascending
from otel_experiments.store._chunk import (
    PACKED,
    RAW,
    TARGET_POINTS,
    decode_floats,
    decode_times,
    pack,
    pack_raw,
)
from otel_experiments.store._identity import clean_text
from otel_experiments.store._read_point import SUMMARY_COLUMNS, null_of_nan, summary_of
from otel_experiments.store._summary import Axis, as_floats, direction_of, extremes, merge, summarize
from otel_experiments.store._write_run import RunWriter, definitions_of

_MANY_OPEN_CHUNKS: Final = 32

# Index: unique (run_id, name, phase).
_SELECT_SERIES: Final = f"""
    select series_id, chunk_count, open_chunk_count, open_point_count, {SUMMARY_COLUMNS}
    from series where run_id = ? and name = ? and phase = ?
"""
_INSERT_SERIES: Final = """
    insert into series (
      run_id, name, phase, direction, count, nan_count, finite_count, finite_sum, first_step, last, last_step,
      last_time_ns, minimum, minimum_step, maximum, maximum_step, chunk_count, open_chunk_count, open_point_count
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
    select encoding, count, steps_data, times_data, values_data from chunks
    where series_id = ? and seq >= ? order by seq
"""
_DELETE_OPEN: Final = "delete from chunks where series_id = ? and seq >= ?"
_INSERT_CHUNK: Final = """
    insert into chunks (
      series_id, seq, is_sealed, encoding, count, first_step, last_step, min_step, max_step,
      unplaced_count, is_ascending, first_time_ns, last_time_ns, minimum, maximum, last, steps_data, times_data, values_data
    ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_AxisFacts = tuple[tuple[float | int | None, ...], bytes, bytes]
"""The columns from first_step to last_time_ns, the steps and the times as stored."""


@dataclass(slots=True)
class _Column:
    """Points of one series that one batch brings, in recording order."""

    axis: Axis
    values: array[float]


@dataclass(slots=True)
class _AxisCache:
    """What was packed for an axis, so that many metrics logged together pack their steps and times once."""

    packed: dict[tuple[int, int, int, bool], _AxisFacts] = field(default_factory=dict)
    kept: list[Axis] = field(default_factory=list)

    def facts(self, axis: Axis, start: int, stop: int, *, is_sealed: bool) -> _AxisFacts:
        key = (id(axis), start, stop, is_sealed)
        found = self.packed.get(key)
        if found is None:
            steps, times = axis.steps[start:stop], axis.times_ns[start:stop]
            low, high, unplaced = finite_steps(steps)
            encode = pack if is_sealed else pack_raw
            bounds = map(null_of_nan, (steps[0], steps[-1], low, high))
            found = (
                (*bounds, unplaced, int(is_ascending(steps)), times[0], times[-1]),
                encode(steps),
                encode(times),
            )
            self.packed[key] = found
            self.kept.append(axis)
        return found


class PointWriter:
    """Appends points to series. One for each store; runs inside the caller's transaction."""

    def __init__(self, runs: RunWriter) -> None:
        self._runs = runs

    def write(self, connection: sqlite3.Connection, blocks: Iterable[PointBlock]) -> None:
        """Append the blocks to their series, in order."""
        cache = _AxisCache()
        chunks: list[tuple[object, ...]] = []
        updates: list[tuple[object, ...]] = []
        for (run_id, key), column in _columns(blocks).items():
            self._runs.ensure(connection, run_id, column.axis.times_ns[0])
            self._append(connection, run_id, key, column, cache, chunks, updates)
        connection.executemany(_UPDATE_SERIES, updates)
        connection.executemany(_INSERT_CHUNK, chunks)

    def _append(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        key: SeriesKey,
        column: _Column,
        cache: _AxisCache,
        chunks: list[tuple[object, ...]],
        updates: list[tuple[object, ...]],
    ) -> None:
        added = summarize(column.axis, column.values)
        name, phase = clean_text(key.name), clean_text(key.phase)
        row = connection.execute(_SELECT_SERIES, (run_id, name, phase)).fetchone()
        if row is None:
            direction = direction_of(name, definitions_of(connection, run_id))
            series_id = connection.execute(
                _INSERT_SERIES, (run_id, name, phase, direction, *_summary_row(added), 0, 0, 0)
            ).lastrowid
            chunk_count = open_chunk_count = open_point_count = 0
            summary = added
        else:
            series_id, chunk_count, open_chunk_count, open_point_count = row[:4]
            summary = merge(summary_of(row[4:]), added)
        axis, values = column.axis, column.values
        is_full = open_point_count + len(values) >= TARGET_POINTS
        if open_chunk_count and (is_full or open_chunk_count + 1 >= _MANY_OPEN_CHUNKS):
            first_open = chunk_count - open_chunk_count
            axis, values = _with_open(connection, series_id, first_open, column)
            chunk_count, open_chunk_count, open_point_count = first_open, 0, 0
        pieces = len(values) // TARGET_POINTS if is_full else 1
        for piece in range(pieces):
            start, stop = len(values) * piece // pieces, len(values) * (piece + 1) // pieces
            facts = cache.facts(axis, start, stop, is_sealed=is_full)
            chunks.append(
                _chunk_row(series_id, chunk_count + piece, facts, values[start:stop], is_sealed=is_full)
            )
        updates.append(
            (
                *_summary_row(summary),
                chunk_count + pieces,
                0 if is_full else open_chunk_count + 1,
                0 if is_full else open_point_count + len(values),
                series_id,
            )
        )


def _columns(blocks: Iterable[PointBlock]) -> dict[tuple[str, SeriesKey], _Column]:
    """Gather the points of each series; one that appears in a single block is not copied."""
    gathered: dict[tuple[str, SeriesKey], _Column] = {}
    for block in blocks:
        if not len(block.steps):
            continue
        axis = Axis.of(block.steps, block.times_ns)
        for key, column in zip(block.keys, block.values, strict=True):
            values = as_floats(column)
            known = gathered.get((block.run_id, key))
            if known is not None:
                gathered[block.run_id, key] = _joined([known, _Column(axis, values)])
            else:
                gathered[block.run_id, key] = _Column(axis, values)
    return gathered


def _joined(columns: list[_Column]) -> _Column:
    steps, times, values = array("d"), array("q"), array("d")
    for column in columns:
        steps.extend(column.axis.steps)
        times.extend(column.axis.times_ns)
        values.extend(column.values)
    return _Column(Axis.of(steps, times), values)


def _with_open(
    connection: sqlite3.Connection, series_id: int, first_open: int, column: _Column
) -> tuple[Axis, array[float]]:
    """Take the unsealed chunks out of the database and return their points followed by the column's."""
    steps, times, values = array("d"), array("q"), array("d")
    for encoding, count, steps_data, times_data, values_data in connection.execute(
        _SELECT_OPEN, (series_id, first_open)
    ):
        steps.extend(decode_floats(encoding, count, steps_data))
        times.extend(decode_times(encoding, count, times_data))
        values.extend(decode_floats(encoding, count, values_data))
    connection.execute(_DELETE_OPEN, (series_id, first_open))
    steps.extend(column.axis.steps)
    times.extend(column.axis.times_ns)
    values.extend(column.values)
    return Axis.of(steps, times), values


def _chunk_row(
    series_id: int, seq: int, facts: _AxisFacts, values: array[float], *, is_sealed: bool
) -> tuple[object, ...]:
    low, high = extremes(values)
    return (
        series_id,
        seq,
        int(is_sealed),
        PACKED if is_sealed else RAW,
        len(values),
        *facts[0],
        null_of_nan(low),
        null_of_nan(high),
        null_of_nan(values[-1]),
        facts[1],
        facts[2],
        pack(values) if is_sealed else pack_raw(values),
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
