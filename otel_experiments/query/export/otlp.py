"""Runs out of the store as OTLP, a request at a time, as the Collector's file exporter writes it.

The requests hold all that is stored: spans (open ones too), log records, data points of instruments and points as they are,
and the run itself as an event. So a store that reads them back holds the runs as this one does. What a
destination has not taken is not a part of a run, and stays here.

Source: opentelemetry-collector-contrib, fileexporter: `format: json` is a request a line, `format: proto` a request behind
its length, four bytes, big-endian.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any, Final, Literal, Protocol, TypeVar

from otel_experiments.codec.export_mark import marked
from otel_experiments.codec.incoming.refusals import named
from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.points import PointOrigin, of_rank, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.codec.run_record import dump_run_record
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.run import Run
from otel_experiments.model.signal import Signal
from otel_experiments.model.span import Resource, Scope, Span
from otel_experiments.process.interruption import pass_on
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv.events import ML_RUN_RECORD
from otel_experiments.store import Store
from otel_experiments.store.shared_environment import whole_run_alone

OtlpForm = Literal["json", "proto"]
_NO_SPAN: Final = "0" * 16
_NO_TRACE: Final = "0" * 32
_NOTHING: Final = "{}"
_SCOPE: Final = Scope("otel_experiments", schema_url=SCHEMA_URL)
_INFO: Final = 9
"""SeverityNumber of logs.proto."""
_NOT_ENCODABLE: Final = (ValueError, TypeError, OverflowError, struct.error, KeyError)
_KINDS: Final = {
    "spans": "span",
    "log records": "log record",
    "data points of instruments": "data point of the instrument",
}
"""What one of the items is called before its name."""
_Item = TypeVar("_Item")
_Marked = TypeVar("_Marked", Span, LogRecord, InstrumentPoint)


class BinarySink(Protocol):
    """Anything that bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Take the bytes."""
        ...


@dataclass(slots=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        run_count: how many runs.
        written: how many items, by what they are called (`spans`, `log records`, `data points of instruments`, `metric points`,
            `artifacts`).
        refused: how many of them OTLP has no room for, and of the runs themselves (`run descriptions`).
        reason: why, for the first of those, and which it is; empty where there are none.
    """

    run_count: int = 0
    written: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    reason: str = ""


def export_otlp(
    store: Store,
    runs: Iterable[Run],
    sink: BinarySink,
    *,
    form: OtlpForm = "json",
    unattached: bool = False,
    on_progress: Callable[[ExportReport], None] = lambda _: None,
) -> ExportReport:
    """Write all that is stored of the runs; see the module.

    Args:
        store: where they are.
        runs: which.
        sink: takes the requests.
        form: JSON, a request a line, or protobuf behind its length.
        unattached: whether spans, log records and data points of no run are written as well.
        on_progress: called after each request.
    """
    export = _Export(sink, form, on_progress)
    chosen = list(runs)
    run_ids = {run.run_id for run in chosen}
    for run in chosen:
        for page in whole_run_alone(store, run.run_id, among=run_ids):
            export.write(page, run)
        export.report.run_count += 1
    if unattached:
        for page in store.whole_run(None):
            export.write(page, None)
    return export.report


class _Export:
    """Writes one page after the other."""

    def __init__(self, sink: BinarySink, form: OtlpForm, on_progress: Callable[[ExportReport], None]) -> None:
        self.report = ExportReport()
        self._sink = sink
        self._form = form
        self._on_progress = on_progress

    def write(self, page: WriteBatch, run: Run | None) -> None:
        """Write a page of `Store.whole_run`; `run` is None where it is of no run."""
        run_id = None if run is None else run.run_id
        self._write("traces", "spans", _marked(page.spans, run_id), spans_to_request)
        self._write("logs", "log records", _marked(page.log_records, run_id), log_records_to_request)
        self._write(
            "metrics",
            "data points of instruments",
            _marked(page.instrument_points, run_id),
            instrument_points_to_request,
        )
        if run is not None:
            self._write_points(page.points, run)
            self._write_record(page, run)
        self._on_progress(self.report)

    def _write(self, signal: Signal, noun: str, items: Sequence[_Item], encode: Callable[..., bytes]) -> None:
        if not items:
            return
        made = self._made(signal, items, encode)
        kept = items
        if made is None:
            kept = [item for item in items if self._is_encodable(signal, noun, item, encode)]
            made = self._made(signal, kept, encode) if kept else None
        if made is not None:
            self._sink.write(made)
            self.report.written[noun] += len(kept)

    def _is_encodable(self, signal: Signal, noun: str, item: object, encode: Callable[..., bytes]) -> bool:
        """Return whether OTLP has room for an item; count one that is left out, and keep of the first why."""
        try:
            self._formed(signal, encode([item], is_exact=True))
        except _NOT_ENCODABLE as error:
            pass_on(error)
            self._refuse(noun, 1, f"{named(_KINDS[noun], _name_of(item))}: {error}")
            return False
        return True

    def _made(self, signal: Signal, items: Sequence[object], encode: Callable[..., bytes]) -> bytes | None:
        """Return the items as they are written; None where OTLP has no room for one of them."""
        try:
            return self._formed(signal, encode(items, is_exact=True))
        except _NOT_ENCODABLE as error:
            pass_on(error)
            return None

    def _refuse(self, noun: str, count: int, reason: str) -> None:
        self.report.refused[noun] += count
        self.report.reason = self.report.reason or reason

    def _write_points(self, blocks: Sequence[PointBlock], run: Run) -> None:
        by_rank: dict[int, list[PointBlock]] = {}
        for block in blocks:
            kept = self._since_1970(block)
            if len(kept.steps):
                by_rank.setdefault(block.keys[0].rank, []).append(kept)
        for rank, group in by_rank.items():
            count = sum(len(block.steps) for block in group)
            try:
                made = self._formed("metrics", points_to_request([(_origin(run, rank), group)], _SCOPE))
            except _NOT_ENCODABLE as error:
                pass_on(error)
                self._refuse("metric points", count, f"the resource of the run {run.run_id[:8]}: {error}")
            else:
                self._sink.write(made)
                self.report.written["metric points"] += count

    def _since_1970(self, block: PointBlock) -> PointBlock:
        """Return the block, of one series, without the points whose time OTLP has no room for."""
        wanted = [time_ns >= 0 for time_ns in block.times_ns]
        if all(wanted):
            return block
        self._refuse("metric points", wanted.count(False), "a point is of a time before 1970")
        return replace(
            block,
            steps=list(compress(block.steps, wanted)),
            times_ns=list(compress(block.times_ns, wanted)),
            values=tuple(list(compress(values, wanted)) for values in block.values),
        )

    def _write_record(self, page: WriteBatch, run: Run) -> None:
        body = dump_run_record(page)
        if body == _NOTHING:
            return
        time_ns = run.ended_ns or run.started_ns or run.created_ns
        event = LogRecord(
            time_ns=max(time_ns, 1),
            observed_time_ns=max(time_ns, 1),
            event_name=ML_RUN_RECORD.name,
            severity_number=_INFO,
            severity_text="INFO",
            body=body,
            resource=marked(_resource(run), run.run_id),
            scope=_SCOPE,
            run_id=run.run_id,
        )
        try:
            self._sink.write(self._formed("logs", log_records_to_request([event], is_exact=True)))
            if page.artifacts:
                self.report.written["artifacts"] += len(page.artifacts)
        except _NOT_ENCODABLE as error:
            pass_on(error)
            self._refuse("run descriptions", 1, f"the resource of the run {run.run_id[:8]}: {error}")

    def _formed(self, signal: Signal, payload: bytes) -> bytes:
        """Return a request as it is written.

        Raises:
            ValueError: nothing could read it back.
        """
        from otel_experiments.codec.otlp.json_text import check_readable, request_to_json  # noqa: PLC0415 - protobuf takes time to import

        if self._form == "json":
            return request_to_json(signal, payload) + b"\n"
        check_readable(signal, payload)
        return struct.pack(">I", len(payload)) + payload


def _name_of(item: object) -> object:
    """Return what an item is called."""
    return getattr(item, "name", None) or getattr(item, "event_name", None)


def _marked(items: Sequence[_Marked], run_id: str | None) -> list[_Marked]:
    """Return the items with marked resources; what shares one still does."""
    made: dict[tuple[int, int | None], Resource] = {}
    found = []
    for item in items:
        key = id(item.resource), item.given_ns
        if key not in made:
            made[key] = marked(item.resource, run_id, item.given_ns)
        found.append(replace(item, resource=made[key]))
    return found


def _resource(run: Run) -> Resource:
    attributes: Any = run.resource  # what a store keeps are values of attributes
    return Resource(attributes, SCHEMA_URL)


def _origin(run: Run, rank: int) -> PointOrigin:
    """Return whose points they are: each rank's leave under its number."""
    resource = of_rank(_resource(run), rank)
    is_trace = len(run.run_id) == len(_NO_TRACE)
    trace_id = run.run_id if is_trace else _NO_TRACE
    return PointOrigin(marked(resource, run.run_id), trace_id, run.root_span_id or _NO_SPAN)
