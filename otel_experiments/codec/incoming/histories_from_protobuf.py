"""From metric requests to histories as columns and other data points as they are. Pure.

A request is taken apart without a parser, down to the gauges of histories, where `columns` reads long stretches of points.
Everything else, and a request that holds anything unusual, goes through protobuf's parser.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from otel_experiments.codec.incoming.columns import find_stretch, next_point
from otel_experiments.codec.incoming.history_points import history_point
from otel_experiments.codec.incoming.metrics_from_protobuf import (
    DataPoint,
    data_points,
    instrument_point_from_otlp,
    point_refusal,
)
from otel_experiments.codec.incoming.protobuf_values import parse, resource_from_otlp, scope_from_otlp
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.incoming.series import Histories, SeriesPoints
from otel_experiments.codec.incoming.wire import Unusual, fields
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Resource, Scope
from otel_experiments.process.interruption import pass_on
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

_NAME: Final = ML_METRIC_VALUE.name.encode()
_NAME_TAG: Final = 0x0A
_DESCRIPTION_TAG: Final = 0x12
_UNIT_TAG: Final = 0x1A
_GAUGE_TAG: Final = 0x2A
_HISTORY_FIELDS: Final = frozenset((_NAME_TAG, _DESCRIPTION_TAG, _UNIT_TAG, _GAUGE_TAG))
_MOST_PASSED: Final = 63
"""Points that are passed without a look for a stretch, where many looks have found none."""


class Taken:
    """What is taken from the messages of a request."""

    def __init__(self) -> None:
        self.histories = Histories()
        self.others: list[InstrumentPoint] = []
        self.refusals = Refusals()

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
            self._take_point(point, metric, resource, scope)

    def take_history(
        self, points: Iterable[NumberDataPoint], metric: Metric, resource: Resource, scope: Scope
    ) -> None:
        """Take data points of the history's gauge; `metric` has what they share."""
        gauge = self.histories.gauge_of(resource, scope, metric.unit)
        for point in points:
            found = history_point(point)
            if found is not None:
                gauge.add(*found)
            else:
                self._take_point(point, metric, resource, scope)

    def _take_point(self, point: DataPoint, metric: Metric, resource: Resource, scope: Scope) -> None:
        refusal = point_refusal(point, metric.name)
        if refusal:
            self.refusals.add(refusal)
        else:
            self.others.append(instrument_point_from_otlp(point, metric, resource, scope))


def metrics_from_otlp(payload: bytes, refusals: Refusals) -> tuple[list[SeriesPoints], list[InstrumentPoint]]:
    """Return the histories and the other data points of a serialized request.

    Raises:
        TelemetryDecodeError: the bytes are no request.
    """
    taken = taken_apart(payload) if _NAME in payload else None
    if taken is None:
        taken = Taken()
        taken.take_groups(parse(MetricsData(), payload).resource_metrics)
    refusals.merge(taken.refusals)
    return taken.histories.pieces(), taken.others


def taken_apart(payload: bytes) -> Taken | None:
    """Return the data points of a request; None where the parser has to read the whole of it."""
    taken = Taken()
    try:
        _take_apart(payload, taken)
    except (Unusual, DecodeError, UnicodeDecodeError) as exc:
        pass_on(exc)  # the parser says what is wrong, or reads what is known to it alone
        return None
    return taken


def _take_apart(payload: bytes, taken: Taken) -> None:
    """Take all data points of a request.

    Raises:
        Unusual, DecodeError, UnicodeDecodeError: protobuf's parser has to read the whole of it.
    """
    for tag, start, end in fields(payload, 0, len(payload)):
        if tag != 0x0A:
            raise Unusual
        resource, schema_url, parts = _parts_of(payload, start, end)
        of_resource = resource_from_otlp(ResourceMessage.FromString(resource), schema_url)
        for part_start, part_end in parts:
            scope, schema_url, metrics = _parts_of(payload, part_start, part_end)
            of_scope = scope_from_otlp(InstrumentationScope.FromString(scope), schema_url)
            for metric_start, metric_end in metrics:
                _take_metric(payload, metric_start, metric_end, taken, of_resource, of_scope)


def _parts_of(data: bytes, start: int, end: int) -> tuple[bytes, str, list[tuple[int, int]]]:
    """Return the head of a group (its resource or scope), its schema URL, and where its parts are.

    Raises:
        Unusual, UnicodeDecodeError: there are other fields, or two of what there is one of.
    """
    heads, schema_urls, parts = [], [], []
    for tag, at, after in fields(data, start, end):
        match tag:
            case 0x0A:
                heads.append(data[at:after])
            case 0x12:
                parts.append((at, after))
            case 0x1A:
                schema_urls.append(data[at:after].decode())
            case _:
                raise Unusual
    if len(heads) > 1 or len(schema_urls) > 1:
        raise Unusual
    return (heads or [b""])[0], (schema_urls or [""])[0], parts


def _take_metric(data: bytes, start: int, end: int, taken: Taken, resource: Resource, scope: Scope) -> None:
    history = _history_of(data, start, end)
    if history is None:
        taken.take_metric(Metric.FromString(data[start:end]), resource, scope)
        return
    metric, at, end = history
    gauge = taken.histories.gauge_of(resource, scope, metric.unit)
    left = at  # from here on points wait for protobuf's parser
    passed = patience = 0
    while at < end:
        stretch = find_stretch(data, at, end) if passed == patience else None
        if stretch is None:
            at = next_point(data, at, end)
            if passed < patience:
                passed += 1
            else:
                passed, patience = 0, min(2 * patience + 1, _MOST_PASSED)
            continue
        taken.take_history(Gauge.FromString(data[left:at]).data_points, metric, resource, scope)
        stretch.add_to(gauge)
        at += stretch.count * stretch.layout.size_bytes
        left, passed, patience = at, 0, 0
    taken.take_history(Gauge.FromString(data[left:end]).data_points, metric, resource, scope)


def _history_of(data: bytes, start: int, end: int) -> tuple[Metric, int, int] | None:
    """Return a history's metric without its points, and where these are; None for another metric.

    Raises:
        Unusual, UnicodeDecodeError: protobuf's parser has to read it.
    """
    held: dict[int, tuple[int, int]] = {}
    for tag, at, after in fields(data, start, end):
        if tag in held or tag not in _HISTORY_FIELDS:
            return None
        held[tag] = at, after
    name, description, unit = (
        data[slice(*held.get(tag, (0, 0)))].decode() for tag in (_NAME_TAG, _DESCRIPTION_TAG, _UNIT_TAG)
    )
    if name != ML_METRIC_VALUE.name or _GAUGE_TAG not in held:
        return None
    return Metric(name=name, description=description, unit=unit, gauge=Gauge()), *held[_GAUGE_TAG]
