"""What every store does, whatever keeps its data: the contract that authors of stores run, on our own."""

import pytest

from otel_experiments.codec.batch_text import dump_batch
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store
from otel_experiments.testing import StoreContract


class TestSqliteFile(StoreContract):
    has_sql = True
    is_one_file = True
    hears_other_hosts = False

    @pytest.fixture
    def store(self, tmp_path):
        """A file."""
        with open_store(tmp_path / "experiments.db") as opened:
            yield opened


class TestSqliteInMemory(StoreContract):
    has_sql = True
    hears_other_hosts = False

    @pytest.fixture
    def store(self):
        """SQLite without a file."""
        with open_store("sqlite://:memory:") as opened:
            yield opened


class TestPlainMemory(StoreContract):
    @pytest.fixture
    def store(self):
        """Objects of Python."""
        with open_store("memory://") as opened:
            yield opened


def held(store):
    """Return all that a store says of its runs and of what belongs to none."""
    runs = store.find_runs(RunQuery(visibility="all"))
    pages = [page for run_id in [None, *(run.run_id for run in runs)] for page in store.whole_run(run_id)]
    return runs, store.experiments(), [dump_batch(page) for page in pages]


class TestStoreBase(StoreContract):
    @pytest.fixture
    def store(self, list_store):
        """Entries in a list; whoever reads them later finds the same."""
        kept = list_store()
        with kept as opened:
            yield opened
            with list_store(kept.entries) as other:
                if opened.is_open:
                    assert repr(held(other)) == repr(held(opened))
