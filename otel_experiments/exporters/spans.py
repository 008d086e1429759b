"""A SpanExporter into a store."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_experiments.codec.from_sdk import span_from_sdk
from otel_experiments.exporters.base import StoreExporter
from otel_experiments.exporters.journaled import JournaledStore


class StoreSpanExporter(StoreExporter[Sequence[ReadableSpan]], SpanExporter):
    """Keeps spans in a store. Entry point `otel_experiments` of `opentelemetry_traces_exporter`.

    Args:
        path: the store's file, or a store elsewhere: its address, or one that is open; by default
            `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep the spans: when SUCCESS comes back, SIGKILL loses none of them. Never raises."""
        return SpanExportResult.SUCCESS if self._keep(spans) else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Move what was exported into the store; True when all of it went in time."""
        return self._flush(timeout_millis)

    def shutdown(self) -> None:
        """Flush and let go of the store; safe to call twice."""
        self._shut_down()

    def _write(self, target: JournaledStore, batch: Sequence[ReadableSpan]) -> bool:
        return target.write_spans([span_from_sdk(span) for span in batch])

    def _shown(self, batch: Sequence[ReadableSpan]) -> str:
        return f"{len(batch)} spans were"
