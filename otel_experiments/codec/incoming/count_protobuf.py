"""How many items the messages of a request hold, by run, and which of them are refused. Pure.

Long stretches of a history's points are counted without an object a point.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.incoming.columns import Stretch
from otel_experiments.codec.incoming.from_protobuf import log_record_refusal, span_refusal
from otel_experiments.codec.incoming.history_walk import Piece, walk
from otel_experiments.codec.incoming.metrics_from_protobuf import DataPoint, data_points, point_refusal
from otel_experiments.codec.incoming.protobuf_values import parse, value_from_otlp
from otel_experiments.codec.incoming.refusals import LATEST_NS, Refusals
from otel_experiments.model.signal import Signal
from otel_experiments.model.span import AttributeValue
from otel_experiments.semconv import attributes as attr

_RUN_ID_KEY: Final = attr.ML_RUN_ID.encode()
_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_time_of: Final = attrgetter("time_unix_nano")
_start_of: Final = attrgetter("start_time_unix_nano")


def count_protobuf(signal: Signal, payload: bytes, refusals: Refusals) -> Counter[str | None]:
    """Return how many items of a serialized request can be kept, by run; the others are counted in `refusals`.

    Raises:
        TelemetryDecodeError: the bytes are no such request.
    """
    if signal == "metrics":
        counted = _Counted(payload)
        if walk(payload, counted):
            refusals.merge(counted.refusals)
            return counted.counts
    return _count_parsed(signal, payload, refusals)


def _count_parsed(signal: Signal, payload: bytes, refusals: Refusals) -> Counter[str | None]:
    groups = list(_groups(signal, payload))
    named_by_resources = sum(
        item.key == attr.ML_RUN_ID for resource, _ in groups for item in resource.attributes
    )
    may_name_runs = payload.count(_RUN_ID_KEY) > named_by_resources
    counts: Counter[str | None] = Counter()
    for resource, parts in groups:
        of_resource = _run_value(resource.attributes)
        for part in parts:
            _count_part(part, counts, refusals, of_resource, may_name_runs=may_name_runs)
    return counts


_Part = tuple[
    Sequence[Any], Callable[[Any], str], bool
]  # messages, whose classes share no base with attributes
"""Items, what says why one of them is refused, and whether one may be."""


def _count_part(
    part: _Part,
    counts: Counter[str | None],
    refusals: Refusals,
    of_resource: AttributeValue,
    *,
    may_name_runs: bool,
) -> None:
    items, refusal_of, may_be_refused = part
    if not (may_be_refused or may_name_runs):
        counts[run_id_named(of_resource)] += len(items)
        return
    for item in items:
        refusal = refusal_of(item)
        if refusal:
            refusals.add(refusal)
        else:
            of_item = _run_value(item.attributes) if may_name_runs else None
            counts[run_id_named(of_item or of_resource)] += 1


def _groups(signal: Signal, payload: bytes) -> Iterator[tuple[ResourceMessage, Iterator[_Part]]]:
    if signal == "traces":
        for spans in parse(TracesData(), payload).resource_spans:
            yield spans.resource, ((part.spans, span_refusal, True) for part in spans.scope_spans)
    elif signal == "logs":
        for logs in parse(LogsData(), payload).resource_logs:
            yield logs.resource, ((part.log_records, log_record_refusal, True) for part in logs.scope_logs)
    else:
        for group in parse(MetricsData(), payload).resource_metrics:
            metrics = (metric for part in group.scope_metrics for metric in part.metrics)
            yield group.resource, (_part_of(data_points(metric), metric.name) for metric in metrics)


def _part_of(points: Sequence[DataPoint], name: str) -> _Part:
    return points, partial(point_refusal, name=name), not name or _latest_ns(points) > LATEST_NS


def _latest_ns(points: Iterable[DataPoint]) -> int:
    """Return the latest time in data points: nothing else of them refuses one, and this costs a fifth of asking each of them."""
    held = list(points)
    return max(max(map(_time_of, held), default=0), max(map(_start_of, held), default=0))


class _Counted:
    """Counts the data points of a metric request as it is walked through."""

    def __init__(self, payload: bytes) -> None:
        self.counts: Counter[str | None] = Counter()
        self.refusals = Refusals()
        self._payload = payload
        self._of_resource: AttributeValue = None

    def enter_resource(self, message: ResourceMessage, schema_url: str) -> None:  # noqa: ARG002 - of the walk's visitor
        """Count what follows as of the run that this resource names."""
        self._of_resource = _run_value(message.attributes)

    def enter_scope(self, message: InstrumentationScope, schema_url: str) -> None:
        """Do nothing: scopes name no runs."""

    def take_metric(self, metric: Metric, piece: Piece) -> None:
        """Count the data points of a metric."""
        self._count(data_points(metric), metric.name, piece)

    def take_history(self, points: Sequence[NumberDataPoint], metric: Metric, piece: Piece) -> None:
        """Count points of a history."""
        self._count(points, metric.name, piece)

    def take_stretch(self, stretch: Stretch, metric: Metric) -> None:  # noqa: ARG002 - as above
        """Count points of which none is refused, and which have the same attributes."""
        of_points = stretch.layout.point.attributes.get(attr.ML_RUN_ID)
        self.counts[run_id_named(of_points or self._of_resource)] += stretch.count

    def _count(self, points: Sequence[DataPoint], name: str, piece: Piece) -> None:
        may_name_runs = self._payload.find(_RUN_ID_KEY, *piece) >= 0
        part = _part_of(points, name)
        _count_part(part, self.counts, self.refusals, self._of_resource, may_name_runs=may_name_runs)


def _run_value(attributes: Iterable[KeyValue]) -> AttributeValue:
    found: AttributeValue = None
    for item in attributes:
        if item.key == attr.ML_RUN_ID:
            found = value_from_otlp(item.value)
    return found


def run_id_named(named: AttributeValue) -> str | None:
    """Return the id of the run that an attribute names; None for none, and for a text that is no id."""
    if not isinstance(named, str):
        return None
    lowered = named.strip().lower()
    return lowered.replace("-", "") if _ID.fullmatch(lowered) else None
