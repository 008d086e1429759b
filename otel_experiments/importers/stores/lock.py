"""One import of stores into a store at a time: two would each find that a point is missing, and both bring it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two imports at once are the user's to avoid
    fcntl = None  # type: ignore[assignment] # as above


@contextlib.contextmanager
def importing(store: Path | None) -> Iterator[None]:
    """Wait until no other import into the store goes on; None is a store without a file, which no other process has.

    The lock is a file beside the store that is gone afterwards. That of a process that was killed holds up nobody.
    """
    if store is None or fcntl is None:
        yield
        return
    path = store.with_name(f"{store.name}.importing")
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_at(path, descriptor):
                continue  # another import has ended and taken the file away
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
