"""Read once: hash bytes and copy them, in pieces of a bounded size, with two cores where the file is large."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from otel_experiments.artifacts.protocol import Readable
from otel_experiments.errors import ArtifactSourceError
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.thread_signals import leave_signals_to_the_program

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

PIECE_BYTES: Final = 2 << 20
"""How much is read at once. 1 to 4 MiB were equally fast; smaller pieces pay for their calls."""
_FIRST_BYTES: Final = 64 << 10
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
    for buffer in _buffers():
        count = read(buffer)
        if not count:
            break
        state.update(buffer[:count])
        size += count
    return state.hexdigest(), size


def copy_hashed(read: Read, write: Write) -> tuple[str, int]:
    """Copy all that `read` gives to `write`; return its digits and size. What both raise passes."""
    state = hashlib.sha256(usedforsecurity=False)
    size, _ = _copy_alone(read, write, state)
    return state.hexdigest(), size


def copy_to(read: Read, descriptor: int) -> tuple[str, int]:
    """Copy all that `read` gives to a file; return its digits and size. What both raise passes.

    Hashing and writing let go of Python's lock, so that what is large is written by one thread while this one hashes.
    The same buffer is hashed and written, so that no other bytes can be kept than were hashed; `copy_file_range` would
    read the file a second time.
    """
    state = hashlib.sha256(usedforsecurity=False)
    size, is_whole = _copy_alone(read, writer_of(descriptor), state, until=_WORTH_A_THREAD)
    if is_whole:
        return state.hexdigest(), size
    writer = _Writer(descriptor)
    if not writer.start():
        more, _ = _copy_alone(read, writer_of(descriptor), state)
        return state.hexdigest(), size + more
    failed = True
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


def _copy_alone(read: Read, write: Write, state: Hash, *, until: int | None = None) -> tuple[int, bool]:
    """Copy up to the end, or until so many bytes are copied; return their number, and whether the end was reached."""
    size = 0
    for buffer in _buffers():
        count = read(buffer)
        if not count:
            break
        state.update(buffer[:count])
        write(buffer[:count])
        size += count
        if until is not None and size >= until:
            return size, False
    return size, True


def _buffers() -> Iterator[memoryview]:
    """Yield a small buffer, and then a large one without end: most files are small, and a buffer is filled with zeros."""
    yield memoryview(bytearray(_FIRST_BYTES))
    large = memoryview(bytearray(PIECE_BYTES))
    while True:
        yield large


class _Writer:
    """A thread that writes pieces in their order. A piece is free again when it is both written and hashed.

    It writes to a descriptor of its own, which it alone closes: when a signal handler raises in who waits for it, that
    one closes its descriptor, and the program may get the number for another file while a piece is still being written.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: BaseException | None = None
        self.free: SimpleQueue[memoryview] = SimpleQueue()
        self.full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._written: set[int] = set()
        self._lock = threading.Lock()
        self._is_abandoned = False
        for _ in range(_PIECES):
            self.free.put(memoryview(bytearray(PIECE_BYTES)))

    def start(self) -> bool:
        """Start the thread; False where the system gives none."""
        own = os.dup(self._descriptor)
        self._thread = threading.Thread(
            target=self._run, args=(own,), name="otel-experiments-artifact", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as error:
            os.close(own)
            pass_on(error)
            return False
        return True

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
        try:
            self._is_abandoned = is_abandoned
            self.full.put(None)
            self._thread.join()
        except BaseException:  # a signal handler raised: the thread ends by itself
            self._is_abandoned = True
            self.full.put(None)
            raise

    def _run(self, own: int) -> None:
        leave_signals_to_the_program()
        write = writer_of(own)
        try:
            while (piece := self.full.get()) is not None:
                buffer, count = piece
                if self.error is None and not self._is_abandoned:
                    try:
                        write(buffer[:count])
                    except BaseException as error:  # noqa: BLE001 - raised again by the thread that hashes
                        self.error = error
                self.give_back(buffer)
        finally:
            os.close(own)


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
