"""Runs, points and spans out of the store as CSV and JSON Lines, a part at a time.

CSV is RFC 4180: CRLF, quotes where they are needed, one header with the union of the columns of all rows
(which takes a first pass over the runs). Nothing keeps more than one page of runs or one series in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from otel_experiments.model.span import Span
from otel_experiments.query.export.spreadsheet import defused
from otel_experiments.query.frames.columns import text_of
from otel_experiments.query.json_values import json_line, plain_number, plain_step
from otel_experiments.query.metrics_view import SeriesView
from otel_experiments.query.plain import plain_run, plain_span
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_columns import cells_of, column_order, is_time
from otel_experiments.query.run_view import RunView
from otel_experiments.query.spans_view import SpansView

POINT_COLUMNS = ("run_id", "metric", "phase", "step", "time_unix_nano", "value", "rank")

SPAN_PAGE = 20_000
"""Spans that are in memory at once."""


class TextSink(Protocol):
    """Anything that text can be written to."""

    def write(self, text: str, /) -> object:
        """Take the text."""
        ...


def runs_to_csv(
    reader: Reader, runs: Sequence[RunView], sink: TextSink, *, spreadsheet_safe: bool = False
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
    return count


def runs_to_jsonl(reader: Reader, runs: Sequence[RunView], sink: TextSink) -> int:
    """Write one object a run; returns how many."""
    count = 0
    for page in reader.pages(runs):
        for run in page:
            sink.write(json_line(plain_run(run)) + "\n")
            count += 1
    return count


def points_to_csv(
    reader: Reader,
    runs: Sequence[RunView],
    sink: TextSink,
    *,
    metric: str = "*",
    spreadsheet_safe: bool = False,
) -> int:
    """Write one row a point of every series whose name matches the glob; returns the rows. See `runs_to_csv`."""
    writer = csv.writer(sink)
    writer.writerow(POINT_COLUMNS)
    count = 0
    for run, series in _series(reader, runs, metric):
        points = series.points()
        names = defused((series.name, series.phase)) if spreadsheet_safe else (series.name, series.phase)
        writer.writerows(
            (run.id, *names, plain_step(step), time_ns, plain_number(value), series.rank)
            for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True)
        )
        count += len(points)
    return count


def points_to_jsonl(reader: Reader, runs: Sequence[RunView], sink: TextSink, *, metric: str = "*") -> int:
    """Write one object a point of every series whose name matches the glob; returns how many."""
    count = 0
    for run, series in _series(reader, runs, metric):
        points = series.points()
        for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True):
            number = plain_number(value)
            row = (run.id, series.name, series.phase, plain_step(step), time_ns, number, series.rank)
            sink.write(json_line(dict(zip(POINT_COLUMNS, row, strict=True))) + "\n")
        count += len(points)
    return count


def spans_to_jsonl(reader: Reader, runs: Sequence[RunView] | None, sink: TextSink) -> int:
    """Write one object a span of these runs, or of all telemetry when `runs` is None; returns how many."""
    count = 0
    for view in [reader.spans] if runs is None else (run.spans for run in runs):
        for span in _chunks(view):
            sink.write(json_line(plain_span(span)) + "\n")
            count += 1
    return count


def _chunks(view: SpansView) -> Iterator[Span]:
    offset = 0
    while True:
        page = list(view.first(SPAN_PAGE, offset=offset))
        yield from page
        if len(page) < SPAN_PAGE:
            return
        offset += SPAN_PAGE


def _series(reader: Reader, runs: Sequence[RunView], glob: str) -> Iterator[tuple[RunView, SeriesView]]:
    for page in reader.pages(runs):
        for run in page:
            for series in run.metrics.matching(glob, rank="all"):
                yield run, series


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
