"""What every store does, on this one."""

import pytest
from folder_store import FolderStore

from otel_experiments.testing import StoreContract


class TestFolderStore(StoreContract):
    """The whole contract; nothing is to be written but the fixture."""

    @pytest.fixture
    def store(self, tmp_path):
        """An empty store."""
        with FolderStore(tmp_path / "runs") as opened:
            yield opened
