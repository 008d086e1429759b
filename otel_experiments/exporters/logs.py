"""A LogRecordExporter into a store."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_experiments.exporters.base import StoreExporter
from otel_experiments.exporters.journaled import JournaledStore
from otel_experiments.record.events.adoption import adopted_record


class StoreLogExporter(StoreExporter[Sequence[ReadableLogRecord]], LogRecordExporter):
    """Keeps log records and events. Entry point `otel_experiments` of `opentelemetry_logs_exporter`.

    Args:
        path: the store's file, or a store elsewhere: its address, or one that is open; by default
            `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Keep the records. Never raises."""
        return LogRecordExportResult.SUCCESS if self._keep(batch) else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Move what was exported into the store; True when all of it went in time."""
        return self._flush(timeout_millis)

    def shutdown(self) -> None:
        """Flush and let go of the store; safe to call twice."""
        self._shut_down()

    def _write(self, target: JournaledStore, batch: Sequence[ReadableLogRecord]) -> bool:
        return target.write_log_records([adopted_record(record) for record in batch])

    def _shown(self, batch: Sequence[ReadableLogRecord]) -> str:
        return f"{len(batch)} log records were"
