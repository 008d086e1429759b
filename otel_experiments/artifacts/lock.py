"""The lock of a folder of artifacts: shared by who puts bytes and names them, exclusive for who removes unused bytes.

Between the moment when bytes are there and the one when their name is written down, a sweep would take them for unused.
The kernel gives a lock back when its process dies. A second lock, the gate, is passed by everybody and kept by a sweep
that waits, so that writers which overlap without end cannot keep it out.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from otel_experiments.errors import ArtifactsLockedError
from otel_experiments.process.file_lock import hold, is_held, let_go
from otel_experiments.process.file_mode import create_file

if sys.platform != "win32":
    import fcntl

    _SHARED_NOW: Final = fcntl.LOCK_SH | fcntl.LOCK_NB

LOCK_NAME: Final = "lock"
GATE_NAME: Final = "gate"
WRITER_PATIENCE_S: Final = 30.0
SWEEP_PATIENCE_S: Final = 10.0
_POLL_S: Final = 0.005
_GATE_S: Final = 0.02
"""How long a process that has passed the gate need not do so again: a sweep that waits is let in after this time at most."""
Pair = tuple[int, int]
"""The descriptors of a gate and of a lock."""


class Shared:
    """The lock of a folder, held together with other writers for the length of a block, so that nothing is swept.

    The descriptors are kept for the next block: opening two files for each small artifact took a tenth of its time.
    """

    def __init__(self, folder: Path, file_mode: int) -> None:
        """Refer to the lock of a folder, which must be there when a block is entered."""
        self._folder, self._file_mode = folder, file_mode
        self._idle: list[Pair] = []
        self._is_closed = False
        self._pid = os.getpid()
        self._passed_s = -math.inf

    def take(self, taken: list[Pair], *, patience_s: float = WRITER_PATIENCE_S) -> None:
        """Take the lock.

        Args:
            taken: gets what is locked, before it is: a signal handler may raise at any line, and `give_back` then
                finds it there.
            patience_s: how long a sweep is waited for.

        Raises:
            ArtifactsLockedError: a sweep does not end.
            OSError: the folder cannot be written.
        """
        if sys.platform == "win32":
            return
        gate, lock = pair = self._pair()
        taken.append(pair)
        now_s = time.monotonic()
        try:
            if now_s - self._passed_s > _GATE_S or not _share_now(lock):
                until, holder = now_s + patience_s, "a process that removes unused ones"
                _take(gate, fcntl.LOCK_SH, until, self._folder, patience_s, holder)
                _take(lock, fcntl.LOCK_SH, until, self._folder, patience_s, holder)
                fcntl.flock(gate, fcntl.LOCK_UN)
                self._passed_s = now_s
        except BaseException:
            taken.clear()
            _drop(pair)
            raise

    def give_back(self, taken: list[Pair]) -> None:
        """Let go of what was taken; nothing happens in a child that was forked inside the block.

        It may be called again when a signal handler cut it off: what is idle again is never unlocked a second time.
        """
        if sys.platform == "win32" or self._pid != os.getpid():
            taken.clear()
            return
        for pair in taken:
            fcntl.flock(pair[1], fcntl.LOCK_UN)
        while taken:
            self._idle.append(taken.pop())
        if self._is_closed:  # meanwhile, by another thread
            self.close()

    def close(self) -> None:
        """Close the descriptors that are kept; those of a block are closed when it is left."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for pair in idle:
            _drop(pair)

    def _pair(self) -> Pair:
        if self._pid != os.getpid():  # a forked child has closed its copies
            self._idle, self._pid = [], os.getpid()
        while True:
            try:
                pair = self._idle.pop()
            except IndexError:
                break
            if os.fstat(pair[1]).st_nlink:
                return pair
            _drop(pair)  # the folder was removed, and its locks exclude nobody any more
        gate = _open(self._folder / GATE_NAME, self._file_mode)
        hold(gate)
        try:
            lock = _open(self._folder / LOCK_NAME, self._file_mode)
        except BaseException:
            let_go(gate)
            raise
        hold(lock)
        return gate, lock


def _drop(pair: Pair) -> None:
    for descriptor in pair:
        let_go(descriptor)


@contextmanager
def exclusive(folder: Path, file_mode: int, *, patience_s: float = SWEEP_PATIENCE_S) -> Iterator[None]:
    """Hold the lock alone; raises as `Shared.take`."""
    if sys.platform == "win32":
        raise OSError("this system has no locks that end with their process")
    until = time.monotonic() + patience_s
    with _opened(folder / GATE_NAME, file_mode) as gate, _opened(folder / LOCK_NAME, file_mode) as lock:
        _take(gate, fcntl.LOCK_EX, until, folder, patience_s, "another process that removes unused ones")
        _take(lock, fcntl.LOCK_EX, until, folder, patience_s, "a process that logs one")
        try:
            yield
        finally:
            _release(lock)
            _release(gate)


@contextmanager
def _opened(path: Path, file_mode: int) -> Iterator[int]:
    descriptor = _open(path, file_mode)
    hold(descriptor)
    try:
        yield descriptor
    finally:
        let_go(descriptor)


def _open(path: Path, file_mode: int) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        try:
            return create_file(path, file_mode)
        except FileExistsError:  # made by another process just now
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _share_now(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, _SHARED_NOW)
    except BlockingIOError:
        return False
    return True


def _take(descriptor: int, kind: int, until: float, folder: Path, patience_s: float, holder: str) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise ArtifactsLockedError(place=str(folder), waited_s=patience_s, holder=holder) from None
            time.sleep(_POLL_S)
        else:
            return


def _release(descriptor: int) -> None:
    if is_held(descriptor):  # not in a child that was forked inside the block
        fcntl.flock(descriptor, fcntl.LOCK_UN)
