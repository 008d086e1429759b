"""A folder for files that a process needs while it lives."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final

_PREFIX: Final = "otel-experiments-"


class TemporaryFolder:
    """A folder below the system's temporary one, removed with what is in it when nothing refers to this, or the process ends.

    A forked child uses the folder of its parent and never removes it.

    Raises:
        OSError: no folder can be made.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._remove = weakref.finalize(self, _remove, self.path, os.getpid())

    def remove(self) -> None:
        """Remove it now; safe to call twice."""
        self._remove()


def _remove(path: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)
