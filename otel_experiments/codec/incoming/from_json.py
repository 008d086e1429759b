"""From OTLP/JSON documents to our model. Pure: it takes parsed JSON and never opens a file.

It reads what the specification says (ids in hex, 64-bit integers as text, NaN and infinities as text) and what
exporters have written beside it: integers as numbers, enumerations by name, base64 ids and Tempo's `batches`.

Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from otel_experiments.codec.from_sdk import run_id_of
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
from otel_experiments.process.interruption import pass_on

Document = Mapping[str, Any]  # parsed JSON, whose shape is only known after looking
"""One parsed OTLP/JSON message: TracesData, MetricsData, LogsData or an export request of these."""

_KINDS: Final = {f"SPAN_KIND_{kind.name}": kind for kind in SpanKind}
_STATUSES: Final = {f"STATUS_CODE_{status.name}": status for status in StatusCode}
_TEMPORALITIES: Final = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
}
_HEX: Final = frozenset("0123456789abcdefABCDEF")

_UNREADABLE: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""What reading JSON of another shape than OTLP's raises."""


def spans_from_json(document: Document) -> Iterator[Span]:
    """Yield the spans of a TracesData document or trace export request; nothing when it holds other signals.

    Raises:
        TelemetryDecodeError: a span is not what OTLP says.
    """
    for group in _list(document, "resourceSpans") or _list(document, "batches"):
        resource = _resource(group)
        for part in _list(group, "scopeSpans") or _list(group, "instrumentationLibrarySpans"):
            scope = _scope(part)
            for item in _list(part, "spans"):
                try:
                    yield _span(item, resource, scope)
                except _UNREADABLE as exc:
                    pass_on(exc)
                    raise _refused("span", item, exc) from exc


def instrument_points_from_json(document: Document) -> Iterator[InstrumentPoint]:
    """Yield the data points of a MetricsData document or metric export request.

    Raises:
        TelemetryDecodeError: a metric is not what OTLP says.
    """
    for group in _list(document, "resourceMetrics"):
        resource = _resource(group)
        for part in _list(group, "scopeMetrics"):
            scope = _scope(part)
            for item in _list(part, "metrics"):
                try:
                    yield from _points(item, resource, scope)
                except _UNREADABLE as exc:
                    pass_on(exc)
                    raise _refused("metric", item, exc) from exc


def log_records_from_json(document: Document) -> Iterator[LogRecord]:
    """Yield the log records of a LogsData document or log export request.

    Raises:
        TelemetryDecodeError: a log record is not what OTLP says.
    """
    for group in _list(document, "resourceLogs"):
        resource = _resource(group)
        for part in _list(group, "scopeLogs"):
            scope = _scope(part)
            for item in _list(part, "logRecords"):
                try:
                    yield _log_record(item, resource, scope)
                except _UNREADABLE as exc:
                    pass_on(exc)
                    raise _refused("log record", item, exc) from exc


def _refused(kind: str, item: object, error: Exception) -> TelemetryDecodeError:
    name = item.get("name", "") if isinstance(item, Mapping) else ""
    which = f"the {kind} {name!r}" if name else f"a {kind}"
    return TelemetryDecodeError(source="OTLP/JSON", found=f"{which} cannot be read: {error}")


def _list(holder: object, key: str) -> Sequence[Any]:  # JSON
    if not isinstance(holder, Mapping):
        raise TelemetryDecodeError(
            source="OTLP/JSON", found=f"an object was expected around {key!r}, not {type(holder).__name__}"
        )
    found = holder.get(key) or ()
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise TelemetryDecodeError(source="OTLP/JSON", found=f"{key!r} is no list")
    return found


def _resource(group: Document) -> Resource:
    try:
        resource = group.get("resource") or {}
        return Resource(_attributes(resource.get("attributes")), group.get("schemaUrl", ""))
    except _UNREADABLE as exc:
        pass_on(exc)
        raise TelemetryDecodeError(source="OTLP/JSON", found=f"a resource cannot be read: {exc}") from exc


def _scope(part: Document) -> Scope:
    try:
        scope = part.get("scope") or part.get("instrumentationLibrary") or {}
        return Scope(
            scope.get("name", ""),
            scope.get("version", ""),
            part.get("schemaUrl", ""),
            _attributes(scope.get("attributes")),
        )
    except _UNREADABLE as exc:
        pass_on(exc)
        raise TelemetryDecodeError(source="OTLP/JSON", found=f"a scope cannot be read: {exc}") from exc


def _span(item: Document, resource: Resource, scope: Scope) -> Span:
    attributes = _attributes(item.get("attributes"))
    status = item.get("status") or {}
    end_ns = int(item.get("endTimeUnixNano") or 0)
    parent = item.get("parentSpanId") or ""
    return Span(
        trace_id=_id(item["traceId"], 32),
        span_id=_id(item["spanId"], 16),
        name=item.get("name", ""),
        start_ns=int(item.get("startTimeUnixNano") or 0),
        end_ns=end_ns or None,
        parent_span_id=_optional_id(parent, 16),
        kind=_kind(item.get("kind", 0)),
        status=_status(status.get("code", 0)),
        status_message=status.get("message", ""),
        attributes=attributes,
        events=tuple(
            Event(
                event.get("name", ""),
                int(event.get("timeUnixNano") or 0),
                _attributes(event.get("attributes")),
                int(event.get("droppedAttributesCount") or 0),
            )
            for event in item.get("events") or ()
        ),
        links=tuple(
            Link(
                _id(link["traceId"], 32),
                _id(link["spanId"], 16),
                _attributes(link.get("attributes")),
                link.get("traceState", ""),
                int(link.get("droppedAttributesCount") or 0),
            )
            for link in item.get("links") or ()
        ),
        resource=resource,
        scope=scope,
        trace_state=item.get("traceState", ""),
        flags=int(item.get("flags") or 0),
        dropped_attributes_count=int(item.get("droppedAttributesCount") or 0),
        dropped_events_count=int(item.get("droppedEventsCount") or 0),
        dropped_links_count=int(item.get("droppedLinksCount") or 0),
        run_id=run_id_of(attributes, resource),
    )


def _points(metric: Document, resource: Resource, scope: Scope) -> Iterator[InstrumentPoint]:
    for field, kind in _DATA:
        data = metric.get(field)
        if data is None:
            continue
        for point in data.get("dataPoints") or ():
            attributes = _attributes(point.get("attributes"))
            yield InstrumentPoint(
                name=metric["name"],
                kind=kind,
                time_ns=int(point.get("timeUnixNano") or 0),
                start_ns=int(point.get("startTimeUnixNano") or 0),
                unit=metric.get("unit", ""),
                description=metric.get("description", ""),
                value=_number(point) if kind in {"gauge", "sum"} else None,
                histogram=None if kind in {"gauge", "sum"} else _histogram(point, kind),
                is_monotonic=bool(data.get("isMonotonic", False)),
                temporality=_enumerated(data.get("aggregationTemporality", 0), _TEMPORALITIES),
                flags=int(point.get("flags") or 0),
                attributes=attributes,
                exemplars=tuple(_exemplar(exemplar) for exemplar in point.get("exemplars") or ()),
                resource=resource,
                scope=scope,
                run_id=run_id_of(attributes, resource),
            )


_DATA: Final[tuple[tuple[str, InstrumentKind], ...]] = (
    ("gauge", "gauge"),
    ("sum", "sum"),
    ("histogram", "histogram"),
    ("exponentialHistogram", "exponential_histogram"),
)


def _number(point: Document) -> float | int | None:
    if "asInt" in point:
        return int(point["asInt"])
    if "asDouble" in point:
        return float(point["asDouble"])  # also "NaN", "Infinity", "-Infinity"
    return None


def _exemplar(exemplar: Document) -> Attributes:
    return {
        "time_ns": int(exemplar.get("timeUnixNano") or 0),
        "value": _number(exemplar),
        "trace_id": _optional_id(exemplar.get("traceId", ""), 32) or "",
        "span_id": _optional_id(exemplar.get("spanId", ""), 16) or "",
        "attributes": _attributes(exemplar.get("filteredAttributes")),
    }


def _histogram(point: Document, kind: InstrumentKind) -> Attributes:
    common: dict[str, AttributeValue] = {"count": int(point.get("count") or 0)}
    for field in ("sum", "min", "max"):
        common[field] = float(point[field]) if field in point else None
    if kind == "histogram":
        return common | {
            "bucket_counts": [int(count) for count in point.get("bucketCounts") or ()],
            "explicit_bounds": [float(bound) for bound in point.get("explicitBounds") or ()],
        }
    return common | {
        "scale": int(point.get("scale") or 0),
        "zero_count": int(point.get("zeroCount") or 0),
        "positive": _buckets(point.get("positive")),
        "negative": _buckets(point.get("negative")),
    }


def _buckets(buckets: Document | None) -> Attributes:
    found = buckets or {}
    return {
        "offset": int(found.get("offset") or 0),
        "bucket_counts": [int(count) for count in found.get("bucketCounts") or ()],
    }


def _log_record(item: Document, resource: Resource, scope: Scope) -> LogRecord:
    attributes = _attributes(item.get("attributes"))
    time_ns = int(item.get("timeUnixNano") or 0)
    observed_ns = int(item.get("observedTimeUnixNano") or 0) or time_ns
    body = item.get("body")
    return LogRecord(
        time_ns=time_ns or observed_ns,
        observed_time_ns=observed_ns,
        event_name=item.get("eventName", ""),
        severity_number=_severity(item.get("severityNumber", 0)),
        severity_text=item.get("severityText", ""),
        body=None if body is None else _value(body),
        attributes=attributes,
        trace_id=_optional_id(item.get("traceId", ""), 32),
        span_id=_optional_id(item.get("spanId", ""), 16),
        flags=int(item.get("flags") or 0),
        dropped_attributes_count=int(item.get("droppedAttributesCount") or 0),
        resource=resource,
        scope=scope,
        run_id=run_id_of(attributes, resource),
    )


def _severity(value: str | int) -> int:
    # By name it is SEVERITY_NUMBER_WARN2; WARN counts from 13.
    if isinstance(value, int) or value.isdigit():
        return int(value)
    name = value.removeprefix("SEVERITY_NUMBER_")
    base = name.rstrip("234")
    levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    if base not in levels:
        return 0
    return 1 + 4 * levels.index(base) + (int(name[len(base) :]) - 1 if len(name) > len(base) else 0)


def _attributes(items: Sequence[Document] | None) -> dict[str, AttributeValue]:
    return {item["key"]: _value(item.get("value") or {}) for item in items or ()}


def _value(value: Document) -> AttributeValue:  # noqa: PLR0911 - one return a type
    for kind, found in value.items():
        match kind:
            case "stringValue" | "boolValue":
                return found  # type: ignore[no-any-return] # JSON's text and booleans are ours
            case "intValue":
                return int(found)
            case "doubleValue":
                return float(found)
            case "arrayValue":
                return [_value(inner or {}) for inner in found.get("values") or ()]
            case "kvlistValue":
                return _attributes(found.get("values"))
            case "bytesValue":
                return base64.b64decode(found)
    return None


def _kind(value: str | int) -> SpanKind:
    return SpanKind(_enumerated(value, _KINDS))


def _status(value: str | int) -> StatusCode:
    return StatusCode(_enumerated(value, _STATUSES))


def _enumerated(value: str | int, names: Mapping[str, int]) -> int:
    if isinstance(value, str) and value in names:
        return int(names[value])
    return int(value)


def _optional_id(text: str, digits: int) -> str | None:
    found = _id(text, digits) if text else ""
    return found if found.strip("0") else None


def _id(text: str, digits: int) -> str:
    if len(text) == digits and _HEX.issuperset(text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) * 2 != digits:
        message = f"an id has {digits} hexadecimal digits, not {text!r}"
        raise ValueError(message)
    return raw.hex()
