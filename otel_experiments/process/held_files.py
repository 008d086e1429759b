"""Files that a database of this process is in: whoever else closes a descriptor of one takes the database's locks away.

POSIX gives all locks that a process has on a file back when the process closes any descriptor of it. SQLite knows that of its
own descriptors. After another one was closed, the next process that leaves the database takes itself for the last, and deletes
the log into which this process goes on writing: what it writes then is lost, or damages the file. So such a file is not opened
beside the database, and a descriptor that was opened nevertheless stays open as long as the database.
"""

from __future__ import annotations

import os
import weakref
from typing import Final

FileId = tuple[int, int]
"""The device and the inode of a file."""

_held: Final[dict[int, tuple[weakref.ref[object], FileId]]] = {}
"""By the id of its owner; single operations only, which no thread and no fork can cut in two."""
_kept_open: Final[dict[FileId, list[int]]] = {}


def hold(owner: object, file: FileId) -> None:
    """Note that an object has a database in this file, until `let_go`, or until the object is gone."""
    key = id(owner)
    _held[key] = (weakref.ref(owner, lambda _: _let_go(key)), file)


def let_go(owner: object) -> None:
    """Note that an object has closed its database."""
    _let_go(id(owner))


def is_held(file: FileId, *, besides: object = None) -> bool:
    """Tell whether a database of this process is in the file; `besides`: an object that does not count."""
    return any(found == file and ref() is not besides for ref, found in tuple(_held.values()))


def close(descriptor: int, facts: os.stat_result) -> None:
    """Close a descriptor of a file, or have it stay open as long as a database is in the file."""
    file = facts.st_dev, facts.st_ino
    if is_held(file):
        _kept_open.setdefault(file, []).append(descriptor)
    else:
        os.close(descriptor)


def _let_go(key: int) -> None:
    found = _held.pop(key, None)
    if found is not None and not is_held(found[1]):
        for descriptor in _kept_open.pop(found[1], ()):
            os.close(descriptor)
