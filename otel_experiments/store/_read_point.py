"""Reading metric series from SQLite: summaries, whole histories, and bands for charts."""

from __future__ import annotations

import json
import math
import sqlite3
from array import array
from collections.abc import Sequence
from typing import Final

from otel_experiments.model.metric import Band, Points, Series, SeriesKey, Summary
from otel_experiments.store._band import BandBuilder, Stretch
from otel_experiments.store._chunk import decode_floats, decode_times

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
    select chunks.count, axes.encoding, steps_data, times_data, chunks.encoding, values_data
    from series join chunks using (series_id) join axes using (axis_id)
    where series.run_id = ? and name = ? and phase = ? and rank = ? order by seq
"""
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
    """Return the summary of a row of SUMMARY_COLUMNS."""
    (
        count, nan_count, finite_count, finite_sum, first_step, last, last_step, last_time_ns, minimum,
        minimum_step, maximum, maximum_step, direction,
    ) = row  # fmt: skip
    return Summary(
        count=count, nan_count=nan_count, finite_count=finite_count, finite_sum=finite_sum,  # type: ignore[arg-type]
        first_step=nan_of_null(first_step), last=nan_of_null(last), last_step=nan_of_null(last_step),  # type: ignore[arg-type]
        last_time_ns=last_time_ns, minimum=nan_of_null(minimum), maximum=nan_of_null(maximum),  # type: ignore[arg-type]
        minimum_step=None if minimum is None else nan_of_null(minimum_step),  # type: ignore[arg-type]
        maximum_step=None if maximum is None else nan_of_null(maximum_step),  # type: ignore[arg-type]
        direction=direction,  # type: ignore[arg-type]
    )  # fmt: skip


def series(
    connection: sqlite3.Connection, run_ids: Sequence[str], name: str | None
) -> dict[str, list[Series]]:
    """Return the series of each run with their summaries, by (name, phase, rank)."""
    found: dict[str, list[Series]] = {run_id: [] for run_id in run_ids}
    for run_id, metric, phase, rank, *summary in connection.execute(_SERIES, (json.dumps(list(found)), name)):
        found[run_id].append(Series(run_id, SeriesKey(metric, phase, rank), summary_of(summary)))
    return found


def points(connection: sqlite3.Connection, run_id: str, key: SeriesKey) -> Points:
    """Return the whole history of a series, in recording order."""
    steps, times, values = array("d"), array("q"), array("d")
    for count, axis_encoding, steps_data, times_data, encoding, values_data in connection.execute(
        _POINTS, (run_id, key.name, key.phase, key.rank)
    ):
        steps.extend(decode_floats(axis_encoding, count, steps_data))
        times.extend(decode_times(axis_encoding, count, times_data))
        values.extend(decode_floats(encoding, count, values_data))
    return Points(steps, times, values)


def band(connection: sqlite3.Connection, run_id: str, key: SeriesKey, buckets: int) -> Band:
    """Return the series thinned to at most `buckets` buckets; a chunk inside one bucket is not decoded."""
    rows = connection.execute(_STRETCHES, (run_id, key.name, key.phase, key.rank)).fetchall()
    stretches = [
        Stretch(count, unplaced, *map(nan_of_null, numbers)) for _, _, count, unplaced, *numbers in rows
    ]
    builder = BandBuilder(stretches, buckets)
    for (series_id, seq, *_), stretch in zip(rows, stretches, strict=True):
        if builder.add_whole(stretch):
            continue
        row = connection.execute(_STRETCH_DATA, (series_id, seq)).fetchone()
        count, ascends, first_step, increment, axis_encoding, steps_data, nan_count, encoding, values_data = (
            row
        )
        values = decode_floats(encoding, count, values_data)
        steps: Sequence[float]
        if increment is None:
            steps = decode_floats(axis_encoding, count, steps_data)
        else:
            steps = range(int(first_step), int(first_step) + increment * count, increment)
        if ascends:
            builder.add_ascending(steps, values, has_nan=nan_count > 0)
        else:
            builder.add_points(steps, values)
    return builder.band()
