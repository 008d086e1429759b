"""Where telemetry is kept. The only package that says sqlite3; knows no OpenTelemetry."""

from otel_experiments.store._location import open_store
from otel_experiments.store._protocol import Row, Store
from otel_experiments.store._settled import UNSETTLED

__all__ = ["UNSETTLED", "Row", "Store", "open_store"]
