"""OpenTelemetry exporters that keep what they are given: three in a store, one for a golden comparison.

They are ordinary exporters. Those of a store have entry points, so that
`OTEL_TRACES_EXPORTER=otel_experiments opentelemetry-instrument python train.py` fills a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.exporters.golden import GoldenSpanExporter
    from otel_experiments.exporters.logs import StoreLogExporter
    from otel_experiments.exporters.metrics import StoreMetricExporter
    from otel_experiments.exporters.spans import StoreSpanExporter

__all__ = ["GoldenSpanExporter", "StoreLogExporter", "StoreMetricExporter", "StoreSpanExporter"]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "GoldenSpanExporter": "golden",
            "StoreLogExporter": "logs",
            "StoreMetricExporter": "metrics",
            "StoreSpanExporter": "spans",
        },
    )
