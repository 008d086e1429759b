"""From OTLP/JSON documents to spans and log records of our model. Pure: it takes parsed JSON and never opens a file.

It reads what the specification says (ids in hex, 64-bit integers as text or number, NaN and infinities as text), and in
files also what exporters have written beside it: enumerations by name, base64 ids and Tempo's `batches`.

Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.json_items import items_of, read_item
from otel_experiments.codec.incoming.json_values import (
    FILES,
    Dialect,
    Document,
    attributes,
    count,
    enumerated,
    items,
    message,
    optional_id,
    required_id,
    text,
    time_ns,
    valid_id,
    value,
)
from otel_experiments.codec.incoming.refusals import Refusals, RefusedItem
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode

_KINDS: Final = {f"SPAN_KIND_{kind.name}": int(kind) for kind in SpanKind}
_STATUSES: Final = {f"STATUS_CODE_{status.name}": int(status) for status in StatusCode}
_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITIES: Final = {"SEVERITY_NUMBER_UNSPECIFIED": 0} | {
    f"SEVERITY_NUMBER_{level}{number if number > 1 else ''}": 4 * index + number
    for index, level in enumerate(_LEVELS)
    for number in (1, 2, 3, 4)
}
_NO_TRACE_ID: Final = "0" * 32
_NO_SPAN_ID: Final = "0" * 16


def spans_from_json(
    document: Document, dialect: Dialect = FILES, refusals: Refusals | None = None
) -> Iterator[Span]:
    """Yield the spans of a TracesData document or trace export request; nothing when it holds other signals.

    Raises:
        TelemetryDecodeError: a span is not what OTLP says, or cannot be kept while `refusals` is None.
    """
    for item, resource, scope in items_of(document, "traces", dialect):
        read = partial(_span, resource=resource, scope=scope, dialect=dialect)
        span = read_item("span", item, read, refusals)
        if span is not None:
            yield span


def log_records_from_json(
    document: Document, dialect: Dialect = FILES, refusals: Refusals | None = None
) -> Iterator[LogRecord]:
    """Yield the log records of a LogsData document or log export request.

    Raises:
        TelemetryDecodeError: a log record is not what OTLP says, or cannot be kept while `refusals` is None.
    """
    for item, resource, scope in items_of(document, "logs", dialect):
        read = partial(_log_record, resource=resource, scope=scope, dialect=dialect)
        record = read_item("log record", item, read, refusals)
        if record is not None:
            yield record


def _span(item: Document, resource: Resource, scope: Scope, dialect: Dialect) -> Span:
    held = attributes(item.get("attributes"))
    status = message(item, "status")
    kind = enumerated(item.get("kind"), "kind", _KINDS, dialect)
    code = enumerated(status.get("code"), "code", _STATUSES, dialect)
    return Span(
        trace_id=required_id(item, "traceId", "trace", dialect),
        span_id=required_id(item, "spanId", "span", dialect),
        name=text(item, "name"),
        start_ns=time_ns(item, "startTimeUnixNano"),
        end_ns=time_ns(item, "endTimeUnixNano") or None,
        parent_span_id=optional_id(item, "parentSpanId", "span", dialect),
        kind=SpanKind(kind) if 0 <= kind <= 5 else SpanKind.UNSPECIFIED,
        status=StatusCode(code) if 0 <= code <= 2 else StatusCode.UNSET,
        status_message=text(status, "message"),
        attributes=held,
        events=tuple(_event(event) for event in items(item, "events")),
        links=tuple(_link(link, dialect) for link in items(item, "links")),
        resource=resource,
        scope=scope,
        trace_state=text(item, "traceState"),
        flags=count(item, "flags"),
        dropped_attributes_count=count(item, "droppedAttributesCount"),
        dropped_events_count=count(item, "droppedEventsCount"),
        dropped_links_count=count(item, "droppedLinksCount"),
        run_id=run_id_of(held, resource),
        is_received=True,
    )


def _event(item: Document) -> Event:
    return Event(
        text(item, "name"),
        time_ns(item, "timeUnixNano"),
        attributes(item.get("attributes")),
        count(item, "droppedAttributesCount"),
    )


def _link(item: Document, dialect: Dialect) -> Link:
    try:
        trace_id = optional_id(item, "traceId", "trace", dialect)
        span_id = optional_id(item, "spanId", "span", dialect)
    except RefusedItem as refusal:
        raise RefusedItem(f"a link with {refusal}") from refusal
    return Link(
        trace_id or _NO_TRACE_ID,
        span_id or _NO_SPAN_ID,
        attributes(item.get("attributes")),
        text(item, "traceState"),
        count(item, "droppedAttributesCount"),
    )


def _log_record(item: Document, resource: Resource, scope: Scope, dialect: Dialect) -> LogRecord:
    held = attributes(item.get("attributes"))
    recorded_ns = time_ns(item, "timeUnixNano")
    observed_ns = time_ns(item, "observedTimeUnixNano") or recorded_ns
    return LogRecord(
        time_ns=recorded_ns or observed_ns,
        observed_time_ns=observed_ns,
        event_name=text(item, "eventName"),
        severity_number=enumerated(item.get("severityNumber"), "severityNumber", _SEVERITIES, dialect),
        severity_text=text(item, "severityText"),
        body=value(item.get("body")),
        attributes=held,
        trace_id=valid_id(item, "traceId", "trace", dialect),
        span_id=valid_id(item, "spanId", "span", dialect),
        flags=count(item, "flags"),
        dropped_attributes_count=count(item, "droppedAttributesCount"),
        resource=resource,
        scope=scope,
        run_id=run_id_of(held, resource),
    )
