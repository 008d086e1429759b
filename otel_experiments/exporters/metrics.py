"""A MetricExporter into a store."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.exporters.journaled import shared_store
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger


class StoreMetricExporter(MetricExporter):
    """Keeps the data points of instruments. Entry point `otel_experiments` of `opentelemetry_metrics_exporter`.

    Args:
        path: the store's file; by default `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._target = shared_store(path)
        self._is_shut_down = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Keep the data points of one collection. Never raises."""
        del timeout_millis, kwargs
        if self._is_shut_down:
            return MetricExportResult.FAILURE
        try:
            is_kept = self._target.write_instrument_points(list(instrument_points_from_sdk(metrics_data)))
        except Exception as error:  # an exporter answers with a result
            if is_interruption(error):
                raise
            tell(logger, "A collection of metrics was not stored: %r", error)
            return MetricExportResult.FAILURE
        return MetricExportResult.SUCCESS if is_kept else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Move what was exported into the store; True when all of it went in time."""
        return self._target.flush(timeout_s=timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Flush and let go of the store; safe to call twice."""
        del timeout_millis, kwargs
        if not self._is_shut_down:
            self._is_shut_down = True
            self._target.release()
