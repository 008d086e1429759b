"""From OTLP protobuf messages to spans and log records. Pure.

`TracesData` and `ExportTraceServiceRequest` have the same bytes, and so for the other signals, so one decoder
serves files, requests and storage alike. Where an item cannot be kept (`refusals`), a caller that counts such items
gets the others, and one that does not count gets an error.

Source: opentelemetry-proto, trace.proto and logs.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogRecordMessage
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData, ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.protobuf_values import (
    SOURCE,
    attributes_from_otlp,
    optional_id,
    parse,
    resource_from_otlp,
    scope_from_otlp,
    value_from_otlp,
)
from otel_experiments.codec.incoming.refusals import (
    LATEST_NS,
    SPAN_ID_BYTES,
    TOO_LATE,
    TRACE_ID_BYTES,
    Refusals,
    id_refusal,
    named,
    refuse,
)
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import (
    Event,
    Link,
    Resource,
    Scope,
    Span,
    SpanKind,
    StatusCode,
)

_OPTIONAL_TRACE_ID: Final = (0, TRACE_ID_BYTES)
_OPTIONAL_SPAN_ID: Final = (0, SPAN_ID_BYTES)
_KINDS: Final = {int(kind): kind for kind in SpanKind}
_CODES: Final = {int(code): code for code in StatusCode}


def decode_spans(payload: bytes) -> list[Span]:
    """Return the spans of a serialized TracesData or ExportTraceServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message, or hold spans that cannot be kept.
    """
    return list(spans_from_otlp(parse(TracesData(), payload).resource_spans))


def decode_log_records(payload: bytes) -> list[LogRecord]:
    """Return the log records of a serialized LogsData or ExportLogsServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message, or hold records that cannot be kept.
    """
    return list(log_records_from_otlp(parse(LogsData(), payload).resource_logs))


def spans_from_otlp(groups: Iterable[ResourceSpans], refusals: Refusals | None = None) -> Iterator[Span]:
    """Yield the spans of parsed messages.

    Raises:
        TelemetryDecodeError: a span cannot be kept, and `refusals` is None.
    """
    for group in groups:
        resource = resource_from_otlp(group.resource, group.schema_url)
        for part in group.scope_spans:
            scope = scope_from_otlp(part.scope, part.schema_url)
            for span in part.spans:
                refusal = span_refusal(span)
                if refusal:
                    refuse(refusal, refusals, source=SOURCE)
                else:
                    yield _span(span, resource, scope)


def log_records_from_otlp(
    groups: Iterable[ResourceLogs], refusals: Refusals | None = None
) -> Iterator[LogRecord]:
    """Yield the log records of parsed messages.

    Raises:
        TelemetryDecodeError: a record cannot be kept, and `refusals` is None.
    """
    for group in groups:
        resource = resource_from_otlp(group.resource, group.schema_url)
        for part in group.scope_logs:
            scope = scope_from_otlp(part.scope, part.schema_url)
            for record in part.log_records:
                refusal = log_record_refusal(record)
                if refusal:
                    refuse(refusal, refusals, source=SOURCE)
                else:
                    yield _log_record(record, resource, scope)


def span_refusal(span: SpanMessage) -> str:
    """Return why a span cannot be kept, with its name; nothing when it can.

    A link without ids is kept, as the specification asks; its ids become zeros.
    """
    trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
    found = id_refusal(trace_id, TRACE_ID_BYTES, "trace") or id_refusal(span_id, SPAN_ID_BYTES, "span")
    if not found and len(parent) not in _OPTIONAL_SPAN_ID:
        found = f"a parent span id of {len(parent)} bytes, not {SPAN_ID_BYTES}"
    if not found and (span.start_time_unix_nano > LATEST_NS or span.end_time_unix_nano > LATEST_NS):
        found = TOO_LATE
    if not found:
        found = _part_refusal(span)
    return found and f"{named('span', span.name)} has {found}"


def _part_refusal(span: SpanMessage) -> str:
    events, links = span.events, span.links
    if events and any(event.time_unix_nano > LATEST_NS for event in events):
        return f"an event with {TOO_LATE}"
    for link in links or ():
        if len(link.trace_id) not in _OPTIONAL_TRACE_ID or len(link.span_id) not in _OPTIONAL_SPAN_ID:
            return f"a link with ids of {len(link.trace_id)} and {len(link.span_id)} bytes, not 16 and 8"
    return ""


def log_record_refusal(record: LogRecordMessage) -> str:
    """Return why a log record cannot be kept; nothing when it can.

    Ids that are none leave the record without a trace, as logs.proto asks.
    """
    if record.time_unix_nano > LATEST_NS or record.observed_time_unix_nano > LATEST_NS:
        return f"{named('log record', record.event_name)} has {TOO_LATE}"
    return ""


def _span(span: SpanMessage, resource: Resource, scope: Scope) -> Span:
    attributes = attributes_from_otlp(span.attributes)
    status, events, links = span.status, span.events, span.links
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano or None,
        parent_span_id=optional_id(span.parent_span_id, SPAN_ID_BYTES),
        kind=_KINDS.get(span.kind, SpanKind.UNSPECIFIED),
        status=_CODES.get(status.code, StatusCode.UNSET),
        status_message=status.message,
        attributes=attributes,
        events=tuple(map(_event, events)) if events else (),
        links=tuple(map(_link, links)) if links else (),
        resource=resource,
        scope=scope,
        trace_state=span.trace_state,
        flags=span.flags,
        dropped_attributes_count=span.dropped_attributes_count,
        dropped_events_count=span.dropped_events_count,
        dropped_links_count=span.dropped_links_count,
        run_id=run_id_of(attributes, resource),
        is_received=True,
    )


def _event(event: SpanMessage.Event) -> Event:
    return Event(
        event.name,
        event.time_unix_nano,
        attributes_from_otlp(event.attributes),
        event.dropped_attributes_count,
    )


def _link(link: SpanMessage.Link) -> Link:
    return Link(
        link.trace_id.hex() or "0" * 32,
        link.span_id.hex() or "0" * 16,
        attributes_from_otlp(link.attributes),
        link.trace_state,
        link.dropped_attributes_count,
    )


def _log_record(record: LogRecordMessage, resource: Resource, scope: Scope) -> LogRecord:
    attributes = attributes_from_otlp(record.attributes)
    observed_ns = record.observed_time_unix_nano or record.time_unix_nano
    return LogRecord(
        time_ns=record.time_unix_nano or observed_ns,
        observed_time_ns=observed_ns,
        event_name=record.event_name,
        severity_number=int(record.severity_number),
        severity_text=record.severity_text,
        body=value_from_otlp(record.body),
        attributes=attributes,
        trace_id=optional_id(record.trace_id, TRACE_ID_BYTES),
        span_id=optional_id(record.span_id, SPAN_ID_BYTES),
        flags=record.flags,
        dropped_attributes_count=record.dropped_attributes_count,
        resource=resource,
        scope=scope,
        run_id=run_id_of(attributes, resource),
    )
