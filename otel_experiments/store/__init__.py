"""Where telemetry is kept. Knows no OpenTelemetry.

`open_store` opens the store at an address; a `Store` takes batches (`WritingStore`) and answers questions
about runs (`ReadingStore`).
"""

from otel_experiments.store.location import open_store
from otel_experiments.store.protocol import ReadingStore, Row, Store, WritingStore

__all__ = ["ReadingStore", "Row", "Store", "WritingStore", "open_store"]
