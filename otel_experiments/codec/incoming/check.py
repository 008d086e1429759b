"""What a request holds, before it is acknowledged: how many items, of which runs, and which of them are refused. Pure.

Bytes that are checked can be read: `read` leaves out the items that are refused here, and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.from_protobuf import log_record_refusal, span_refusal
from otel_experiments.codec.incoming.histories_from_protobuf import Taken, take_request
from otel_experiments.codec.incoming.metrics_from_protobuf import DataPoint, point_refusal
from otel_experiments.codec.incoming.protobuf_values import parse, value_from_otlp
from otel_experiments.codec.incoming.read import Encoding, read_logs, read_metrics, read_spans
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.incoming.series import SeriesPoints
from otel_experiments.model.span import AttributeValue, Resource, Scope
from otel_experiments.model.unsent import Signal
from otel_experiments.semconv import attributes as attr

_ITEMS: Final[dict[Signal, str]] = {"traces": "spans", "logs": "log records", "metrics": "data points"}
_RUN_ID: Final = attr.ML_RUN_ID.encode()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request holds.

    Attributes:
        item_count: spans, log records or data points, with those that are refused.
        refused_count: those that cannot be kept.
        message: of the first one that is refused which it is and why; empty when none is.
        counts_by_run: how many of the items that can be kept name a run, by the run's id.
    """

    item_count: int
    refused_count: int = 0
    message: str = ""
    counts_by_run: Mapping[str, int] = field(default_factory=dict)

    @property
    def run_ids(self) -> frozenset[str]:
        """The runs that items which can be kept name."""
        return frozenset(self.counts_by_run)


def check_request(signal: Signal, encoding: Encoding, payload: bytes) -> Checked:
    """Return what an export request holds.

    Raises:
        TelemetryDecodeError: the bytes are no request of that signal and encoding.
    """
    refusals = Refusals()
    if encoding == "json":
        counts = _count_json(signal, payload, refusals)
    elif signal == "metrics":
        counts = _count_metrics(payload, refusals)
    else:
        counts = _count_protobuf(signal, payload, refusals)
    total = counts.total() + refusals.count
    message = ""
    if refusals.count:
        message = (
            f"{refusals.count} of {total} {_ITEMS[signal]} cannot be kept, the others are: {refusals.first}. "
            "Send ids of 16 and 8 bytes that are not all zero, and times before 2262"
        )
    by_run = {run_id: count for run_id, count in counts.items() if run_id}
    return Checked(total, refusals.count, message, by_run)


def _count_json(signal: Signal, payload: bytes, refusals: Refusals) -> Counter[str | None]:
    if signal == "traces":
        return Counter(span.run_id for span in read_spans("json", payload, refusals))
    if signal == "logs":
        return Counter(record.run_id for record in read_logs("json", payload, refusals))
    series, points = read_metrics("json", payload, refusals)
    return Counter(point.run_id for point in points) + _count_points(series)


def _count_points(series: Iterable[SeriesPoints]) -> Counter[str | None]:
    counts: Counter[str | None] = Counter()
    for one in series:
        counts[run_id_of(one.attributes, one.resource)] += len(one.values)
    return counts


class _Counted(Taken):
    """The data points of a request, of which those of no history are counted and not read."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str | None] = Counter()

    def take_point(self, point: DataPoint, metric: Metric, resource: Resource, scope: Scope) -> None:  # noqa: ARG002 - a scope names no run
        refusal = point_refusal(point, metric.name)
        if refusal:
            self.refusals.add(refusal)
        else:
            of_resource = resource.attributes.get(attr.ML_RUN_ID)
            self.counts[_text(_run_value(point.attributes) or of_resource)] += 1


def _count_metrics(payload: bytes, refusals: Refusals) -> Counter[str | None]:
    taken = take_request(payload, _Counted)
    refusals.merge(taken.refusals)
    return taken.counts + _count_points(taken.histories.pieces())


def _count_protobuf(signal: Signal, payload: bytes, refusals: Refusals) -> Counter[str | None]:
    groups = list(_groups(signal, payload))
    named_by_resources = sum(
        item.key == attr.ML_RUN_ID for resource, _ in groups for item in resource.attributes
    )
    items_may_name_runs = payload.count(_RUN_ID) > named_by_resources
    counts: Counter[str | None] = Counter()
    for resource, parts in groups:
        of_resource = _run_value(resource.attributes)
        for items, refusal_of in parts:
            refused = refusals.count
            for item in items:
                refusal = refusal_of(item)
                if refusal:
                    refusals.add(refusal)
                elif items_may_name_runs:
                    counts[_text(_run_value(item.attributes) or of_resource)] += 1
            if not items_may_name_runs:
                counts[_text(of_resource)] += len(items) - (refusals.count - refused)
    return counts


_Part = tuple[Sequence[Any], Callable[[Any], str]]  # messages, whose classes share no base with attributes
"""Items, and what says why one of them is refused."""


def _groups(signal: Signal, payload: bytes) -> Iterator[tuple[ResourceMessage, Iterator[_Part]]]:
    if signal == "traces":
        for spans in parse(TracesData(), payload).resource_spans:
            yield spans.resource, ((part.spans, span_refusal) for part in spans.scope_spans)
    else:
        for logs in parse(LogsData(), payload).resource_logs:
            yield logs.resource, ((part.log_records, log_record_refusal) for part in logs.scope_logs)


def _run_value(attributes: Iterable[KeyValue]) -> AttributeValue:
    found: AttributeValue = None
    for item in attributes:
        if item.key == attr.ML_RUN_ID:
            found = value_from_otlp(item.value)
    return found


def _text(run_id: AttributeValue) -> str | None:
    return run_id if isinstance(run_id, str) and run_id else None
