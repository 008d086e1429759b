"""What a request holds, before it is acknowledged: how many items, of which runs, and which of them are refused. Pure.

Bytes that are checked can be read: `read` leaves out the items that are refused here, and no others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData, ResourceMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.from_json import log_records_from_json, spans_from_json
from otel_experiments.codec.incoming.from_protobuf import log_record_refusal, span_refusal
from otel_experiments.codec.incoming.json_items import unread_keys
from otel_experiments.codec.incoming.json_values import REQUESTS, Document, load_document
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json
from otel_experiments.codec.incoming.metrics_from_protobuf import DataPoint, data_points, point_refusal
from otel_experiments.codec.incoming.protobuf_values import parse, value_from_otlp
from otel_experiments.codec.incoming.read import Encoding
from otel_experiments.codec.incoming.refusals import LATEST_NS, Refusals, named
from otel_experiments.codec.incoming.series import split_histories
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import AttributeValue
from otel_experiments.model.unsent import Signal
from otel_experiments.semconv import attributes as attr

_ITEMS: Final[dict[Signal, str]] = {"traces": "spans", "logs": "log records", "metrics": "data points"}
_NO_RECORDED_VALUE: Final = 1
"""DataPointFlags of metrics.proto."""
_RUN_ID_KEY: Final = attr.ML_RUN_ID.encode()
_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request holds.

    Attributes:
        item_count: spans, log records or data points, with those that are refused.
        refused_count: those that cannot be kept.
        message: of the first one that is refused which it is and why; empty when none is.
        warning: what the sender may not have meant, though nothing is refused: keys that are not of the signal, numbers that
            are not there; empty when there is nothing of the kind.
        counts_by_run: how many of the items that can be kept name a run, by the run's id. Texts that are no ids, 32 hex
            digits or a UUID, are left out: no run has them as its id.
    """

    item_count: int
    refused_count: int = 0
    message: str = ""
    counts_by_run: Mapping[str, int] = field(default_factory=dict)
    warning: str = ""

    @property
    def run_ids(self) -> frozenset[str]:
        """The runs that items which can be kept name."""
        return frozenset(self.counts_by_run)


def check_request(signal: Signal, encoding: Encoding, payload: bytes) -> Checked:
    """Return what an export request holds.

    Raises:
        TelemetryDecodeError: the bytes are no request of that signal and encoding.
    """
    refusals, warning = Refusals(), ""
    if encoding == "json":
        counts, warning = _count_json(signal, load_document(payload), refusals)
    else:
        counts = _count_protobuf(signal, payload, refusals)
    total = counts.total() + refusals.count
    message = ""
    if refusals.count:
        message = (
            f"{_how_many(refusals.count, total, _ITEMS[signal])}: {refusals.first}. "
            "Send ids of 16 and 8 bytes that are not all zero, times before 2262, and metrics with a name"
        )
    by_run = {run_id: count for run_id, count in counts.items() if run_id is not None}
    return Checked(total, refusals.count, message, by_run, warning)


def _how_many(refused: int, total: int, noun: str) -> str:
    if refused < total:
        return f"{refused} of {total} {noun} cannot be kept, the others are"
    return f"None of {total} {noun} can be kept" if total > 1 else f"The {noun[:-1]} cannot be kept"


def _count_json(signal: Signal, document: Document, refusals: Refusals) -> tuple[Counter[str | None], str]:
    """Return how many items there are by run, and the warning."""
    warning = unread_keys(document, signal)
    if signal == "traces":
        spans = spans_from_json(document, REQUESTS, refusals)
        return Counter(_run_id(span.run_id) for span in spans), warning
    if signal == "logs":
        records = log_records_from_json(document, REQUESTS, refusals)
        return Counter(_run_id(record.run_id) for record in records), warning
    series, points = split_histories(instrument_points_from_json(document, REQUESTS, refusals))
    counts = Counter(_run_id(point.run_id) for point in points)
    for one in series:
        counts[_run_id(run_id_of(one.attributes, one.resource))] += len(one.values)
    return counts, warning or _without_values(points)


def _without_values(points: Sequence[InstrumentPoint]) -> str:
    """Return what is to be said of numbers that are not there, where no flag says that there is none."""
    found = [
        point
        for point in points
        if point.histogram is None and point.value is None and not point.flags & _NO_RECORDED_VALUE
    ]
    if not found:
        return ""
    points_text = f"{len(found)} data point{'s have' if len(found) > 1 else ' has'} no value"
    return f"{points_text}, the first of {named('metric', found[0].name)}. Give each asDouble or asInt."


def _count_protobuf(signal: Signal, payload: bytes, refusals: Refusals) -> Counter[str | None]:
    groups = list(_groups(signal, payload))
    named_by_resources = sum(
        item.key == attr.ML_RUN_ID for resource, _ in groups for item in resource.attributes
    )
    items_may_name_runs = payload.count(_RUN_ID_KEY) > named_by_resources
    counts: Counter[str | None] = Counter()
    for resource, parts in groups:
        of_resource = _run_value(resource.attributes)
        for items, refusal_of, may_be_refused in parts:
            if not (may_be_refused or items_may_name_runs):
                counts[_run_id(of_resource)] += len(items)
                continue
            for item in items:
                refusal = refusal_of(item)
                if refusal:
                    refusals.add(refusal)
                else:
                    of_item = _run_value(item.attributes) if items_may_name_runs else None
                    counts[_run_id(of_item or of_resource)] += 1
    return counts


_Part = tuple[
    Sequence[Any], Callable[[Any], str], bool
]  # messages, whose classes share no base with attributes
"""Items, what says why one of them is refused, and whether one may be."""


def _groups(signal: Signal, payload: bytes) -> Iterator[tuple[ResourceMessage, Iterator[_Part]]]:
    if signal == "traces":
        for spans in parse(TracesData(), payload).resource_spans:
            yield spans.resource, ((part.spans, span_refusal, True) for part in spans.scope_spans)
    elif signal == "logs":
        for logs in parse(LogsData(), payload).resource_logs:
            yield logs.resource, ((part.log_records, log_record_refusal, True) for part in logs.scope_logs)
    else:
        for metrics in parse(MetricsData(), payload).resource_metrics:
            yield metrics.resource, _metric_parts(metrics)


def _metric_parts(group: ResourceMetrics) -> Iterator[_Part]:
    for part in group.scope_metrics:
        for metric in part.metrics:
            points = data_points(metric)
            yield (
                points,
                partial(point_refusal, name=metric.name),
                not metric.name or _latest_ns(points) > LATEST_NS,
            )


_time_of: Final = attrgetter("time_unix_nano")
_start_of: Final = attrgetter("start_time_unix_nano")


def _latest_ns(points: Iterable[DataPoint]) -> int:
    """Return the latest time in data points: nothing else of them refuses one, and this costs a fifth of asking each of them."""
    held = list(points)
    return max(max(map(_time_of, held), default=0), max(map(_start_of, held), default=0))


def _run_value(attributes: Iterable[KeyValue]) -> AttributeValue:
    found: AttributeValue = None
    for item in attributes:
        if item.key == attr.ML_RUN_ID:
            found = value_from_otlp(item.value)
    return found


def _run_id(named: AttributeValue) -> str | None:
    """Return the id of the run that is named; None for none, and for a text that is no id."""
    if not isinstance(named, str):
        return None
    lowered = named.strip().lower()
    return lowered.replace("-", "") if _ID.fullmatch(lowered) else None
