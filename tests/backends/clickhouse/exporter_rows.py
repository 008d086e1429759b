"""OTLP requests as the rows that the Collector's ClickHouse exporter writes: for machines without the Collector.

A test holds these rows against those of the real exporter where the Collector was built.
Source: exporter/clickhouseexporter of opentelemetry-collector-contrib, 0.161.0.
"""

import json
import math
from datetime import datetime, timedelta
from itertools import chain

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
EPOCH = datetime(1970, 1, 1)
STATUSES = ("Unset", "Ok", "Error")


def text_of(value):
    """Return an AnyValue as the exporter writes it: everything is a text."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return ""
        case "string_value":
            return value.string_value
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return float_text(value.double_value)
        case _:
            return json.dumps(plain_of(value), separators=(",", ":"), sort_keys=True)


def float_text(number):
    """Return a double as Go's JSON writes it, and NaN and infinities by name."""
    if not math.isfinite(number):
        return json.dumps(number)
    if number == int(number) and abs(number) < 1e21:
        return "-0" if str(number) == "-0.0" else str(int(number))
    return repr(number)


def plain_of(value):
    """Return an AnyValue as a value of JSON."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain_of(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain_of(pair.value) for pair in value.kvlist_value.values}
    if kind == "double_value" and value.double_value == int(value.double_value):
        return int(value.double_value)
    return None if kind is None else getattr(value, kind)


def map_of(attributes):
    """Return attributes as a map of texts."""
    return {pair.key: text_of(pair.value) for pair in attributes}


def time_of(nanoseconds):
    """Return a time as an engine in UTC reads it into a DateTime64(9)."""
    second = EPOCH + timedelta(seconds=nanoseconds // 10**9)
    return f"{second:%Y-%m-%d %H:%M:%S}.{nanoseconds % 10**9:09d}"


def rows_of_traces(request):
    """Return the rows of `otel_traces`."""
    for part in request.resource_spans:
        resource = map_of(part.resource.attributes)
        for scope, span in chain.from_iterable(
            ((one.scope, span) for span in one.spans) for one in part.scope_spans
        ):
            yield (
                "otel_traces",
                {
                    "Timestamp": time_of(span.start_time_unix_nano),
                    "TraceId": span.trace_id.hex(),
                    "SpanId": span.span_id.hex(),
                    "ParentSpanId": span.parent_span_id.hex(),
                    "TraceState": span.trace_state,
                    "SpanName": span.name,
                    "SpanKind": KINDS[span.kind],
                    "ServiceName": resource.get("service.name", ""),
                    "ResourceAttributes": resource,
                    "ScopeName": scope.name,
                    "ScopeVersion": scope.version,
                    "SpanAttributes": map_of(span.attributes),
                    "Duration": span.end_time_unix_nano - span.start_time_unix_nano,
                    "StatusCode": STATUSES[span.status.code],
                    "StatusMessage": span.status.message,
                    "Events.Timestamp": [time_of(event.time_unix_nano) for event in span.events],
                    "Events.Name": [event.name for event in span.events],
                    "Events.Attributes": [map_of(event.attributes) for event in span.events],
                    "Links.TraceId": [link.trace_id.hex() for link in span.links],
                    "Links.SpanId": [link.span_id.hex() for link in span.links],
                    "Links.TraceState": [link.trace_state for link in span.links],
                    "Links.Attributes": [map_of(link.attributes) for link in span.links],
                },
            )


def rows_of_logs(request):
    """Return the rows of `otel_logs`."""
    for part in request.resource_logs:
        resource = map_of(part.resource.attributes)
        for one in part.scope_logs:
            for record in one.log_records:
                yield (
                    "otel_logs",
                    {
                        "Timestamp": time_of(record.time_unix_nano or record.observed_time_unix_nano),
                        "TraceId": record.trace_id.hex(),
                        "SpanId": record.span_id.hex(),
                        "TraceFlags": record.flags & 0xFF,
                        "SeverityText": record.severity_text,
                        "SeverityNumber": record.severity_number,
                        "ServiceName": resource.get("service.name", ""),
                        "Body": text_of(record.body),
                        "ResourceSchemaUrl": part.schema_url,
                        "ResourceAttributes": resource,
                        "ScopeSchemaUrl": one.schema_url,
                        "ScopeName": one.scope.name,
                        "ScopeVersion": one.scope.version,
                        "ScopeAttributes": map_of(one.scope.attributes),
                        "LogAttributes": map_of(record.attributes),
                        "EventName": record.event_name,
                    },
                )


def rows_of_metrics(request):
    """Return the rows of the five tables of metrics."""
    for part in request.resource_metrics:
        resource = map_of(part.resource.attributes)
        for one in part.scope_metrics:
            for metric in one.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                for point in data.data_points:
                    yield (
                        f"otel_metrics_{kind}",
                        {
                            "ResourceAttributes": resource,
                            "ResourceSchemaUrl": part.schema_url,
                            "ScopeName": one.scope.name,
                            "ScopeVersion": one.scope.version,
                            "ScopeAttributes": map_of(one.scope.attributes),
                            "ScopeDroppedAttrCount": one.scope.dropped_attributes_count,
                            "ScopeSchemaUrl": one.schema_url,
                            "ServiceName": resource.get("service.name", ""),
                            "MetricName": metric.name,
                            "MetricDescription": metric.description,
                            "MetricUnit": metric.unit,
                            "Attributes": map_of(point.attributes),
                            "StartTimeUnix": time_of(point.start_time_unix_nano),
                            "TimeUnix": time_of(point.time_unix_nano),
                            "Flags": point.flags,
                            **exemplars_of(point),
                            **numbers_of(kind, data, point),
                        },
                    )


def exemplars_of(point):
    """Return the five columns of a data point's exemplars."""
    return {
        "Exemplars.FilteredAttributes": [map_of(one.filtered_attributes) for one in point.exemplars],
        "Exemplars.TimeUnix": [time_of(one.time_unix_nano) for one in point.exemplars],
        "Exemplars.Value": [number_of(one) for one in point.exemplars],
        "Exemplars.SpanId": [one.span_id.hex() or "0" * 16 for one in point.exemplars],
        "Exemplars.TraceId": [one.trace_id.hex() or "0" * 32 for one in point.exemplars],
    }


def numbers_of(kind, data, point):
    """Return the columns that only this kind of metric has."""
    if kind == "gauge":
        return {"Value": number_of(point)}
    if kind == "sum":
        return {
            "Value": number_of(point),
            "AggregationTemporality": data.aggregation_temporality,
            "IsMonotonic": data.is_monotonic,
        }
    assert kind == "histogram", f"no model of {kind}"
    return {
        "Count": point.count,
        "Sum": point.sum,
        "Min": point.min,
        "Max": point.max,
        "BucketCounts": list(point.bucket_counts),
        "ExplicitBounds": list(point.explicit_bounds),
        "AggregationTemporality": data.aggregation_temporality,
    }


def number_of(point):
    """Return the value as the exporter writes it: a double."""
    number = float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)
    return number if math.isfinite(number) else str(number)  # JSON has no name for these
