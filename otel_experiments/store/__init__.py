"""Where telemetry is kept. Knows no OpenTelemetry.

`open_store` opens the store at an address; a `Store` takes batches (`WritingStore`) and answers questions
about runs (`ReadingStore`). `StoreBase` makes one of three methods.
"""

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.store.location import open_store
    from otel_experiments.store.protocol import ReadingStore, Row, Store, WritingStore
    from otel_experiments.store.store_base import StoreBase

__all__ = ["ReadingStore", "Row", "Store", "StoreBase", "WritingStore", "open_store"]

if not TYPE_CHECKING:  # the protocol is for annotations, and few write a store of their own
    __getattr__, _ = lazy_names(
        __name__,
        {
            "ReadingStore": "protocol",
            "Row": "protocol",
            "Store": "protocol",
            "StoreBase": "store_base",
            "WritingStore": "protocol",
            "open_store": "location",
        },
    )


def __dir__() -> list[str]:
    return sorted(__all__)
