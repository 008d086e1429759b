"""A LogRecordExporter into a store."""

from __future__ import annotations

import os
from collections.abc import Sequence

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

from otel_experiments.codec.from_sdk import log_record_from_sdk
from otel_experiments.exporters.journaled import shared_store
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger


class StoreLogExporter(LogRecordExporter):
    """Keeps log records and events. Entry point `otel_experiments` of `opentelemetry_logs_exporter`.

    Args:
        path: the store's file; by default `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._target = shared_store(path)
        self._is_shut_down = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Keep the records. Never raises."""
        if self._is_shut_down:
            return LogRecordExportResult.FAILURE
        try:
            is_kept = self._target.write_log_records([log_record_from_sdk(record) for record in batch])
        except Exception as error:  # an exporter answers with a result
            if is_interruption(error):
                raise
            tell(logger, "%d log records were not stored: %r", len(batch), error)
            return LogRecordExportResult.FAILURE
        return LogRecordExportResult.SUCCESS if is_kept else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Move what was exported into the store; True when all of it went in time."""
        return self._target.flush(timeout_s=timeout_millis / 1000)

    def shutdown(self) -> None:
        """Flush and let go of the store; safe to call twice."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._target.release()
