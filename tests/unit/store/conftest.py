"""The stores that pass one contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_experiments.store import Store, StoreBase, open_store


class ListStore(StoreBase):
    """The smallest store over `StoreBase`: its entries are a list."""

    def __init__(self, entries: list[bytes] | None = None) -> None:
        super().__init__()
        self.entries = [] if entries is None else entries

    @property
    def location(self) -> str:
        """Any address will do."""
        return "list://entries"

    def read_entries(self, first: int) -> list[bytes]:
        """Return what is there from `first` on."""
        return self.entries[first:]

    def add_entry(self, number: int, entry: bytes) -> bool:
        """Append an entry where it is the next one."""
        if number != len(self.entries):
            return False
        self.entries.append(entry)
        return True

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return self._contents is not None


@pytest.fixture
def list_store() -> type[ListStore]:
    """The class of the smallest store."""
    return ListStore


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "plain-memory", "store-base"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "store-base":
        with ListStore() as opened:
            yield opened
        return
    location = {
        "sqlite-file": str(tmp_path / "experiments.db"),
        "sqlite-memory": "sqlite://:memory:",
        "plain-memory": "memory://",
    }[request.param]
    with open_store(location) as opened:
        yield opened
