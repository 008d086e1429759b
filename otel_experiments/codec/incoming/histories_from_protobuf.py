"""From the messages of a metric's history to columns, one point after the other. Pure.

`columns` does the same for points that follow each other in the same layout, many times faster; it comes here with the
others.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData, NumberDataPoint, ResourceMetrics

from otel_experiments.codec.incoming.metrics_from_protobuf import (
    data_points,
    instrument_point_from_otlp,
    number_from_otlp,
    point_refusal,
)
from otel_experiments.codec.incoming.protobuf_values import (
    attributes_from_otlp,
    parse,
    resource_from_otlp,
    scope_from_otlp,
    value_from_otlp,
)
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.incoming.series import (
    STEP_KEY,
    Histories,
    SeriesPoints,
    is_step,
    names_metric,
)
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Resource, Scope
from otel_experiments.semconv.metrics import ML_METRIC_VALUE


def metrics_from_otlp(payload: bytes, refusals: Refusals) -> tuple[list[SeriesPoints], list[InstrumentPoint]]:
    """Return the histories and the other data points of a serialized request.

    Raises:
        TelemetryDecodeError: the bytes are no request.
    """
    taken = Taken(refusals)
    taken.take_groups(parse(MetricsData(), payload).resource_metrics)
    return taken.histories.pieces(), taken.others


class Taken:
    """What is taken from the messages of a request."""

    def __init__(self, refusals: Refusals) -> None:
        self.histories = Histories()
        self.others: list[InstrumentPoint] = []
        self._refusals = refusals

    def take_groups(self, groups: Iterable[ResourceMetrics]) -> None:
        """Take all data points of some resources."""
        for group in groups:
            resource = resource_from_otlp(group.resource, group.schema_url)
            for part in group.scope_metrics:
                scope = scope_from_otlp(part.scope, part.schema_url)
                for metric in part.metrics:
                    self.take_metric(metric, resource, scope)

    def take_metric(self, metric: Metric, resource: Resource, scope: Scope) -> None:
        """Take the data points of a metric."""
        if metric.name == ML_METRIC_VALUE.name and metric.WhichOneof("data") == "gauge":
            self.take_history(metric.gauge.data_points, metric, resource, scope)
            return
        for point in data_points(metric):
            refusal = point_refusal(point, metric.name)
            if refusal:
                self._refusals.add(refusal)
            else:
                self.others.append(instrument_point_from_otlp(point, metric, resource, scope))

    def take_history(
        self, points: Iterable[NumberDataPoint], metric: Metric, resource: Resource, scope: Scope
    ) -> None:
        """Take data points of the history's gauge; `metric` has what they share."""
        gauge = self.histories.gauge_of(resource, scope, metric.unit)
        for point in points:
            refusal = point_refusal(point, metric.name)
            if refusal:
                self._refusals.add(refusal)
                continue
            value = number_from_otlp(point)
            attributes = attributes_from_otlp(point.attributes)
            if value is None or point.flags or not names_metric(attributes):
                self.others.append(instrument_point_from_otlp(point, metric, resource, scope))
            else:
                gauge.add(attributes, step_from_otlp(point), point.time_unix_nano, float(value))


def step_from_otlp(point: NumberDataPoint) -> float | None:
    """Return the step of a data point, which the first exemplar with one has; None where there is none."""
    for exemplar in point.exemplars:
        step = None
        for item in exemplar.filtered_attributes:
            if item.key == STEP_KEY:
                step = value_from_otlp(item.value)
        if isinstance(step, int | float) and is_step(step):
            return float(step)
    return None
