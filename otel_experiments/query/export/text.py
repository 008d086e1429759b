"""What is stored as rows of CSV, JSON Lines and JSON, a part at a time.

CSV is RFC 4180: CRLF, quotes where they are needed, one header with the union of the columns of all rows
(which takes a first pass over the runs). Nothing keeps more than one page of runs or one series in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from otel_experiments.query.export.records import RECORDS, RecordKind, parts_of
from otel_experiments.query.export.spreadsheet import defused
from otel_experiments.query.frames.columns import Columns, text_of
from otel_experiments.query.frames.record_columns import kinds_of
from otel_experiments.query.json_values import json_line, plain_number, plain_step
from otel_experiments.query.plain import plain_run
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_columns import cells_of, column_order, is_time
from otel_experiments.query.run_view import RunView
from otel_experiments.query.series_view import SeriesView

POINT_COLUMNS = ("run_id", "metric", "phase", "step", "time_unix_nano", "value", "rank")

OnRun = Callable[[int], None]
"""Called after each run with how many rows there are so far."""


def ignore_run(_: int) -> None:
    """Do nothing."""


@dataclass(slots=True)
class Tally:
    """Counts rows, and tells how many there are at the end of each run."""

    on_run: OnRun
    rows: int = 0

    def end_run(self) -> None:
        """Tell the rows so far."""
        self.on_run(self.rows)


class TextSink(Protocol):
    """Anything that text can be written to."""

    def write(self, text: str, /) -> object:
        """Take the text."""
        ...


class JsonDocument:
    """Makes one JSON document, an array with an object a line, of JSON Lines that are written into it."""

    def __init__(self, sink: TextSink) -> None:
        self._sink = sink
        self._start = "["

    def write(self, text: str, /) -> None:
        """Take one line."""
        self._sink.write(f"{self._start}\n{text.removesuffix(chr(10))}")
        self._start = ","

    def end(self) -> None:
        """Close the array."""
        self._sink.write("[]\n" if self._start == "[" else "\n]\n")


def runs_to_csv(
    reader: Reader,
    runs: Sequence[RunView],
    sink: TextSink,
    *,
    spreadsheet_safe: bool = False,
    on_run: OnRun = ignore_run,
) -> int:
    """Write one row a run: its fields, `tags.*`, `params.*`, `metrics.NAME.last` and so on; returns the rows.

    `spreadsheet_safe`: texts that a spreadsheet would run as a formula get an apostrophe in front.
    """
    columns: dict[str, None] = {}
    for page in reader.pages(runs):
        for run in page:
            columns.update(dict.fromkeys(_cells(run)))
    header = column_order(columns)
    writer = csv.writer(sink)
    row_of = defused if spreadsheet_safe else list
    writer.writerow(row_of(header))
    count = 0
    for page in reader.pages(runs):
        for run in page:
            cells = _cells(run)
            writer.writerow(row_of(cells.get(column, "") for column in header))
            count += 1
            on_run(count)
    return count


def runs_to_jsonl(
    reader: Reader, runs: Sequence[RunView], sink: TextSink, *, on_run: OnRun = ignore_run
) -> int:
    """Write one object a run; returns how many."""
    count = 0
    for page in reader.pages(runs):
        for run in page:
            sink.write(json_line(plain_run(run)) + "\n")
            count += 1
            on_run(count)
    return count


def points_to_csv(
    reader: Reader,
    runs: Sequence[RunView],
    sink: TextSink,
    *,
    metric: str = "*",
    spreadsheet_safe: bool = False,
    on_run: OnRun = ignore_run,
) -> int:
    """Write one row a point of every series whose name matches the glob; returns the rows. See `runs_to_csv`."""
    writer = csv.writer(sink)
    writer.writerow(POINT_COLUMNS)
    tally = Tally(on_run)
    for run, series in series_of(reader, runs, metric, tally.end_run):
        points = series.points()
        names = [run.id, series.name, series.phase]
        cells = defused(names) if spreadsheet_safe else names
        writer.writerows(
            (*cells, plain_step(step), time_ns, plain_number(value), series.rank)
            for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True)
        )
        tally.rows += len(points)
    return tally.rows


def points_to_jsonl(
    reader: Reader,
    runs: Sequence[RunView],
    sink: TextSink,
    *,
    metric: str = "*",
    on_run: OnRun = ignore_run,
) -> int:
    """Write one object a point of every series whose name matches the glob; returns how many."""
    tally = Tally(on_run)
    for run, series in series_of(reader, runs, metric, tally.end_run):
        points = series.points()
        for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True):
            number = plain_number(value)
            row = (run.id, series.name, series.phase, plain_step(step), time_ns, number, series.rank)
            sink.write(json_line(dict(zip(POINT_COLUMNS, row, strict=True))) + "\n")
        tally.rows += len(points)
    return tally.rows


def spans_to_jsonl(reader: Reader, runs: Sequence[RunView] | None, sink: TextSink) -> int:
    """Write one object a span of these runs, or of all telemetry when `runs` is None; returns how many."""
    return records_to_jsonl("spans", reader, runs, sink)


def records_to_jsonl(
    kind: RecordKind,
    reader: Reader,
    runs: Sequence[RunView] | None,
    sink: TextSink,
    *,
    on_run: OnRun = ignore_run,
) -> int:
    """Write one object a span, event and so on of these runs, or of all telemetry when `runs` is None; returns how many."""
    plain, tally = RECORDS[kind].plain, Tally(on_run)
    for part in parts_of(kind, reader, runs, tally.end_run):
        for item in part:
            sink.write(json_line(plain(item)) + "\n")
        tally.rows += len(part)
    return tally.rows


def records_to_csv(
    kind: RecordKind,
    reader: Reader,
    runs: Sequence[RunView] | None,
    sink: TextSink,
    *,
    spreadsheet_safe: bool = False,
    on_run: OnRun = ignore_run,
) -> int:
    """Write one row a span, event and so on: nested values as JSON, times as nanoseconds since the Unix epoch."""
    make, tally = RECORDS[kind].columns, Tally(on_run)
    writer = csv.writer(sink)
    row_of = defused if spreadsheet_safe else list
    writer.writerow(_header(make(())))
    for part in parts_of(kind, reader, runs, tally.end_run):
        columns = make(part).by_name.values()
        cells = ([_flat(value) for value in column.values] for column in columns)
        writer.writerows(row_of(row) for row in zip(*cells, strict=True))
        tally.rows += len(part)
    return tally.rows


def _header(columns: Columns) -> list[str]:
    return [f"{name}_unix_nano" if kind == "time" else name for name, kind in kinds_of(columns).items()]


def _flat(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain_number(value) if isinstance(value, float) else value


def series_of(
    reader: Reader, runs: Sequence[RunView], glob: str, on_run: Callable[[], None]
) -> Iterator[tuple[RunView, SeriesView]]:
    """Yield the series of these runs whose name matches a glob, of every rank."""
    for page in reader.pages(runs):
        for run in page:
            for series in run.metrics.matching(glob, rank="all"):
                yield run, series
            on_run()


def _cells(run: RunView) -> dict[str, object]:
    return {column: _cell(column, value) for column, value in cells_of(run)}


def _cell(column: str, value: object) -> object:
    """Return a value as it is in CSV: text as it is, everything else as JSON writes it, times in ISO 8601."""
    if is_time(column):
        assert value is None or isinstance(value, int)
        return _iso(value)
    namespace = column.partition(".")[0]
    if namespace == "params":
        return text_of(value)
    if namespace == "metrics" and isinstance(value, float):
        return plain_step(value) if column.endswith("_step") else plain_number(value)
    return value


def _iso(time_ns: int | None) -> str:
    if time_ns is None:
        return ""
    # Microseconds by integers: a float of today's nanoseconds is off by some hundred of them.
    seconds, rest_ns = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
