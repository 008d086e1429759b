"""OpenTelemetry exporters that keep what they are given in a store.

They are ordinary exporters with entry points, so that
`OTEL_TRACES_EXPORTER=otel_experiments opentelemetry-instrument python train.py` fills a store.
"""

from __future__ import annotations

from otel_experiments.exporters.logs import StoreLogExporter
from otel_experiments.exporters.metrics import StoreMetricExporter
from otel_experiments.exporters.spans import StoreSpanExporter

__all__ = ["StoreLogExporter", "StoreMetricExporter", "StoreSpanExporter"]
