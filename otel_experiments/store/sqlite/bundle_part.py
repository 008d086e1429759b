"""The file that a bundle is written to before it has its name: locked by its writer, so that the rest of a dead one is known.

The kernel gives the lock back when the process dies; the next bundle to the same place then removes the file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from otel_experiments.process.file_lock import can_lock, hold, let_go, try_lock
from otel_experiments.process.interruption import Swallowing

_SUFFIX: Final = ".part"
_OF_SQLITE: Final = ("-wal", "-shm", "-journal", "")
"""What lies beside a database is removed first: without the database nobody would find it."""


def make_part(path: Path) -> tuple[int, Path]:
    """Make the file for a bundle at `path`, removing those of dead writers; return what locks it, and the file.

    The descriptor stays open, and the file locked, until `end_part`.

    Raises:
        OSError: the folder takes no file.
    """
    _remove_dead(path)
    while True:
        lock, name = tempfile.mkstemp(prefix=_prefix(path), suffix=_SUFFIX, dir=path.parent)
        hold(lock)
        # Another writer that sees the file before it is locked takes it for that of a dead one.
        if not can_lock() or (try_lock(lock) and os.fstat(lock).st_nlink):
            return lock, Path(name)
        let_go(lock)


def end_part(lock: int, part: Path) -> None:
    """Remove the file where it has not got its name, and let go of it."""
    try:
        _remove(part)
    finally:
        let_go(lock)


def _remove_dead(path: Path) -> None:
    if not can_lock():
        return
    with Swallowing(
        OSError
    ):  # then they stay; whoever makes the bundle is told what keeps it from being written
        for part in path.parent.iterdir():
            if part.name.startswith(_prefix(path)) and part.name.endswith(_SUFFIX):
                _remove_if_dead(part)


def _remove_if_dead(part: Path) -> None:
    with Swallowing(OSError):
        lock = os.open(part, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if try_lock(lock):
                _remove(part)
        finally:
            os.close(lock)


def _remove(part: Path) -> None:
    for suffix in _OF_SQLITE:
        part.with_name(part.name + suffix).unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{path.name}."
