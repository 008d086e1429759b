"""From our data points of instruments to the metrics that OpenTelemetry's Python SDK hands to exporters. Pure.

The reverse of `from_sdk_metrics`: what went through the journal or was stored leaves as what was collected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataPointT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Buckets as SdkBuckets
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.codec.to_sdk import resource_to_sdk, scope_to_sdk
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Resource, Scope

_Stream = tuple[str, str, str, str, int, bool]
"""What makes data points those of one metric: name, kind, unit, description, temporality, is_monotonic."""


def instrument_points_to_sdk(points: Sequence[InstrumentPoint]) -> MetricsData:
    """Return the data points as one collection.

    The SDK's encoder keeps only the last of several parts of one resource or scope, so there is one of each.
    """
    resources: dict[int, tuple[Resource, SdkResource]] = {}
    scopes: dict[int, tuple[Scope, InstrumentationScope]] = {}
    found: dict[SdkResource, dict[InstrumentationScope, dict[_Stream, list[InstrumentPoint]]]] = {}
    for point in points:
        key = id(point.resource)
        if key not in resources:
            resources[key] = point.resource, resource_to_sdk(point.resource)
        if id(point.scope) not in scopes:
            scopes[id(point.scope)] = point.scope, scope_to_sdk(point.scope)
        streams = found.setdefault(resources[key][1], {}).setdefault(scopes[id(point.scope)][1], {})
        stream = (
            point.name, point.kind, point.unit, point.description, point.temporality, point.is_monotonic,
        )  # fmt: skip
        streams.setdefault(stream, []).append(point)
    return MetricsData(
        resource_metrics=[
            ResourceMetrics(
                resource=resource,
                scope_metrics=[
                    ScopeMetrics(
                        scope=scope,
                        metrics=[_metric(group) for group in streams.values()],
                        schema_url=scope.schema_url or "",
                    )
                    for scope, streams in by_scope.items()
                ],
                schema_url=resource.schema_url,
            )
            for resource, by_scope in found.items()
        ]
    )


def _metric(points: Sequence[InstrumentPoint]) -> Metric:
    first = points[0]
    made: Any = [_point(point) for point in points]  # of the kind of the data
    temporality = AggregationTemporality(first.temporality or AggregationTemporality.CUMULATIVE)
    data: Gauge | Sum | Histogram | ExponentialHistogram
    if first.kind == "gauge":
        data = Gauge(data_points=made)
    elif first.kind == "sum":
        data = Sum(data_points=made, aggregation_temporality=temporality, is_monotonic=first.is_monotonic)
    elif first.kind == "histogram":
        data = Histogram(data_points=made, aggregation_temporality=temporality)
    else:
        data = ExponentialHistogram(data_points=made, aggregation_temporality=temporality)
    return Metric(name=first.name, description=first.description, unit=first.unit, data=data)


def _point(point: InstrumentPoint) -> DataPointT:
    common: dict[str, Any] = {
        "attributes": point.attributes,
        "start_time_unix_nano": point.start_ns or None,
        "time_unix_nano": point.time_ns,
        "exemplars": [_exemplar(exemplar) for exemplar in point.exemplars],
    }
    if point.histogram is None:
        return NumberDataPoint(**common, value=point.value if point.value is not None else 0)
    buckets: dict[str, Any] = dict(point.histogram)
    if point.kind == "histogram":
        return HistogramDataPoint(**common, **buckets)
    return ExponentialHistogramDataPoint(
        **common,
        **{**buckets, "positive": _buckets(buckets["positive"]), "negative": _buckets(buckets["negative"])},
        flags=point.flags,
    )


def _buckets(buckets: Mapping[str, Any]) -> SdkBuckets:
    return SdkBuckets(offset=buckets["offset"], bucket_counts=buckets["bucket_counts"])


def _exemplar(exemplar: Mapping[str, Any]) -> Exemplar:
    return Exemplar(
        filtered_attributes=cast("Any", exemplar["attributes"]),  # our attributes are the SDK's
        value=exemplar["value"],
        time_unix_nano=exemplar["time_ns"],
        span_id=int(exemplar["span_id"], 16) if exemplar["span_id"] else None,
        trace_id=int(exemplar["trace_id"], 16) if exemplar["trace_id"] else None,
    )
