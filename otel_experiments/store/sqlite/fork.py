"""SQLite across forks.

SQLite keeps its locks by process and its idea of them by file, in memory that a forked child inherits: a child
that opens a file while an inherited connection to it is still there believes to hold locks that it does not
hold. So a fork waits until no connection is in use (as the logging module waits for its handlers). A child that
never touches a store leaves what it inherited alone, and it must not be finalised either, for that would close
it. A child that does open a store first closes all that it inherited: they were at rest, and the parent's locks
keep that close from touching the files.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from typing import Final, Protocol

from otel_experiments.errors import StoreForkedError
from otel_experiments.process.fork import at_fork

_PATIENCE_S: Final = 0.1
"""How long a fork waits for a transaction to end. Only a child that opens the store needs it, which few do."""


class Forkable(Protocol):
    """What has connections that a child would inherit."""

    @property
    def location(self) -> str:
        """The file."""
        ...

    def hold_still(self, timeout_s: float) -> bool:
        """Take the locks once nobody uses a connection; False when that takes longer."""
        ...

    def go_on(self) -> None:
        """Let go of what `hold_still` took."""
        ...

    def start_anew(self) -> list[sqlite3.Connection]:
        """Forget, and return, the connections to files."""
        ...


class _Process:
    """What this process must know about forks. One object a process, because forks are the process's."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_hooked = False
        self.forkables: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self.holding: list[Forkable] = []
        self.inherited: list[sqlite3.Connection] = []
        self.unsafe: set[str] = set()
        """Files that were in use in the parent when it forked."""

    def before(self) -> None:
        import ctypes  # noqa: F401, PLC0415 - which a child would import else, and it is to import nothing

        self.lock.acquire()
        self.holding = [one for one in list(self.forkables) if one.hold_still(_PATIENCE_S)]

    def after_in_parent(self) -> None:
        for one in self.holding:
            one.go_on()
        self.holding = []
        self.lock.release()

    def after_in_child(self) -> None:
        self.lock = threading.RLock()
        held = {id(one) for one in self.holding}
        self.holding = []
        for one in list(self.forkables):
            inherited = one.start_anew()
            for connection in inherited:
                _make_immortal(connection)
            if id(one) in held:
                self.inherited.extend(inherited)
            else:
                self.unsafe.add(one.location)


def _make_immortal(connection: sqlite3.Connection) -> None:
    """Count one reference more than there are: it is never finalised, not even when the child exits."""
    import ctypes  # noqa: PLC0415 - only children need it, and importing it takes milliseconds

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


_process: Final = _Process()


def survive_forks(forkable: Forkable) -> None:
    """Make forks of this process safe for the connections of `forkable`, as long as it lives."""
    with _process.lock:
        _process.forkables.add(forkable)
        if not _process.is_hooked:
            at_fork(
                before=_process.before,
                after_in_parent=_process.after_in_parent,
                after_in_child=_process.after_in_child,
            )
            _process.is_hooked = True


def close_inherited(location: str) -> None:
    """Close what this process inherited from its parent, before it opens a file of its own.

    Raises:
        StoreForkedError: the file was in use in the parent at the moment of the fork.
    """
    if not _process.inherited and not _process.unsafe:
        return
    with _process.lock:
        while _process.inherited:
            _process.inherited.pop().close()
        if location in _process.unsafe:
            raise StoreForkedError(path=location)
