"""An exporter that was shut down leaves nothing behind in the process."""

import gc
import weakref

from otel_experiments.exporters import StoreSpanExporter


def test_the_way_into_a_store_is_freed_with_its_last_exporter(tmp_path):
    """What an exporter opened is gone after its shutdown: no hook of the process keeps it."""
    first, second = StoreSpanExporter(tmp_path / "a.db"), StoreSpanExporter(tmp_path / "a.db")
    alive = weakref.ref(first._target)

    first.shutdown()
    gc.collect()
    assert alive() is not None, "the second exporter uses it"
    second.shutdown()
    del first, second
    gc.collect()

    assert alive() is None
