"""From the metrics that OpenTelemetry's Python SDK collects to our data points. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
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
    Sum,
)
from opentelemetry.trace import format_span_id, format_trace_id

from otel_experiments.codec.from_sdk import resource_from_sdk, run_id_of, scope_from_sdk
from otel_experiments.codec.histogram import histogram_mapping
from otel_experiments.codec.number import is_plain_number, plain_number
from otel_experiments.codec.plain import plain_value
from otel_experiments.model.instrument import InstrumentKind, InstrumentPoint
from otel_experiments.model.span import Attributes, Resource, Scope
from otel_experiments.process.interruption import is_interruption


def plain_metrics(data: MetricsData) -> MetricsData:
    """Return the collection with numbers and attributes that can be encoded; what is plain stays the same object.

    An instrument keeps a `numpy.float32` as it is, and the encoders refuse the whole batch because of it.
    """
    if all(
        _is_plain(point)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ):
        return data
    return replace(
        data, resource_metrics=[_plain_resource_metrics(resource) for resource in data.resource_metrics]
    )


def _plain_resource_metrics(resource: ResourceMetrics) -> ResourceMetrics:
    scopes = [
        replace(scope, metrics=[_plain_metric(metric) for metric in scope.metrics])
        for scope in resource.scope_metrics
    ]
    return replace(resource, scope_metrics=scopes)


def _plain_metric(metric: Metric) -> Metric:
    points: Any = [_plain_point(point) for point in metric.data.data_points]  # of the kind of the data
    return replace(metric, data=replace(metric.data, data_points=points))


def _numbers(point: DataPointT) -> tuple[str, ...]:
    names = ("value",) if isinstance(point, NumberDataPoint) else ("sum", "min", "max")
    return tuple(name for name in names if getattr(point, name) is not None)


def _is_plain(point: DataPointT) -> bool:
    return all(is_plain_number(getattr(point, name)) for name in _numbers(point)) and all(
        type(value) in (str, int, bool, float) for value in (point.attributes or {}).values()
    )


def _plain_point(point: DataPointT) -> DataPointT:
    changes: dict[str, Any] = {name: _number_or_nan(getattr(point, name)) for name in _numbers(point)}
    attributes: Any = plain_value(point.attributes or {})
    exemplars = [replace(exemplar, value=_number_or_nan(exemplar.value)) for exemplar in point.exemplars]
    return replace(point, **changes, attributes=attributes, exemplars=exemplars)


def _number_or_nan(value: object) -> int | float:
    """Return the number, or NaN for what is none: the other points of the collection are kept."""
    try:
        return plain_number(value)
    except Exception as error:  # an instrument takes any object
        if is_interruption(error):
            raise
        return math.nan


def instrument_points_from_sdk(data: MetricsData) -> Iterator[InstrumentPoint]:
    """Yield every data point of one collection."""
    for resource_metrics in plain_metrics(data).resource_metrics:
        resource = resource_from_sdk(resource_metrics.resource)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = scope_from_sdk(scope_metrics.scope)
            for metric in scope_metrics.metrics:
                yield from _points_of_metric(metric, resource, scope)


def _points_of_metric(metric: Metric, resource: Resource, scope: Scope) -> Iterator[InstrumentPoint]:
    kind, temporality, is_monotonic = _describe(metric)
    for point in metric.data.data_points:
        attributes = cast("Attributes", dict(point.attributes or {}))
        yield InstrumentPoint(
            name=metric.name,
            kind=kind,
            time_ns=point.time_unix_nano,
            start_ns=point.start_time_unix_nano or 0,
            unit=metric.unit or "",
            description=metric.description or "",
            value=point.value if isinstance(point, NumberDataPoint) else None,
            histogram=None if isinstance(point, NumberDataPoint) else _histogram(point),
            is_monotonic=is_monotonic,
            temporality=temporality,
            attributes=attributes,
            exemplars=tuple(
                {
                    "time_ns": exemplar.time_unix_nano,
                    "value": exemplar.value,
                    "trace_id": format_trace_id(exemplar.trace_id) if exemplar.trace_id else "",
                    "span_id": format_span_id(exemplar.span_id) if exemplar.span_id else "",
                    "attributes": cast("Attributes", dict(exemplar.filtered_attributes or {})),
                }
                for exemplar in point.exemplars
            ),
            resource=resource,
            scope=scope,
            run_id=run_id_of(attributes, resource),
        )


def _describe(metric: Metric) -> tuple[InstrumentKind, int, bool]:
    data = metric.data
    if isinstance(data, Gauge):
        return "gauge", 0, False
    if isinstance(data, Sum):
        return "sum", int(data.aggregation_temporality), data.is_monotonic
    if isinstance(data, ExponentialHistogram):
        return "exponential_histogram", int(data.aggregation_temporality), False
    assert isinstance(data, Histogram), "the SDK has four kinds of data"
    return "histogram", int(data.aggregation_temporality), False


def _histogram(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> Attributes:
    return histogram_mapping(
        point,
        total=point.sum,
        least=point.min,
        most=point.max,
        is_exponential=isinstance(point, ExponentialHistogramDataPoint),
    )
