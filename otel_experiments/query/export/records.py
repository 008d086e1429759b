"""Spans, events, log records and data points of instruments: where they come from a part at a time, and what a row of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_experiments.model.artifact import StoredArtifact
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.frames.columns import Columns
from otel_experiments.query.frames.record_columns import (
    artifact_columns,
    instrument_columns,
    log_columns,
    span_columns,
)
from otel_experiments.query.plain import (
    plain_artifact,
    plain_instrument_point,
    plain_log_record,
    plain_media_item,
    plain_span,
)
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_view import RunView
from otel_experiments.query.spans_view import SpansView

RecordKind = Literal["spans", "events", "logs", "instruments", "artifacts", "media"]

SPAN_PAGE: Final = 20_000
"""Spans that are in memory at once."""

# Any in this module: each kind has its type of item, and its functions go together.
_Parts = Iterator[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Records:
    """What a kind of record is in a file.

    Attributes:
        of_run: yields those of a run.
        of_none: yields those that belong to no run.
        columns: makes columns of some of them, always the same.
        plain: makes what JSON holds of one.
    """

    of_run: Callable[[Reader, RunView], _Parts]
    of_none: Callable[[Reader], _Parts]
    columns: Callable[[Sequence[Any]], Columns]
    plain: Callable[[Any], Mapping[str, object]]


def _spans_of(_: Reader, run: RunView) -> _Parts:
    return _pages(run.spans)


def _pages(view: SpansView) -> Iterator[Sequence[Span]]:
    offset = 0
    while page := list(view.first(SPAN_PAGE, offset=offset)):
        yield page
        offset += SPAN_PAGE


def _batches(reader: Reader, run: RunView, signal: Literal["logs", "metrics"]) -> Iterator[WriteBatch]:
    return (page.batch for page in reader.store.stored_pages(run.id, signal))


def _events_of(reader: Reader, run: RunView) -> _Parts:
    return (_named(batch.log_records) for batch in _batches(reader, run, "logs"))


def _logs_of(reader: Reader, run: RunView) -> _Parts:
    return (_unnamed(batch.log_records) for batch in _batches(reader, run, "logs"))


def _instruments_of(reader: Reader, run: RunView) -> Iterator[Sequence[InstrumentPoint]]:
    return (batch.instrument_points for batch in _batches(reader, run, "metrics"))


def _named(records: Sequence[LogRecord]) -> list[LogRecord]:
    return [one for one in records if one.event_name]


def _unnamed(records: Sequence[LogRecord]) -> list[LogRecord]:
    return [one for one in records if not one.event_name]


def _artifacts_of(_: Reader, run: RunView) -> Iterator[Sequence[ArtifactView]]:
    yield run.artifacts.all()


def _media_of(_: Reader, run: RunView) -> Iterator[Sequence[ArtifactView]]:
    for series in run.media.values():
        yield list(series)


def _artifact_columns(views: Sequence[ArtifactView]) -> Columns:
    return artifact_columns([StoredArtifact(one.record, one.version, one.aliases) for one in views])


RECORDS: Final[Mapping[RecordKind, Records]] = {
    "spans": Records(
        _spans_of,
        lambda reader: (batch.spans for batch in reader.store.whole_run(None)),
        lambda spans: span_columns(spans, expands=False),
        plain_span,
    ),
    "events": Records(
        _events_of,
        lambda reader: (_named(batch.log_records) for batch in reader.store.whole_run(None)),
        lambda records: log_columns(records, expands=False),
        plain_log_record,
    ),
    "logs": Records(
        _logs_of,
        lambda reader: (_unnamed(batch.log_records) for batch in reader.store.whole_run(None)),
        lambda records: log_columns(records, expands=False),
        plain_log_record,
    ),
    "instruments": Records(
        _instruments_of,
        lambda reader: (batch.instrument_points for batch in reader.store.whole_run(None)),
        lambda points: instrument_columns(points, expands=False),
        plain_instrument_point,
    ),
    "artifacts": Records(_artifacts_of, lambda _: iter(()), _artifact_columns, plain_artifact),
    "media": Records(_media_of, lambda _: iter(()), _artifact_columns, plain_media_item),
}


def parts_of(
    kind: RecordKind, reader: Reader, runs: Sequence[RunView] | None, on_run: Callable[[], None]
) -> Iterator[Sequence[Any]]:
    """Yield the records of these runs, or of all telemetry when `runs` is None, a part at a time."""
    if runs is None and kind == "spans":
        yield from _pages(reader.spans)
        return
    records = RECORDS[kind]
    for run in reader.runs() if runs is None else runs:
        yield from records.of_run(reader, run)
        on_run()
    if runs is None:
        yield from records.of_none(reader)
