"""OTLP out: the standard exporters, configured by the standard environment variables, with a bounded exit.

A dead or hanging endpoint delays nothing but its own threads: shutting down happens in a thread that is given
up on when the budget is spent, and one line says what was not sent.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_experiments.errors import ConfigurationError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.record.guard import Guard, logger

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LogRecordProcessor

QUEUE_SIZE: Final = 65_536
BATCH_SIZE: Final = 2_048
MAX_HELD_POINTS: Final = 2_000_000
"""Points that wait for OTLP in memory; the oldest go first beyond that. The store keeps all of them."""


class OtlpExport:
    """The exporters of one process.

    Attributes:
        span_processor, log_processor, metric_exporter: what the pipeline feeds.
        metric_interval_s: seconds between two metric collections.
    """

    def __init__(self, guard: Guard) -> None:
        protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        if protocol != "grpc":
            raise ConfigurationError(
                f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r} cannot be used: only grpc is installed with this package.\n"
                "  Unset it, or set it to grpc and name the endpoint's gRPC port (usually 4317)."
            )
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter  # noqa: PLC0415 - heavy
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415

        self._guard = guard
        self.metric_interval_s = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "10000")) / 1000
        timeout_s = float(os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", "4"))
        self.span_processor: BatchSpanProcessor | None = BatchSpanProcessor(
            OTLPSpanExporter(timeout=timeout_s), max_queue_size=QUEUE_SIZE, max_export_batch_size=BATCH_SIZE
        )
        self.log_processor: LogRecordProcessor | None = BatchLogRecordProcessor(
            OTLPLogExporter(timeout=timeout_s), max_queue_size=QUEUE_SIZE, max_export_batch_size=BATCH_SIZE
        )
        self.metric_exporter: MetricExporter | None = OTLPMetricExporter(timeout=timeout_s)
        self._held: deque[PointBlock] = deque()
        self._held_count = 0
        self._lock = threading.Lock()
        self._failed_exports = 0

    def hold_points(self, batch: WriteBatch) -> None:
        """Keep the points of a drained batch for the next metric collection."""
        with self._lock:
            for block in batch.points:
                self._held.append(block)
                self._held_count += len(block.steps) * len(block.keys)
            dropped = 0
            while self._held_count > MAX_HELD_POINTS and self._held:
                oldest = self._held.popleft()
                size = len(oldest.steps) * len(oldest.keys)
                self._held_count -= size
                dropped += size
        if dropped:
            self._guard.lost(
                "otlp points",
                "Metric points come faster than OTLP takes them; the store keeps all",
                count=dropped,
            )

    def take_points(self, run_id: str) -> list[PointBlock]:
        """Return the held points of a run; they are held no longer."""
        with self._lock:
            taken = [block for block in self._held if block.run_id == run_id]
            if taken:
                self._held = deque(block for block in self._held if block.run_id != run_id)
                self._held_count -= sum(len(block.steps) * len(block.keys) for block in taken)
        return taken

    def export_metrics(self, data: MetricsData) -> None:
        """Send one request of metrics; a refusal is counted."""
        assert self.metric_exporter is not None
        if self.metric_exporter.export(data) is not MetricExportResult.SUCCESS:
            self._failed_exports += 1
            self._guard.lost(
                "otlp metrics", "The OTLP endpoint did not take metrics; the store keeps all points"
            )

    def flush(self, *, timeout_s: float) -> bool:
        """Send what is queued; True when all was sent in time."""
        return _within(timeout_s, self._flush)

    def shutdown(self, *, timeout_s: float) -> bool:
        """Send what is queued and stop, within `timeout_s` seconds; say in one line when that was too short."""
        is_done = _within(timeout_s, self._shutdown)
        if not is_done:
            logger.warning(
                "The OTLP endpoint did not take everything within %.1f s; spans and logs still queued are not sent. "
                "The store has them.",
                timeout_s,
            )
        return is_done

    def _flush(self) -> bool:
        is_flushed = True
        for processor in (self.span_processor, self.log_processor):
            if processor is not None:
                is_flushed = processor.force_flush() and is_flushed
        return is_flushed and self._failed_exports == 0

    def _shutdown(self) -> bool:
        failures = self._failed_exports
        for part in (self.span_processor, self.log_processor, self.metric_exporter):
            if part is not None:
                part.shutdown()
        return failures == 0


def _within(timeout_s: float, work: object) -> bool:
    result: list[bool] = []

    def run() -> None:
        try:
            result.append(bool(work()))  # type: ignore[operator] # the two callers pass bound methods
        except Exception as error:  # noqa: BLE001 - an exporter may raise anything while it shuts down
            logger.debug("OTLP shutdown failed", exc_info=error)

    thread = threading.Thread(target=run, name="otel-experiments-otlp-stop", daemon=True)
    start_s = time.monotonic()
    thread.start()
    thread.join(timeout=max(0.0, timeout_s - (time.monotonic() - start_s)))
    return bool(result and result[0])
