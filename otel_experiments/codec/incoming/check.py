"""What a request holds, before it is acknowledged: how many items, of which runs, and which of them are refused. Pure.

Bytes that are checked can be read: `read` leaves out the items that are refused here, and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.count_protobuf import count_protobuf, run_id_named
from otel_experiments.codec.incoming.from_json import log_records_from_json, spans_from_json
from otel_experiments.codec.incoming.json_items import unread_keys
from otel_experiments.codec.incoming.json_values import REQUESTS, Document, load_document
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json
from otel_experiments.codec.incoming.read import Encoding
from otel_experiments.codec.incoming.refusals import Refusals, named
from otel_experiments.codec.incoming.series import split_histories
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.signal import Signal

_ITEMS: Final[dict[Signal, str]] = {"traces": "spans", "logs": "log records", "metrics": "data points"}
_NO_RECORDED_VALUE: Final = 1
"""DataPointFlags of metrics.proto."""


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
        counts = count_protobuf(signal, payload, refusals)
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
        return Counter(run_id_named(span.run_id) for span in spans), warning
    if signal == "logs":
        records = log_records_from_json(document, REQUESTS, refusals)
        return Counter(run_id_named(record.run_id) for record in records), warning
    series, points = split_histories(instrument_points_from_json(document, REQUESTS, refusals))
    counts = Counter(run_id_named(point.run_id) for point in points)
    for one in series:
        counts[run_id_named(run_id_of(one.attributes, one.resource))] += len(one.values)
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
