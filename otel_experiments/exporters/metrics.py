"""A MetricExporter into a store."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.exporters.base import StoreExporter
from otel_experiments.exporters.journaled import JournaledStore


class StoreMetricExporter(StoreExporter[MetricsData], MetricExporter):
    """Keeps the data points of instruments. Entry point `otel_experiments` of `opentelemetry_metrics_exporter`.

    Args:
        path: the store's file, or a store elsewhere: its address, or one that is open; by default
            `OTEL_EXPERIMENTS_STORE`, else `experiments.db`.

    Raises:
        StoreError: the store cannot be used.
    """

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Keep the data points of one collection. Never raises."""
        del timeout_millis, kwargs
        return MetricExportResult.SUCCESS if self._keep(metrics_data) else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Move what was exported into the store; True when all of it went in time."""
        return self._flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Flush and let go of the store; safe to call twice."""
        del timeout_millis, kwargs
        self._shut_down()

    def _write(self, target: JournaledStore, batch: MetricsData) -> bool:
        return target.write_instrument_points(list(instrument_points_from_sdk(batch)))

    def _shown(self, batch: MetricsData) -> str:  # noqa: ARG002 - a collection has no length
        return "A collection of metrics was"
