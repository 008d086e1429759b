"""What a batch adds to what destinations have not taken yet: the same for every store and for what sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.signal import Signal
from otel_experiments.model.unsent import Unsent
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_OUTPUT


@dataclass(slots=True)
class Arrival:
    """How many items of one signal of a run a batch has, with the earliest and the latest of their times."""

    since_ns: int
    last_ns: int
    count: int


def arrivals(batch: WriteBatch) -> dict[tuple[str, Signal], Arrival]:
    """Return what the batch has of each run and signal that is sent by OTLP.

    That is what the run's own providers made: its resource names the run. Only ended spans are sent.
    """
    found: dict[tuple[str, Signal], Arrival] = {}
    for run_id, signal, first_ns, last_ns, count in _items(batch):
        known = found.get((run_id, signal))
        if known is None:
            found[run_id, signal] = Arrival(first_ns, last_ns, count)
        else:
            known.count += count
            known.since_ns = min(known.since_ns, first_ns)
            known.last_ns = max(known.last_ns, last_ns)
    return found


def is_never_sent(record: LogRecord) -> bool:
    """Whether a log record stays in the store: the lines that a program printed do."""
    return record.event_name == ML_RUN_OUTPUT.name


def joined(row: Unsent, arrival: Arrival) -> Unsent:
    """Return the row after items have arrived that nobody has sent yet."""
    return replace(row, since_ns=min(row.since_ns, arrival.since_ns), count=row.count + arrival.count)


def key_of(row: Unsent) -> tuple[object, ...]:
    """Return what makes two rows the same row."""
    return (row.run_id, row.signal, row.destination, row.owner)


def _items(batch: WriteBatch) -> Iterator[tuple[str, Signal, int, int, int]]:
    for span in batch.spans:
        run_id = span.resource.attributes.get(attr.ML_RUN_ID)
        if span.end_ns is not None and isinstance(run_id, str):
            yield run_id, "traces", span.end_ns, span.end_ns, 1
    for record in batch.log_records:
        run_id = record.resource.attributes.get(attr.ML_RUN_ID)
        if isinstance(run_id, str) and not is_never_sent(record):
            yield run_id, "logs", record.time_ns, record.time_ns, 1
    for block in batch.points:
        if len(block.times_ns):
            yield (
                block.run_id,
                "metrics",
                min(block.times_ns),
                max(block.times_ns),
                len(block.times_ns) * len(block.keys),
            )
    for point in batch.instrument_points:
        run_id = point.resource.attributes.get(attr.ML_RUN_ID)
        if isinstance(run_id, str):
            yield run_id, "metrics", point.time_ns, point.time_ns, 1
