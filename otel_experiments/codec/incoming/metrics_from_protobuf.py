"""From the messages of metrics to data points of instruments. Pure. Source: opentelemetry-proto, metrics.proto."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    SummaryDataPoint,
)

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.histogram import histogram_mapping
from otel_experiments.codec.incoming.protobuf_values import (
    SOURCE,
    attributes_from_otlp,
    optional_id,
    parse,
    resource_from_otlp,
    scope_from_otlp,
)
from otel_experiments.codec.incoming.refusals import (
    LATEST_NS,
    NAMELESS,
    SPAN_ID_BYTES,
    TOO_LATE,
    TRACE_ID_BYTES,
    Refusals,
    named,
    refuse,
)
from otel_experiments.model.instrument import InstrumentKind, InstrumentPoint
from otel_experiments.model.span import Attributes, Resource, Scope

DataPoint = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint
"""A data point of any kind of metric."""

_WITHOUT_TEMPORALITY: Final = ("gauge", "summary")


def decode_instrument_points(payload: bytes) -> list[InstrumentPoint]:
    """Return the data points of a serialized MetricsData or ExportMetricsServiceRequest.

    Raises:
        TelemetryDecodeError: the bytes are no such message, or hold points that cannot be kept.
    """
    return list(instrument_points_from_otlp(parse(MetricsData(), payload).resource_metrics))


def instrument_points_from_otlp(
    groups: Iterable[ResourceMetrics], refusals: Refusals | None = None
) -> Iterator[InstrumentPoint]:
    """Yield the data points of parsed messages.

    Raises:
        TelemetryDecodeError: a point cannot be kept, and `refusals` is None.
    """
    for group in groups:
        resource = resource_from_otlp(group.resource, group.schema_url)
        for part in group.scope_metrics:
            scope = scope_from_otlp(part.scope, part.schema_url)
            for metric in part.metrics:
                for point in data_points(metric):
                    refusal = point_refusal(point, metric.name)
                    if refusal:
                        refuse(refusal, refusals, source=SOURCE)
                    else:
                        yield instrument_point_from_otlp(point, metric, resource, scope)


def point_refusal(point: DataPoint, name: str) -> str:
    """Return why a data point cannot be kept, with the name of its metric; nothing when it can."""
    if point.time_unix_nano > LATEST_NS or point.start_time_unix_nano > LATEST_NS:
        return f"a data point of {named('metric', name)} has {TOO_LATE}"
    return "" if name else f"a data point of {named('metric', name)} has {NAMELESS}"


def data_points(metric: Metric) -> Sequence[DataPoint]:
    """Return the data points of a metric, whatever its kind; none when it has no kind that this version knows."""
    field = metric.WhichOneof("data")
    if field is None:
        return ()
    found: Sequence[DataPoint] = getattr(metric, field).data_points
    return found


def instrument_point_from_otlp(
    point: DataPoint, metric: Metric, resource: Resource, scope: Scope
) -> InstrumentPoint:
    """Return one data point of a metric."""
    field = metric.WhichOneof("data")
    data: Any = getattr(metric, str(field))  # the generated classes share no base
    kind: InstrumentKind = field  # type: ignore[assignment] # a metric with a point has a kind
    attributes = attributes_from_otlp(point.attributes)
    return InstrumentPoint(
        name=metric.name,
        kind=kind,
        time_ns=point.time_unix_nano,
        start_ns=point.start_time_unix_nano,
        unit=metric.unit,
        description=metric.description,
        value=number_from_otlp(point) if isinstance(point, NumberDataPoint) else None,
        histogram=None if isinstance(point, NumberDataPoint) else _distribution(point),
        is_monotonic=kind == "sum" and data.is_monotonic,
        temporality=0 if kind in _WITHOUT_TEMPORALITY else int(data.aggregation_temporality),
        flags=point.flags,
        attributes=attributes,
        exemplars=() if isinstance(point, SummaryDataPoint) else tuple(map(_exemplar, point.exemplars)),
        resource=resource,
        scope=scope,
        run_id=run_id_of(attributes, resource),
    )


def number_from_otlp(point: NumberDataPoint | Exemplar) -> float | int | None:
    """Return the number of a point or exemplar; None when it has none."""
    field = point.WhichOneof("value")
    if field is None:
        return None
    return point.as_int if field == "as_int" else point.as_double


def _exemplar(exemplar: Exemplar) -> Attributes:
    return {
        "time_ns": exemplar.time_unix_nano,
        "value": number_from_otlp(exemplar),
        "trace_id": optional_id(exemplar.trace_id, TRACE_ID_BYTES) or "",
        "span_id": optional_id(exemplar.span_id, SPAN_ID_BYTES) or "",
        "attributes": attributes_from_otlp(exemplar.filtered_attributes),
    }


def _distribution(
    point: HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint,
) -> Attributes:
    if isinstance(point, SummaryDataPoint):
        quantiles = [[one.quantile, one.value] for one in point.quantile_values]
        return {"count": point.count, "sum": point.sum, "quantiles": quantiles}
    return histogram_mapping(
        point,
        total=point.sum if point.HasField("sum") else None,
        least=point.min if point.HasField("min") else None,
        most=point.max if point.HasField("max") else None,
        is_exponential=isinstance(point, ExponentialHistogramDataPoint),
    )
