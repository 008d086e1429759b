"""Where telemetry is kept. Knows no OpenTelemetry.

`open_store` opens the store at an address; a `Store` takes batches and answers questions about runs.
"""

from otel_experiments.store.location import open_store
from otel_experiments.store.protocol import Row, Store

__all__ = ["Row", "Store", "open_store"]
