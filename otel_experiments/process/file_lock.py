"""Locks of files that end with their process: the kernel gives them back however it dies, and no forked child keeps them."""

from __future__ import annotations

import os
import sys
from typing import Final

from otel_experiments.process.fork import at_fork

if sys.platform != "win32":
    import fcntl

_held: Final[set[int]] = set()
"""Descriptors of locks that this process holds: a forked child closes its copies, which would hold the lock as well."""


def _close_in_child() -> None:
    for descriptor in list(_held):
        os.close(descriptor)
    _held.clear()


at_fork(after_in_child=_close_in_child)


def can_lock() -> bool:
    """Whether this system has locks that end with their process."""
    return sys.platform != "win32"


def try_lock(descriptor: int) -> bool:
    """Lock a file for as long as its descriptor is open; False where another process has locked it."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def hold(descriptor: int) -> None:
    """Have a forked child close its copy of a descriptor that holds a lock."""
    _held.add(descriptor)


def let_go(descriptor: int) -> None:
    """Close a descriptor of `hold`; nothing happens in a child, where it is closed."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def is_held(descriptor: int) -> bool:
    """Whether this process holds the descriptor, and not the one that it was forked from."""
    return descriptor in _held
