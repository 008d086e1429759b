"""From metric requests to histories as columns and other data points as they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData, NumberDataPoint, ResourceMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from otel_experiments.codec.incoming.columns import Stretch
from otel_experiments.codec.incoming.history_points import history_point
from otel_experiments.codec.incoming.history_walk import Piece, walk
from otel_experiments.codec.incoming.metrics_from_protobuf import (
    DataPoint,
    data_points,
    instrument_point_from_otlp,
    point_refusal,
)
from otel_experiments.codec.incoming.protobuf_values import parse, resource_from_otlp, scope_from_otlp
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.incoming.series import Histories, SeriesPoints
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Resource, Scope
from otel_experiments.semconv.metrics import ML_METRIC_VALUE


class Taken:
    """What is taken from the messages of a request."""

    def __init__(self) -> None:
        self.histories = Histories()
        self.others: list[InstrumentPoint] = []
        self.refusals = Refusals()
        self._resource, self._scope = Resource(), Scope("")

    def enter_resource(self, message: ResourceMessage, schema_url: str) -> None:
        """Take what follows as of this resource."""
        self._resource = resource_from_otlp(message, schema_url)

    def enter_scope(self, message: InstrumentationScope, schema_url: str) -> None:
        """Take what follows as of this scope."""
        self._scope = scope_from_otlp(message, schema_url)

    def take_groups(self, groups: Iterable[ResourceMetrics]) -> None:
        """Take all data points of some resources."""
        for group in groups:
            self.enter_resource(group.resource, group.schema_url)
            for part in group.scope_metrics:
                self.enter_scope(part.scope, part.schema_url)
                for metric in part.metrics:
                    self.take_metric(metric)

    def take_metric(self, metric: Metric, piece: Piece | None = None) -> None:  # noqa: ARG002 - of the walk's visitor
        """Take the data points of a metric."""
        if metric.name == ML_METRIC_VALUE.name and metric.WhichOneof("data") == "gauge":
            self.take_history(metric.gauge.data_points, metric)
            return
        for point in data_points(metric):
            self._take_point(point, metric)

    def take_history(
        self,
        points: Iterable[NumberDataPoint],
        metric: Metric,
        piece: Piece | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Take data points of the history's gauge; `metric` has what they share."""
        gauge = self.histories.gauge_of(self._resource, self._scope, metric.unit)
        for point in points:
            found = history_point(point)
            if found is not None:
                gauge.add(*found)
            else:
                self._take_point(point, metric)

    def take_stretch(self, stretch: Stretch, metric: Metric) -> None:
        """Take a stretch of points of the history's gauge."""
        stretch.add_to(self.histories.gauge_of(self._resource, self._scope, metric.unit))

    def _take_point(self, point: DataPoint, metric: Metric) -> None:
        refusal = point_refusal(point, metric.name)
        if refusal:
            self.refusals.add(refusal)
        else:
            self.others.append(instrument_point_from_otlp(point, metric, self._resource, self._scope))


def metrics_from_otlp(payload: bytes, refusals: Refusals) -> tuple[list[SeriesPoints], list[InstrumentPoint]]:
    """Return the histories and the other data points of a serialized request.

    Raises:
        TelemetryDecodeError: the bytes are no request.
    """
    taken = Taken()
    if not walk(payload, taken):
        taken = Taken()
        taken.take_groups(parse(MetricsData(), payload).resource_metrics)
    refusals.merge(taken.refusals)
    return taken.histories.pieces(), taken.others
