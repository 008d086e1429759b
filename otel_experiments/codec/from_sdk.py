"""From what OpenTelemetry's Python SDK hands to exporters and processors to our model. Pure.

Metrics are in `from_sdk_metrics`: importing the SDK's takes as long as all of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import format_span_id, format_trace_id

from otel_experiments.codec.plain import plain_value
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import (
    Attributes,
    Event,
    Link,
    Resource,
    Scope,
    Span,
    SpanKind,
    StatusCode,
)
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

REMOTE_PARENT_FLAGS = 0x100
"""Set when it is known whether the parent is remote. Source: trace.proto, SpanFlags."""
IS_REMOTE_FLAG = 0x200


def resource_from_sdk(resource: SdkResource | None) -> Resource:
    """Return the resource; an empty one for None."""
    if resource is None:
        return Resource()
    return Resource(dict(resource.attributes), resource.schema_url or "")


def scope_from_sdk(scope: InstrumentationScope | None) -> Scope:
    """Return the instrumentation scope; an empty one for None."""
    if scope is None:
        return Scope()
    return Scope(
        scope.name,
        scope.version or "",
        scope.schema_url or "",
        cast("Attributes", dict(scope.attributes or {})),
    )


def run_id_of(attributes: Attributes, resource: Resource) -> str | None:
    """Return the run that telemetry belongs to: its own attribute first, else its resource's."""
    run_id = attributes.get(attr.ML_RUN_ID) or resource.attributes.get(attr.ML_RUN_ID)
    return run_id if isinstance(run_id, str) else None


def span_from_sdk(
    span: ReadableSpan, *, resource: Resource | None = None, scope: Scope | None = None
) -> Span:
    """Return the span, open (no `end_ns`) or ended.

    `resource` and `scope` may be given when the caller has converted the same objects before.

    Source: opentelemetry-proto, trace.proto; the SDK counts kinds from INTERNAL = 0, OTLP from 1.
    """
    context = span.context
    assert context is not None, "a span of the SDK has a context"
    resource = resource if resource is not None else resource_from_sdk(span.resource)
    attributes = cast("Attributes", dict(span.attributes or {}))
    parent = span.parent
    flags = int(context.trace_flags)
    if parent is not None:
        flags |= REMOTE_PARENT_FLAGS | (IS_REMOTE_FLAG if parent.is_remote else 0)
    return Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time,
        parent_span_id=None if parent is None else format_span_id(parent.span_id),
        kind=SpanKind(span.kind.value + 1),
        status=StatusCode(span.status.status_code.value),
        status_message=span.status.description or "",
        attributes=attributes,
        events=tuple(
            Event(e.name, e.timestamp, cast("Attributes", dict(e.attributes or {})), e.dropped_attributes)
            for e in span.events
        ),
        links=tuple(
            Link(
                format_trace_id(link.context.trace_id),
                format_span_id(link.context.span_id),
                cast("Attributes", dict(link.attributes or {})),
                link.context.trace_state.to_header() if link.context.trace_state else "",
                link.dropped_attributes,
            )
            for link in span.links
        ),
        resource=resource,
        scope=scope if scope is not None else scope_from_sdk(span.instrumentation_scope),
        trace_state=context.trace_state.to_header() if context.trace_state else "",
        flags=flags,
        dropped_attributes_count=span.dropped_attributes,
        dropped_events_count=span.dropped_events,
        dropped_links_count=span.dropped_links,
        run_id=run_id_of(attributes, resource),
    )


def log_record_from_sdk(data: ReadableLogRecord | ReadWriteLogRecord) -> LogRecord:
    """Return the log record or event."""
    record = data.log_record
    resource = resource_from_sdk(data.resource)
    attributes = cast("Attributes", dict(record.attributes or {}))
    observed_ns = record.observed_timestamp or record.timestamp or 0
    return LogRecord(
        time_ns=record.timestamp or observed_ns,
        observed_time_ns=observed_ns,
        event_name=record.event_name or "",
        severity_number=record.severity_number.value if record.severity_number else 0,
        severity_text=record.severity_text or "",
        body=plain_value(record.body),
        attributes=attributes,
        trace_id=format_trace_id(record.trace_id) if record.trace_id else None,
        span_id=format_span_id(record.span_id) if record.span_id else None,
        flags=int(record.trace_flags or 0),
        dropped_attributes_count=data.dropped_attributes,
        resource=resource,
        scope=scope_from_sdk(data.instrumentation_scope),
        run_id=run_id_of(attributes, resource),
    )
