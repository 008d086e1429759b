"""From our model to what OpenTelemetry's Python SDK hands to exporters, so that they can send it. Pure.

The reverse of `from_sdk`: what went through the journal leaves as the span, log record or data point it was.
Source: opentelemetry-proto, trace.proto, logs.proto, metrics.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as SdkLink
from opentelemetry.trace import SpanContext, Status, TraceFlags, TraceState
from opentelemetry.trace import SpanKind as SdkSpanKind
from opentelemetry.trace import StatusCode as SdkStatusCode

from otel_experiments.codec.from_sdk import IS_REMOTE_FLAG
from otel_experiments.codec.number import is_plain_number, plain_number
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Attributes, Event, Link, Resource, Scope, Span, SpanKind

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

Source = TypeVar("Source")
Made = TypeVar("Made")

_TRACE_FLAGS = 0xFF
"""The part of a span's flags that travels in the context. Source: trace.proto, SpanFlags."""

_ALWAYS_FIT: Final = frozenset({str, float, bool, bytes, type(None)})


class _Once(Generic[Source, Made]):
    """Converts each object once, by its identity: records of one run share their resource and scope."""

    def __init__(self, convert: Callable[[Source], Made]) -> None:
        self._convert = convert
        self._made: dict[int, tuple[Source, Made]] = {}

    def __call__(self, source: Source) -> Made:
        found = self._made.get(id(source))
        if found is None:
            found = self._made[id(source)] = (source, self._convert(source))
        return found[1]


def resource_to_sdk(resource: Resource) -> SdkResource:
    """Return the resource."""
    return SdkResource(cast("Any", _fitting(resource.attributes)), resource.schema_url or None)


def scope_to_sdk(scope: Scope) -> InstrumentationScope:
    """Return the instrumentation scope."""
    return InstrumentationScope(
        scope.name,
        scope.version or None,
        scope.schema_url or None,
        cast("Any", _fitting(scope.attributes)) or None,
    )


def spans_to_sdk(spans: Sequence[Span]) -> list[ReadableSpan]:
    """Return the ended spans as exporters take them; equal ids, times, attributes and dropped counts.

    Source: trace.proto; the SDK counts kinds from INTERNAL = 0, OTLP from 1 with 0 for "unspecified".
    """
    resource, scope = _Once(resource_to_sdk), _Once(scope_to_sdk)
    return [_span(span, resource(span.resource), scope(span.scope)) for span in spans]


def log_records_to_sdk(records: Sequence[LogRecord]) -> list[ReadableLogRecord]:
    """Return log records and events as exporters take them."""
    resource, scope = _Once(resource_to_sdk), _Once(scope_to_sdk)
    return [_log_record(record, resource(record.resource), scope(record.scope)) for record in records]


def _span(span: Span, resource: SdkResource, scope: InstrumentationScope) -> ReadableSpan:
    trace_id = int(span.trace_id, 16)
    parent = None
    if span.parent_span_id is not None:
        parent = SpanContext(trace_id, int(span.parent_span_id, 16), bool(span.flags & IS_REMOTE_FLAG))
    kind = span.kind if span.kind is not SpanKind.UNSPECIFIED else SpanKind.INTERNAL
    return ReadableSpan(
        name=span.name,
        context=SpanContext(
            trace_id,
            int(span.span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(span.flags & _TRACE_FLAGS),
            trace_state=_trace_state(span.trace_state),
        ),
        parent=parent,
        resource=resource,
        attributes=cast("Any", _attributes(span.attributes, span.dropped_attributes_count)),
        events=_bounded([_event(event) for event in span.events], span.dropped_events_count),
        links=_bounded([_link(link) for link in span.links], span.dropped_links_count),
        kind=SdkSpanKind(kind - 1),
        status=Status(SdkStatusCode(int(span.status)), span.status_message or None),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=scope,
    )


def _log_record(record: LogRecord, resource: SdkResource, scope: InstrumentationScope) -> ReadableLogRecord:
    from opentelemetry._logs import LogRecord as ApiLogRecord  # noqa: PLC0415 - the SDK's logs are slow to import
    from opentelemetry._logs import SeverityNumber  # noqa: PLC0415 - as above
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.sdk._logs import ReadableLogRecord  # noqa: PLC0415 - as above

    made = ApiLogRecord(
        timestamp=record.time_ns,
        observed_timestamp=record.observed_time_ns,
        context=Context(),
        severity_text=record.severity_text or None,
        severity_number=SeverityNumber(record.severity_number) if record.severity_number else None,
        body=cast("Any", _fit(record.body)),
        attributes=cast("Any", _attributes(record.attributes, record.dropped_attributes_count)),
        event_name=record.event_name or None,
    )
    made.trace_id = int(record.trace_id, 16) if record.trace_id else 0
    made.span_id = int(record.span_id, 16) if record.span_id else 0
    made.trace_flags = TraceFlags(record.flags & _TRACE_FLAGS)
    return ReadableLogRecord(made, resource, scope)


def _attributes(attributes: Attributes, dropped_count: int) -> object:
    fitting = _fitting(attributes)
    if not dropped_count:
        return fitting
    bounded = BoundedAttributes(attributes=cast("Any", fitting))
    bounded.dropped = dropped_count
    return bounded


def _fitting(attributes: Attributes) -> Attributes:
    """Return attributes that OTLP has room for: integers beyond 64 bits become the nearest float.

    Source: common.proto, AnyValue. The SDK's encoder leaves such an attribute out; the store keeps it exactly.
    """
    for value in attributes.values():
        kind = type(value)
        if kind not in _ALWAYS_FIT and not (kind is int and is_plain_number(value)):
            return cast("Attributes", {name: _fit(value) for name, value in attributes.items()})
    return attributes


def _fit(value: object) -> object:
    if type(value) in _ALWAYS_FIT:
        return value
    if isinstance(value, int):
        return plain_number(value)
    if isinstance(value, Mapping):
        return {key: _fit(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fit(inner) for inner in value]
    return value


def _bounded(items: list[Any], dropped_count: int) -> Sequence[Any]:
    if not dropped_count:
        return items
    bounded: BoundedList[Any] = BoundedList(None)
    bounded.extend(items)
    bounded.dropped = dropped_count
    return bounded


def _event(event: Event) -> SdkEvent:
    return SdkEvent(
        event.name, cast("Any", _attributes(event.attributes, event.dropped_attributes_count)), event.time_ns
    )


def _link(link: Link) -> SdkLink:
    context = SpanContext(
        int(link.trace_id, 16),
        int(link.span_id, 16),
        is_remote=False,
        trace_state=_trace_state(link.trace_state),
    )
    return SdkLink(context, cast("Any", _attributes(link.attributes, link.dropped_attributes_count)))


def _trace_state(header: str) -> TraceState | None:
    return TraceState.from_header([header]) if header else None
