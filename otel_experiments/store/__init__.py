"""Where telemetry is kept. Knows no OpenTelemetry."""

from otel_experiments.store.location import open_store
from otel_experiments.store.protocol import Row, Store
from otel_experiments.store.sqlite.settled import UNSETTLED

__all__ = ["UNSETTLED", "Row", "Store", "open_store"]
