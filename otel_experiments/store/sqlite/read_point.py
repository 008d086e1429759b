"""Reading metric series from SQLite: summaries, whole histories, and bands for charts."""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.model.metric import Points, Series, SeriesKey, Summary
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.band import BandBuilder, Stretch
from otel_experiments.store.sqlite.chunk import decode_floats, decode_times
from otel_experiments.store.sqlite.unreadable import (
    ABOUT_CONTENT,
    check_numbers,
    check_texts,
    sql_literal,
    tell,
)

if TYPE_CHECKING:
    from otel_experiments.model.metric import Band
    from otel_experiments.store.semantics.received_points import StepRange

SUMMARY_COLUMNS: Final = (
    "count, nan_count, finite_count, finite_sum, first_step, last, last_step, last_time_ns, minimum, "
    "minimum_step, maximum, maximum_step, direction"
)

# Index: unique (run_id, name, phase, rank), one stretch a run.
_SERIES: Final = f"""
    select run_id, name, phase, rank, {SUMMARY_COLUMNS} from series
    where run_id in (select value from json_each(?1)) and (?2 is null or name = ?2)
    order by run_id, name, phase, rank
"""
# Indexes: unique (run_id, name, phase, rank), unique (series_id, seq), the primary key of axes.
_POINTS: Final = """
    select chunks.count, axes.encoding, steps_data, times_data, chunks.encoding, values_data, attempt,
      series_id, seq
    from series join chunks using (series_id) join axes using (axis_id)
    where series.run_id = ? and name = ? and phase = ? and rank = ? order by seq
"""
_POINTS_WITH: Final = _POINTS.replace(
    "order by seq", "and ((min_step <= ? and max_step >= ?) or (? and unplaced_count > 0)) order by seq"
)
# Index: unique (series_id, seq), from the end on.
_CHUNKS_FROM_END: Final = """
    select seq, chunks.count from series join chunks using (series_id)
    where series.run_id = ? and name = ? and phase = ? and rank = ? order by seq desc
"""
_COUNT: Final = "select count from series where run_id = ? and name = ? and phase = ? and rank = ?"
_POINTS_OF_CHUNKS: Final = _POINTS.replace("order by seq", "and seq >= ? and seq <= ? order by seq")
_STRETCHES: Final = """
    select series_id, seq, chunks.count, unplaced_count, min_step, max_step, chunks.minimum, chunks.maximum,
      chunks.last
    from series join chunks using (series_id) join axes using (axis_id)
    where series.run_id = ? and name = ? and phase = ? and rank = ? order by seq
"""
# A chunk with evenly spaced steps gives them without its blob.
_STRETCH_DATA: Final = """
    select chunks.count, is_ascending and unplaced_count = 0, first_step, step_increment, axes.encoding,
      case when step_increment is null then steps_data end, nan_count, chunks.encoding, values_data
    from chunks join axes using (axis_id) where series_id = ? and seq = ?
"""


def null_of_nan(number: float | None) -> float | None:
    """Return the number as a column holds it: NaN is NULL."""
    return None if number is None or math.isnan(number) else number


def nan_of_null(number: float | None) -> float:
    """Return the number of a column in which NULL is NaN."""
    return math.nan if number is None else number


def summary_of(row: Sequence[object]) -> Summary:
    """Return the summary of a row of SUMMARY_COLUMNS, which are the fields of Summary in their order."""
    numbers = row[:-1]
    check_numbers(*numbers)
    if None not in numbers:  # no NaN: nearly all of the 5,000 rows of a page
        return Summary(*row)  # type: ignore[arg-type] # checked above
    (
        count, nan_count, finite_count, finite_sum, first_step, last, last_step, last_time_ns, minimum,
        minimum_step, maximum, maximum_step,
    ) = numbers  # fmt: skip
    return Summary(
        count=count, nan_count=nan_count, finite_count=finite_count, finite_sum=finite_sum,  # type: ignore[arg-type]
        first_step=nan_of_null(first_step), last=nan_of_null(last), last_step=nan_of_null(last_step),  # type: ignore[arg-type]
        last_time_ns=last_time_ns, minimum=nan_of_null(minimum), maximum=nan_of_null(maximum),  # type: ignore[arg-type]
        minimum_step=None if minimum is None else nan_of_null(minimum_step),  # type: ignore[arg-type]
        maximum_step=None if maximum is None else nan_of_null(maximum_step),  # type: ignore[arg-type]
        direction=row[-1],  # type: ignore[arg-type]
    )  # fmt: skip


def series(
    connection: sqlite3.Connection, run_ids: Sequence[str], name: str | None
) -> dict[str, list[Series]]:
    """Return the series of each run with their summaries, by (name, phase, rank)."""
    found: dict[str, list[Series]] = {run_id: [] for run_id in run_ids}
    rows = connection.execute(_SERIES, (json.dumps(list(found)), name)).fetchall()
    for run_id, metric, phase, rank, *summary in rows:
        try:
            check_texts(metric, phase)
            found[run_id].append(Series(run_id, SeriesKey(metric, phase, rank), summary_of(summary)))
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            key = f"run_id = {run_id!r} and name = {sql_literal(metric)} and phase = {sql_literal(phase)} and rank = {rank}"
            tell(connection, "series", key, error)
    return found


def points(connection: sqlite3.Connection, run_id: str, key: SeriesKey) -> Points:
    """Return the whole history of a series, in recording order."""
    rows = connection.execute(_POINTS, (run_id, key.name, key.phase, key.rank)).fetchall()
    return _joined(connection, rows)


def points_between(
    connection: sqlite3.Connection, run_id: str, key: SeriesKey, start: int, stop: int
) -> Points:
    """Return the points of a series from number `start` to before `stop`; no chunk before them is looked at."""
    place = (run_id, key.name, key.phase, key.rank)
    (end,) = connection.execute(_COUNT, place).fetchone()
    begins: dict[int, int] = {}
    for seq, count in connection.execute(_CHUNKS_FROM_END, place):
        end -= count
        if end < stop:
            begins[seq] = end
        if end <= start:
            break
    steps, times, values = array("d"), array("q"), array("d")
    bounds = min(begins, default=None), max(begins, default=None)
    for row in connection.execute(_POINTS_OF_CHUNKS, (*place, *bounds)).fetchall():
        found, begin = _joined(connection, [row]), begins[row[-1]]  # each by itself: one may not be readable
        cut = slice(max(0, start - begin), stop - begin)
        steps.extend(found.steps[cut])
        times.extend(found.times_ns[cut])
        values.extend(found.values[cut])
    return Points(steps, times, values)


def points_with(connection: sqlite3.Connection, run_id: str, key: SeriesKey, steps: StepRange) -> Points:
    """Return the points of a series that lie in chunks which have such steps, in recording order."""
    bounds = null_of_nan(steps.high), null_of_nan(steps.low), int(steps.has_others)
    rows = connection.execute(_POINTS_WITH, (run_id, key.name, key.phase, key.rank, *bounds)).fetchall()
    return _joined(connection, rows)


def _joined(connection: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> Points:
    steps, times, values = array("d"), array("q"), array("d")
    attempts: list[tuple[int, int]] = []
    for row in rows:
        count, axis_encoding, steps_data, times_data, encoding, values_data, attempt, series_id, seq = row
        try:
            check_numbers(attempt)
            part = (
                decode_floats(axis_encoding, count, steps_data),
                decode_times(axis_encoding, count, times_data),
                decode_floats(encoding, count, values_data),
            )
            _check_lengths(count, part)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "chunks", f"series_id = {series_id} and seq = {seq}", error)
            continue
        steps.extend(part[0])
        times.extend(part[1])
        values.extend(part[2])
        attempts.append((attempt, count))
    return Points(steps, times, values, _column_of(attempts))


def _column_of(attempts: Iterable[tuple[int, int]]) -> Sequence[int]:
    """Return the attempt of each point, of so many points of each chunk; nothing where none is known."""
    column = array("q")
    if any(attempt for attempt, _ in attempts):
        for attempt, count in attempts:
            column.extend(array("q", (attempt,)) * count)
    return column


def _check_lengths(count: int, columns: Iterable[Sequence[float]]) -> None:
    lengths = [len(column) for column in columns]
    if any(length != count for length in lengths):
        raise ValueError(f"{count} points were expected, the columns have {', '.join(map(str, lengths))}")


def band(connection: sqlite3.Connection, run_id: str, key: SeriesKey, buckets: int) -> Band:
    """Return the series thinned to at most `buckets` buckets; a chunk inside one bucket is not decoded."""
    stretches, rows = [], []
    for row in connection.execute(_STRETCHES, (run_id, key.name, key.phase, key.rank)).fetchall():
        series_id, seq, count, unplaced, *numbers = row
        try:
            check_numbers(*row)
            stretches.append(Stretch(count, unplaced, *map(nan_of_null, numbers)))
            rows.append(row)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "chunks", f"series_id = {series_id} and seq = {seq}", error)
    builder = BandBuilder(stretches, buckets)
    for (series_id, seq, *_), stretch in zip(rows, stretches, strict=True):
        if builder.add_whole(stretch):
            continue
        row = connection.execute(_STRETCH_DATA, (series_id, seq)).fetchone()
        try:
            check_numbers(row[6])
            steps, values = _decoded(row)
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            tell(connection, "chunks", f"series_id = {series_id} and seq = {seq}", error)
            continue
        if row[1]:
            builder.add_ascending(steps, values, has_nan=row[6] > 0)
        else:
            builder.add_points(steps, values)
    return builder.band()


def _decoded(row: Sequence[Any]) -> tuple[Sequence[float], array[float]]:
    """Return the steps and values of a row of _STRETCH_DATA."""
    count, _, first_step, increment, axis_encoding, steps_data, _, encoding, values_data = row
    values = decode_floats(encoding, count, values_data)
    steps: Sequence[float]
    if increment is None:
        steps = decode_floats(axis_encoding, count, steps_data)
    else:
        steps = range(int(first_step), int(first_step) + increment * count, increment)
    _check_lengths(count, (steps, values))
    return steps, values
