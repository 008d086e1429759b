"""From OTLP protobuf messages to our model. Pure.

`TracesData` and `ExportTraceServiceRequest` have the same bytes, and so for the other signals, so one decoder
serves files, requests and storage alike.

Source: opentelemetry-proto, trace.proto, metrics.proto, logs.proto, common.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogRecordMessage
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData, ResourceLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.histogram import histogram_mapping
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.instrument import InstrumentKind, InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import (
    Attributes,
    AttributeValue,
    Event,
    Link,
    Resource,
    Scope,
    Span,
    SpanKind,
    StatusCode,
)


def decode_spans(payload: bytes) -> list[Span]:
    """Return the spans of a serialized TracesData or ExportTraceServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message, or hold spans without ids.
    """
    message = TracesData()
    _parse(message, payload, "TracesData")
    return list(spans_from_otlp(message.resource_spans))


def decode_instrument_points(payload: bytes) -> list[InstrumentPoint]:
    """Return the data points of a serialized MetricsData or ExportMetricsServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message.
    """
    message = MetricsData()
    _parse(message, payload, "MetricsData")
    return list(instrument_points_from_otlp(message.resource_metrics))


def decode_log_records(payload: bytes) -> list[LogRecord]:
    """Return the log records of a serialized LogsData or ExportLogsServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message.
    """
    message = LogsData()
    _parse(message, payload, "LogsData")
    return list(log_records_from_otlp(message.resource_logs))


def spans_from_otlp(groups: Iterable[ResourceSpans]) -> Iterator[Span]:
    """Yield the spans of parsed messages.

    Raises:
        TelemetryDecodeError: a span has no trace id of 16 bytes and span id of 8.
    """
    for group in groups:
        resource = _resource(group.resource, group.schema_url)
        for part in group.scope_spans:
            scope = _scope(part.scope, part.schema_url)
            for span in part.spans:
                yield _span(span, resource, scope)


def instrument_points_from_otlp(groups: Iterable[ResourceMetrics]) -> Iterator[InstrumentPoint]:
    """Yield the data points of parsed messages."""
    for group in groups:
        resource = _resource(group.resource, group.schema_url)
        for part in group.scope_metrics:
            scope = _scope(part.scope, part.schema_url)
            for metric in part.metrics:
                yield from _points(metric, resource, scope)


def log_records_from_otlp(groups: Iterable[ResourceLogs]) -> Iterator[LogRecord]:
    """Yield the log records of parsed messages."""
    for group in groups:
        resource = _resource(group.resource, group.schema_url)
        for part in group.scope_logs:
            scope = _scope(part.scope, part.schema_url)
            for record in part.log_records:
                yield _log_record(record, resource, scope)


def _parse(message: TracesData | MetricsData | LogsData, payload: bytes, kind: str) -> None:
    try:
        message.ParseFromString(payload)
    except DecodeError as exc:
        raise TelemetryDecodeError(
            source="OTLP protobuf", found=f"{len(payload)} bytes that are no {kind}: {exc}"
        ) from exc


def _resource(message: ResourceMessage, schema_url: str) -> Resource:
    return Resource(_attributes(message.attributes), schema_url)


def _scope(message: InstrumentationScope, schema_url: str) -> Scope:
    return Scope(message.name, message.version, schema_url, _attributes(message.attributes))


def _span(span: SpanMessage, resource: Resource, scope: Scope) -> Span:
    if len(span.trace_id) != 16 or len(span.span_id) != 8:
        raise TelemetryDecodeError(
            source="OTLP protobuf",
            found=f"the span {span.name!r} has ids of {len(span.trace_id)} and {len(span.span_id)} bytes, not 16 and 8",
        )
    attributes = _attributes(span.attributes)
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano or None,
        parent_span_id=_optional_id(span.parent_span_id),
        kind=SpanKind(span.kind) if 0 <= span.kind <= 5 else SpanKind.UNSPECIFIED,
        status=StatusCode(span.status.code) if 0 <= span.status.code <= 2 else StatusCode.UNSET,
        status_message=span.status.message,
        attributes=attributes,
        events=tuple(
            Event(e.name, e.time_unix_nano, _attributes(e.attributes), e.dropped_attributes_count)
            for e in span.events
        ),
        links=tuple(
            Link(
                link.trace_id.hex(),
                link.span_id.hex(),
                _attributes(link.attributes),
                link.trace_state,
                link.dropped_attributes_count,
            )
            for link in span.links
        ),
        resource=resource,
        scope=scope,
        trace_state=span.trace_state,
        flags=span.flags,
        dropped_attributes_count=span.dropped_attributes_count,
        dropped_events_count=span.dropped_events_count,
        dropped_links_count=span.dropped_links_count,
        run_id=run_id_of(attributes, resource),
    )


def _points(metric: Metric, resource: Resource, scope: Scope) -> Iterator[InstrumentPoint]:
    field = metric.WhichOneof("data")
    if field is None or field == "summary":  # a legacy type that no SDK of OpenTelemetry makes
        return
    data: Any = getattr(metric, field)  # the generated classes share no base with data_points
    kind: InstrumentKind = field
    for point in data.data_points:
        attributes = _attributes(point.attributes)
        is_number = isinstance(point, NumberDataPoint)
        yield InstrumentPoint(
            name=metric.name,
            kind=kind,
            time_ns=point.time_unix_nano,
            start_ns=point.start_time_unix_nano,
            unit=metric.unit,
            description=metric.description,
            value=_number(point) if is_number else None,
            histogram=None if is_number else _histogram(point),
            is_monotonic=kind == "sum" and data.is_monotonic,
            temporality=0 if kind == "gauge" else int(data.aggregation_temporality),
            flags=point.flags,
            attributes=attributes,
            exemplars=tuple(_exemplar(exemplar) for exemplar in point.exemplars),
            resource=resource,
            scope=scope,
            run_id=run_id_of(attributes, resource),
        )


def _number(point: NumberDataPoint | Exemplar) -> float | int | None:
    field = point.WhichOneof("value")
    if field is None:
        return None
    return point.as_int if field == "as_int" else point.as_double


def _exemplar(exemplar: Exemplar) -> Attributes:
    return {
        "time_ns": exemplar.time_unix_nano,
        "value": _number(exemplar),
        "trace_id": exemplar.trace_id.hex(),
        "span_id": exemplar.span_id.hex(),
        "attributes": _attributes(exemplar.filtered_attributes),
    }


def _histogram(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> Attributes:
    return histogram_mapping(
        point,
        total=point.sum if point.HasField("sum") else None,
        least=point.min if point.HasField("min") else None,
        most=point.max if point.HasField("max") else None,
        is_exponential=isinstance(point, ExponentialHistogramDataPoint),
    )


def _log_record(record: LogRecordMessage, resource: Resource, scope: Scope) -> LogRecord:
    attributes = _attributes(record.attributes)
    observed_ns = record.observed_time_unix_nano or record.time_unix_nano
    return LogRecord(
        time_ns=record.time_unix_nano or observed_ns,
        observed_time_ns=observed_ns,
        event_name=record.event_name,
        severity_number=int(record.severity_number),
        severity_text=record.severity_text,
        body=_value(record.body),
        attributes=attributes,
        trace_id=_optional_id(record.trace_id),
        span_id=_optional_id(record.span_id),
        flags=record.flags,
        dropped_attributes_count=record.dropped_attributes_count,
        resource=resource,
        scope=scope,
        run_id=run_id_of(attributes, resource),
    )


def _optional_id(raw: bytes) -> str | None:
    return raw.hex() if any(raw) else None


def _attributes(items: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    return {item.key: _value(item.value) for item in items}


def _value(value: AnyValue) -> AttributeValue:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(inner) for inner in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case plain:
            found: str | bool | int | float | bytes = getattr(value, plain)
            return found
