"""One data point of a metric's history, as protobuf's parser reads it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from otel_experiments.codec.incoming.metrics_from_protobuf import number_from_otlp
from otel_experiments.codec.incoming.protobuf_values import attributes_from_otlp, value_from_otlp
from otel_experiments.codec.incoming.refusals import LATEST_NS
from otel_experiments.codec.incoming.series import STEP_KEY, is_step, names_metric
from otel_experiments.model.span import Attributes


class HistoryPoint(NamedTuple):
    """A point of a history: which series it is of, and its numbers."""

    attributes: Attributes
    step: float | None
    time_ns: int
    value: float


def history_point(point: NumberDataPoint) -> HistoryPoint | None:
    """Return the point; None where it has no value, flags, or a time that cannot be kept, or names no metric."""
    value, time_ns = number_from_otlp(point), point.time_unix_nano
    if value is None or point.flags or time_ns > LATEST_NS or point.start_time_unix_nano > LATEST_NS:
        return None
    attributes = attributes_from_otlp(point.attributes)
    if not names_metric(attributes):
        return None
    return HistoryPoint(attributes, _step(point), time_ns, float(value))


def _step(point: NumberDataPoint) -> float | None:
    """Return the step of a data point, which the first exemplar with one has; None where there is none."""
    for exemplar in point.exemplars:
        step = None
        for item in exemplar.filtered_attributes:
            if item.key == STEP_KEY:
                step = value_from_otlp(item.value)
        if isinstance(step, int | float) and is_step(step):
            return float(step)
    return None
