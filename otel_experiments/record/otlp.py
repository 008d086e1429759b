"""OTLP out: what has been stored is sent, by one thread, to where the standard environment variables say.

The drain hands over each batch that it has stored, so that what leaves is what was kept: forked workers' spans
and points included, nothing of it on the training thread, nothing lost to a full queue while the endpoint is
away for a while. A dead or hanging endpoint delays nothing but this thread; when the process ends, it gets a
bounded time, and one line says what was not sent.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from opentelemetry import context as context_api
from opentelemetry.sdk.metrics.export import ResourceMetrics

from otel_experiments.codec.to_sdk import log_records_to_sdk, spans_to_sdk
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.span import Span
from otel_experiments.record.guard import Guard, logger
from otel_experiments.record.known_runs import KnownRuns
from otel_experiments.record.otlp_client import LogClient, MetricClient, Outcome, SpanClient
from otel_experiments.record.otlp_points import merge_collections, points_to_metrics
from otel_experiments.record.otlp_queue import (
    Queue,
    block_bytes,
    block_points,
    collection_bytes,
    collection_points,
    log_record_bytes,
    one,
    span_bytes,
    split_block,
)
from otel_experiments.semconv import attributes as attr

MAX_HELD: Final = 65_536
"""Spans, and log records, and data points of instruments, that wait in memory. The store keeps all."""
MAX_HELD_POINTS: Final = 2_000_000
"""Metric points that wait in memory; they are held as columns."""
POINTS_PER_REQUEST: Final = 10_000
_ONE: Final = {
    "spans": "span",
    "log records": "log record",
    "metric points": "metric point",
    "data points of instruments": "data point of an instrument",
}
_LONGEST_PAUSE_S: Final = 30.0
_SUSPECT_WAIT_S: Final = 1.0
"""How long the end of a process waits for an endpoint that did not answer, or refused, when it was asked last."""
_STOP_S: Final = 0.5


class OtlpExport:
    """What one process sends over OTLP.

    Args:
        guard: counts what is lost.
        known: the runs whose telemetry is sent; what else the drain meets stays at home.
        is_stored: whether a store has what cannot be sent.

    Attributes:
        metric_interval_s: seconds between two metric collections.

    Raises:
        ConfigurationError: a standard variable holds what cannot be used.
    """

    def __init__(self, guard: Guard, known: KnownRuns, *, is_stored: bool) -> None:
        _check_protocol(os.environ)
        self.metric_interval_s = _milliseconds(os.environ, "OTEL_METRIC_EXPORT_INTERVAL", 10_000)
        self._delay_s = _milliseconds(os.environ, "OTEL_BSP_SCHEDULE_DELAY", 1_000)
        try:
            self._spans_client, self._logs_client = SpanClient(), LogClient()
            self._metrics_client = MetricClient()
        except Exception as error:
            raise ConfigurationError(
                f"OTLP cannot be set up: {error}.\n  Correct the OTEL_EXPORTER_OTLP_* variable it names, or turn "
                "sending off: OTEL_EXPERIMENTS_OTLP=false."
            ) from error
        self._guard = guard
        self._known = known
        self._is_stored = is_stored
        max_held = _count(os.environ, "OTEL_BSP_MAX_QUEUE_SIZE", MAX_HELD)
        max_request = _count(os.environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 2_048)
        plain = partial(Queue[Any], weight=one, max_held=max_held, max_request=max_request)
        self._spans: Queue[Span] = plain("spans", self._send_spans, size=span_bytes)
        self._logs: Queue[LogRecord] = plain("log records", self._send_logs, size=log_record_bytes)
        self._points: Queue[PointBlock] = Queue(
            "metric points",
            self._send_points,
            weight=block_points,
            size=block_bytes,
            max_held=MAX_HELD_POINTS,
            max_request=POINTS_PER_REQUEST,
        )
        self._collections: Queue[ResourceMetrics] = Queue(
            "data points of instruments",
            self._send_collections,
            weight=collection_points,
            size=collection_bytes,
            max_held=MAX_HELD,
            max_request=POINTS_PER_REQUEST,
        )
        self._random = random.Random(os.urandom(16))  # noqa: S311 - jitter, and never the global generator
        self._changed = threading.Condition()
        self._asked = self._answered = 0
        self._is_stopping = False
        self._refusals = 0
        self._is_suspect = False
        self._last_detail = ""
        self._thread: threading.Thread | None = None

    @property
    def endpoint(self) -> str:
        """Where spans go, as host and port."""
        return self._spans_client.endpoint

    @property
    def unsent_counts(self) -> dict[str, int]:
        """How many items wait, or were lost for good, by what they are called; empty when all was taken."""
        return {q.noun: q.held_count + q.lost_count for q in self._queues if q.held_count + q.lost_count}

    @property
    def _queues(self) -> tuple[Queue[Any], ...]:
        return (self._spans, self._logs, self._points, self._collections)

    def hold(self, batch: WriteBatch) -> None:
        """Send what of a stored batch belongs to this process's runs. Returns at once."""
        known = self._known
        self._put(self._spans, [s for s in batch.spans if s.end_ns is not None and self._is_ours(s)])
        self._put(self._logs, [record for record in batch.log_records if self._is_ours(record)])
        blocks = [block for block in batch.points if known.get(block.run_id) is not None]
        self._put(self._points, [piece for block in blocks for piece in split_block(block)])

    def hold_collection(self, collections: Sequence[ResourceMetrics]) -> None:
        """Send what was collected from a run's instruments. Returns at once."""
        self._put(self._collections, collections)

    def flush(self, *, timeout_s: float) -> bool:
        """Send what waits; True when the endpoint has taken everything, since the start, within the time."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            if any(queue.held_count for queue in self._queues) or self._asked > self._answered:
                self._asked += 1
                mine = self._asked
                self._start()
                self._changed.notify_all()
                while self._answered < mine and (left_s := deadline_s - time.monotonic()) > 0:
                    self._changed.wait(left_s)
                if self._answered < mine:
                    self._is_suspect = True
                    self._last_detail = self._last_detail or f"no answer within {timeout_s:.1f} s"
                    return False
        return not self.unsent_counts

    def settle(self, *, timeout_s: float) -> bool:
        """Flush, without waiting for an endpoint that did not answer when it was asked last."""
        return self.flush(timeout_s=0.0 if self._is_suspect else timeout_s)

    def shutdown(self, *, timeout_s: float) -> bool:
        """Send what waits and stop; say in one line what was not sent. Safe to call twice."""
        if self._is_stopping:
            return not self.unsent_counts
        self.flush(timeout_s=min(timeout_s, _SUSPECT_WAIT_S) if self._is_suspect else timeout_s)
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for client in (self._spans_client, self._logs_client, self._metrics_client):
            client.shutdown()  # closes the channel, which ends a request that still waits for its answer
        if self._thread is not None:
            self._thread.join(timeout=_STOP_S)
        unsent = self.unsent_counts
        if unsent:
            logger.warning(
                "OTLP: %s did not take %s (%s). %s",
                self.endpoint,
                _listed(unsent),
                self._last_detail or "there was no time",
                "The store has them." if self._is_stored else "No store has them.",
            )
        return not unsent

    def _is_ours(self, record: Span | LogRecord) -> bool:
        # What an application's own provider made goes where the application sends it, not there again.
        return self._known.get(record.resource.attributes.get(attr.ML_RUN_ID)) is not None

    def _put(self, queue: Queue[Any], entries: Sequence[Any]) -> None:
        if not entries:
            return
        dropped = queue.put(entries)
        if dropped:
            self._tell_lost(queue.noun, dropped, "more wait than memory is given to them")
        with self._changed:
            self._start()

    def _start(self) -> None:
        if self._thread is None and not self._is_stopping:
            self._thread = threading.Thread(target=self._work, name="otel-experiments-otlp", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        # Without this, instrumentation of gRPC would make spans of sending spans. Source: the SDK's processors.
        context_api.attach(context_api.set_value(context_api._SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: SLF001
        while True:
            with self._changed:
                if self._asked == self._answered and not self._is_stopping:
                    self._changed.wait(self._pause_s())
                if self._is_stopping and self._asked == self._answered:
                    return
                asked = self._asked
            with self._guard:
                self._round()
            with self._changed:
                self._answered = max(self._answered, asked)
                self._changed.notify_all()

    def _pause_s(self) -> float:
        if not self._refusals:
            return self._delay_s
        pause_s = min(_LONGEST_PAUSE_S, self._delay_s * 2.0 ** min(self._refusals, 10))
        return pause_s * self._random.uniform(0.8, 1.2)

    def _round(self) -> None:
        """Send what waits, until all is sent or the endpoint does not take a request now."""
        for queue in self._queues:
            while not self._is_stopping and (entries := queue.take()):
                if not self._deliver(queue, entries):
                    return

    def _deliver(self, queue: Queue[Any], entries: list[Any]) -> bool:
        """Send one request; False when it waits again because the endpoint does not take it now."""
        outcome: Outcome = queue.send(entries)
        count = sum(map(queue.weight, entries))
        if outcome.is_taken:
            self._refusals, self._is_suspect = 0, False
            queue.sent_count += count - outcome.rejected_count
            if outcome.rejected_count:
                queue.lost_count += outcome.rejected_count
                self._tell_lost(queue.noun, outcome.rejected_count, outcome.detail or "it gives no reason")
            return True
        self._last_detail = outcome.detail
        if outcome.is_passing:
            queue.put_back(entries)
            self._refusals, self._is_suspect = self._refusals + 1, True
            return False
        if outcome.is_divisible and len(entries) > 1:
            half = len(entries) // 2
            if self._deliver(queue, entries[:half]):
                return self._deliver(queue, entries[half:])
            queue.put_back(entries)
            return False
        queue.lost_count += count
        self._tell_lost(queue.noun, count, outcome.detail)
        return True

    def _tell_lost(self, noun: str, count: int, why: str) -> None:
        kept = "the store has them" if self._is_stored else "no store has them"
        self._guard.lost(
            f"otlp {noun}",
            f"OTLP: {count} {noun} are not sent to {self.endpoint}: {why}; {kept}",
            count=count,
        )

    def _send_spans(self, spans: list[Span]) -> Outcome:
        return self._spans_client.send(spans_to_sdk(spans))

    def _send_logs(self, records: list[LogRecord]) -> Outcome:
        return self._logs_client.send(log_records_to_sdk(records))

    def _send_points(self, blocks: list[PointBlock]) -> Outcome:
        return self._metrics_client.send(points_to_metrics(blocks, self._known))

    def _send_collections(self, collections: list[ResourceMetrics]) -> Outcome:
        return self._metrics_client.send(merge_collections(collections))


def _listed(counts: Mapping[str, int]) -> str:
    parts = [f"{count:,} {_ONE[noun] if count == 1 else noun}" for noun, count in counts.items()]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _check_protocol(environ: Mapping[str, str]) -> None:
    for variable in (
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    ):
        protocol = environ.get(variable, "").strip() or "grpc"
        if protocol != "grpc":
            raise ConfigurationError(
                f"{variable}={protocol!r} cannot be used: this package sends OTLP over gRPC.\n"
                "  Set it to grpc and name the endpoint's gRPC port (usually 4317), or turn sending off: "
                "OTEL_EXPERIMENTS_OTLP=false."
            )


def _number(
    environ: Mapping[str, str], variable: str, default: float, parse: Callable[[str], float]
) -> float:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        number = parse(text)
    except ValueError:
        number = 0
    if not number > 0:
        raise ConfigurationError(
            f"{variable}={text!r} cannot be used: it is no number above zero.\n  Correct or unset it."
        )
    return number


def _milliseconds(environ: Mapping[str, str], variable: str, default: int) -> float:
    return _number(environ, variable, default, float) / 1000


def _count(environ: Mapping[str, str], variable: str, default: int) -> int:
    return int(_number(environ, variable, default, int))
