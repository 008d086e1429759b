"""Telemetry of no run in a memory store: finding it, giving it to a run, taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from otel_experiments.model.attachment import (
    Attachment,
    Detachment,
    TelemetryGroup,
    TelemetryQuery,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span, service_of
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION
from otel_experiments.store.memory.contents import Contents, remove_points

_Kind = Literal["span", "log_record", "data_point"]


class _Found(NamedTuple):
    kind: _Kind
    place: Any  # the key of a span, the hash of anything else
    item: Span | LogRecord | InstrumentPoint
    time_ns: int


def telemetry_groups(
    contents: Contents, query: TelemetryQuery, *, by_trace: bool, limit: int | None
) -> list[TelemetryGroup]:
    """Return how much telemetry a query means, by service or by trace, the newest first."""
    groups: dict[str, list[_Found]] = {}
    for one in _found(contents, query):
        label = _trace_of(one.item) if by_trace else service_of(one.item.resource.attributes)
        if label is not None:
            groups.setdefault(label, []).append(one)
    made = [_group(contents, label, found, by_trace=by_trace) for label, found in groups.items()]
    return sorted(made, key=lambda group: (-group.last_ns, group.trace_id or group.service))[:limit]


def has_telemetry(contents: Contents) -> bool:
    """Tell whether there is telemetry of no run."""
    return next(_found(contents, TelemetryQuery()), None) is not None


def telemetry_items(contents: Contents, query: TelemetryQuery) -> Iterator[WriteBatch]:
    """Yield the spans and data points that a query means."""
    found = sorted(_found(contents, query), key=lambda one: one.time_ns)
    yield WriteBatch(
        spans=[one.item for one in found if isinstance(one.item, Span)],
        instrument_points=[one.item for one in found if isinstance(one.item, InstrumentPoint)],
    )


def attach(contents: Contents, attachments: Iterable[Attachment]) -> None:
    """Give telemetry of no run to runs."""
    for one in attachments:
        for found in list(_found(contents, one.query)):
            _give(contents, found, one.run_id)
            contents.attached.add(found.place)


def detach(contents: Contents, detachments: Iterable[Detachment]) -> None:
    """Take back what was given to runs, and the points that came of it."""
    for one in detachments:
        run_id = one.query.run_id
        if run_id is None:
            continue
        remove_points(contents, run_id, one.points)
        for found in list(_found(contents, one.query)):
            _give(contents, found, None)
            contents.attached.discard(found.place)


def _give(contents: Contents, found: _Found, run_id: str | None) -> None:
    table: MutableMapping[Any, Any] = {
        "span": contents.spans,
        "log_record": contents.log_records,
        "data_point": contents.instrument_points,
    }[found.kind]  # type: ignore[assignment] # one table a kind
    table[found.place] = replace(found.item, run_id=run_id)


def _found(contents: Contents, query: TelemetryQuery) -> Iterator[_Found]:
    for one in _all(contents):
        if (
            one.item.run_id == query.run_id
            and (query.run_id is None or one.place in contents.attached)
            and query.takes_time(one.time_ns)
            and query.trace_id in {None, _trace_of(one.item)}
            and query.takes_resource(one.item.resource.attributes)
        ):
            yield one


def _all(contents: Contents) -> Iterator[_Found]:
    for span in contents.spans.values():
        yield _Found("span", (span.trace_id, span.span_id), span, span.start_ns)
    for content_hash, record in contents.log_records.items():
        if record.run_id is None and record.event_name == ML_EXPERIMENT_DEFINITION.name:
            continue  # it is the experiment's, and of no run
        yield _Found("log_record", content_hash, record, record.time_ns)
    for content_hash, point in contents.instrument_points.items():
        yield _Found("data_point", content_hash, point, point.time_ns)


def _trace_of(item: Span | LogRecord | InstrumentPoint) -> str | None:
    return None if isinstance(item, InstrumentPoint) else item.trace_id


def _group(contents: Contents, label: str, found: list[_Found], *, by_trace: bool) -> TelemetryGroup:
    kinds = [one.kind for one in found]
    times_ns = [one.time_ns for one in found]
    spans = [span for span in contents.spans.values() if by_trace and span.trace_id == label]
    first = min(spans, key=lambda span: (span.parent_span_id is not None, span.start_ns), default=None)
    return TelemetryGroup(
        service=service_of(found[0].item.resource.attributes),
        trace_id=label if by_trace else None,
        name="" if first is None else first.name,
        span_count=kinds.count("span"),
        log_record_count=kinds.count("log_record"),
        data_point_count=kinds.count("data_point"),
        first_ns=min(times_ns),
        last_ns=max(times_ns),
    )
