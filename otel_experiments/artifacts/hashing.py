"""Read once: hash bytes and copy them, in pieces of a bounded size, with two cores where the file is large."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from otel_experiments.artifacts.protocol import Readable
from otel_experiments.errors import ArtifactSourceError
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.thread_signals import leave_signals_to_the_program

PIECE_BYTES: Final = 2 << 20
"""How much is read at once. 1 to 4 MiB were equally fast; smaller pieces pay for their calls."""
_PIECES: Final = 4
_WORTH_A_THREAD: Final = 4 * PIECE_BYTES
FICLONE: Final = 0x40049409
"""The request of `ioctl` by which a Linux filesystem shares the blocks of a file with another one."""

Read = Callable[[memoryview], int]
Write = Callable[[memoryview], object]


def hash_bytes(data: bytes | memoryview) -> str:
    """Return the 64 hex digits of the bytes' SHA-256."""
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()


def read_hashed(read: Read) -> tuple[str, int]:
    """Return the digits of all that `read` gives, and how many bytes it was."""
    state, size = hashlib.sha256(usedforsecurity=False), 0
    buffer = memoryview(bytearray(PIECE_BYTES))
    while count := read(buffer):
        state.update(buffer[:count])
        size += count
    return state.hexdigest(), size


def copy_hashed(read: Read, write: Write, *, expected_bytes: int | None = None) -> tuple[str, int]:
    """Copy all that `read` gives to `write`; return its digits and size. What both raise passes.

    Hashing and writing let go of Python's lock, so that a large file is written by one thread while this one hashes.
    The same buffer is hashed and written, so that no other bytes can be kept than were hashed; `copy_file_range` would
    read the file a second time.
    """
    if expected_bytes is not None and expected_bytes < _WORTH_A_THREAD:
        return _copy_alone(read, write)
    writer = _Writer(write)
    state, size, failed = hashlib.sha256(usedforsecurity=False), 0, True
    try:
        while writer.error is None:
            buffer = writer.free.get()
            count = read(buffer)
            if not count:
                break
            writer.full.put((buffer, count))
            state.update(buffer[:count])
            size += count
            writer.give_back(buffer)
        failed = False
    finally:
        writer.end(is_abandoned=failed)
    if writer.error is not None:
        raise writer.error
    return state.hexdigest(), size


def _copy_alone(read: Read, write: Write) -> tuple[str, int]:
    state, size = hashlib.sha256(usedforsecurity=False), 0
    buffer = memoryview(bytearray(PIECE_BYTES))
    while count := read(buffer):
        state.update(buffer[:count])
        write(buffer[:count])
        size += count
    return state.hexdigest(), size


class _Writer:
    """A thread that writes pieces in their order. A piece is free again when it is both written and hashed."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.error: BaseException | None = None
        self.free: SimpleQueue[memoryview] = SimpleQueue()
        self.full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._written: set[int] = set()
        self._lock = threading.Lock()
        self._is_abandoned = False
        for _ in range(_PIECES):
            self.free.put(memoryview(bytearray(PIECE_BYTES)))
        self._thread = threading.Thread(target=self._run, name="otel-experiments-artifact", daemon=True)
        self._thread.start()

    def give_back(self, buffer: memoryview) -> None:
        """Say that one of the two is done with a piece; the second one frees it."""
        with self._lock:
            if id(buffer) not in self._written:
                self._written.add(id(buffer))
                return
            self._written.discard(id(buffer))
        self.free.put(buffer)

    def end(self, *, is_abandoned: bool) -> None:
        """Wait until all is written; with `is_abandoned` only for what is being written now."""
        self._is_abandoned = is_abandoned
        self.full.put(None)
        self._thread.join()

    def _run(self) -> None:
        leave_signals_to_the_program()
        while (piece := self.full.get()) is not None:
            buffer, count = piece
            if self.error is None and not self._is_abandoned:
                try:
                    self._write(buffer[:count])
                except BaseException as error:  # noqa: BLE001 - raised again by the thread that hashes
                    self.error = error
            self.give_back(buffer)


def reader_of(descriptor: int) -> Read:
    """Return a function that reads a file's next bytes into a buffer."""

    def read(buffer: memoryview) -> int:
        return os.readv(descriptor, [buffer])

    return read


def reading_of(source: Readable) -> Read:
    """Return a function that reads the next bytes of whatever has `read`; what that raises passes."""

    def read(buffer: memoryview) -> int:
        got = source.read(len(buffer))
        if not isinstance(got, bytes | bytearray | memoryview):
            raise ArtifactSourceError(
                source=repr(source), why="it gives text", fix="Open it for bytes: open(path, 'rb')."
            )
        buffer[: len(got)] = got
        return len(got)

    return read


def writer_of(descriptor: int) -> Write:
    """Return a function that writes all of a buffer to a file."""

    def write(buffer: memoryview) -> None:
        while buffer:
            buffer = buffer[os.write(descriptor, buffer) :]

    return write


def share_blocks(source: int, target: int) -> bool:
    """Make the empty file `target` a copy of `source` that shares its blocks; False where the filesystem cannot."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return False
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        pass_on(error)
        return False
    return True
