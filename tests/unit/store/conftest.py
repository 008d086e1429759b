"""The three stores that pass one contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_experiments.store import Store, open_store


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "plain-memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    location = {
        "sqlite-file": str(tmp_path / "experiments.db"),
        "sqlite-memory": "sqlite://:memory:",
        "plain-memory": "memory://",
    }[request.param]
    with open_store(location) as opened:
        yield opened
