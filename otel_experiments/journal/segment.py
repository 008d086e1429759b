"""One memory-mapped, preallocated file that a process appends frames to.

Space is reserved by reading `tail` and storing it again with no call in between, and what is reserved is written
by the next thing that happens: CPython looks for other threads and signals only after calls and at backward
jumps, so nobody comes in between, no lock is needed, and neither Ctrl-C nor a fork leaves a gap (decision 0006; a
contract test disassembles both). On an interpreter without the GIL the reservation takes a lock.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from otel_experiments.journal.format import (
    FRAME_HEADER,
    FRAME_HEADER_SIZE_BYTES,
    HEADER_SIZE_BYTES,
    SEALED_END,
    SEALED_END_OFFSET,
    SegmentHeader,
    pack_header,
)
from otel_experiments.journal.names import SEGMENT_SUFFIX, UNFINISHED_SUFFIX
from otel_experiments.process.file_mode import PRIVATE, create_file
from otel_experiments.process.interruption import is_interruption

ALIGNMENT_BYTES: Final = 8
LAST_WORDS_BYTES: Final = 16 << 10
"""Room that a segment keeps for the end of a run, should the disk take no other segment by then."""
_LEAST_WRITTEN_BYTES: Final = 32 << 10
"""From this size on a system call costs less than the page faults of a store into the mapped file."""
_PAGE_BYTES: Final = mmap.PAGESIZE
_HAS_GIL: Final = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
_crc32 = zlib.crc32


def frame_size_bytes(payload_size_bytes: int) -> int:
    """Return how much room a payload of the given size takes, header and padding included."""
    return (payload_size_bytes + FRAME_HEADER_SIZE_BYTES + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES


class Segment:
    """A segment that this process writes.

    `tail` is the offset at which the next frame goes, `limit` where frames have to end: `LAST_WORDS_BYTES` before
    the end of the file, until `open_reserve`. `declared` holds what
    the segment has told its reader already (key sets, resources, scopes), so that each segment can be read
    without the others. The file is unmapped when nobody refers to the segment any more, so that a thread caught
    in the middle of a frame can always finish it.
    """

    __slots__ = ("_lock", "buffer", "declared", "header", "is_synced", "limit", "path", "tail")

    def __init__(
        self, path: Path | None, header: SegmentHeader | None, buffer: mmap.mmap | None, *, is_synced: bool
    ) -> None:
        self.path = path
        self.header = header
        self.buffer = buffer
        self.tail = HEADER_SIZE_BYTES
        self.limit = 0 if buffer is None else max(HEADER_SIZE_BYTES, len(buffer) - LAST_WORDS_BYTES)
        self.declared: set[object] = set()
        self.is_synced = is_synced
        self._lock = None if _HAS_GIL else threading.Lock()

    @classmethod
    def create(cls, directory: Path, header: SegmentHeader, file_mode: int = PRIVATE) -> Segment:
        """Make the file, with all its blocks allocated, so that a full disk shows here and not as SIGBUS.

        It gets its name when its header stands: nobody ever sees half a segment.

        Raises:
            OSError: the directory or the disk does not take the file.
        """
        path = directory / f"{header.segment_id}{SEGMENT_SUFFIX}"
        unfinished = path.with_suffix(UNFINISHED_SUFFIX)
        size_bytes = header.size_bytes
        try:
            descriptor = create_file(unfinished, file_mode)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, 0, size_bytes)
                else:
                    os.pwrite(descriptor, bytes(size_bytes), 0)
                buffer = mmap.mmap(descriptor, size_bytes)
                buffer[:HEADER_SIZE_BYTES] = pack_header(header)
                unfinished.rename(path)
            finally:
                os.close(descriptor)
            made = cls(path, header, buffer, is_synced=header.is_synced)
            if header.is_synced:
                made.sync(0, HEADER_SIZE_BYTES)
                _sync_directory(directory)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        return made

    @classmethod
    def exhausted(cls) -> Segment:
        """Return a segment without room, whose first append makes the writer look for a real one."""
        return cls(None, None, None, is_synced=False)

    def reserve(self, size_bytes: int) -> int:
        """Take `size_bytes` of room and return their offset, or -1 when there is not enough left."""
        if self._lock is not None:
            return self._reserve_locked(size_bytes)
        offset = self.tail
        end = offset + size_bytes
        if end > self.limit:
            return -1
        self.tail = end
        return offset

    def _reserve_locked(self, size_bytes: int) -> int:
        assert self._lock is not None
        with self._lock:
            offset = self.tail
            if offset + size_bytes > self.limit:
                return -1
            self.tail = offset + size_bytes
            return offset

    def append(self, payload: bytes) -> bool:
        """Write one frame; False when there is no room for it."""
        frame = FRAME_HEADER.pack(len(payload), _crc32(payload)) + payload
        size = len(frame)
        buffer = self.buffer
        offset = self.reserve((size + ALIGNMENT_BYTES - 1) & -ALIGNMENT_BYTES)
        if offset < 0:
            return False
        buffer[offset : offset + size] = frame  # type: ignore[index] # a segment with room has a buffer
        if self.is_synced:
            self.sync(offset, offset + size)
        return True

    def append_pieces(self, pieces: Sequence[bytes]) -> bool:
        """Write one frame whose payload comes in pieces; False when there is no room for it.

        It is for large payloads: the system call writes a page of a new file in a sixth of the time that a store into
        the mapped file takes. Only threads other than the main one may call it: a signal handler that raises
        between the reservation and the write would leave a gap.
        """
        size, checksum = 0, 0
        for piece in pieces:
            size, checksum = size + len(piece), _crc32(piece, checksum)
        if size < _LEAST_WRITTEN_BYTES:
            return self.append(b"".join(pieces))
        parts = (FRAME_HEADER.pack(size, checksum), *pieces)
        offset = self.reserve(frame_size_bytes(size))
        if offset < 0:
            return False
        if not self._write(offset, parts):
            frame = b"".join(parts)
            self.buffer[offset : offset + len(frame)] = frame  # type: ignore[index] # as in `append`
        if self.is_synced:
            self.sync(offset, offset + size + FRAME_HEADER_SIZE_BYTES)
        return True

    def _write(self, offset: int, parts: Sequence[bytes]) -> bool:
        """Write into the file; False when the system did not write all of it."""
        if self.path is None or not hasattr(os, "pwritev"):
            return False
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                return os.pwritev(descriptor, parts, offset) == sum(map(len, parts))
            finally:
                os.close(descriptor)
        except OSError as error:  # deleted, or no descriptor left: the mapped file is still there
            if is_interruption(error):
                raise
            return False

    def append_packed(self, frame: struct.Struct, payload: bytes) -> bool:
        """Write one frame with a struct made for its size (`u32 length, u32 crc, payload`): the fast path."""
        size, checksum, room = len(payload), _crc32(payload), frame.size
        if self._lock is not None:
            offset = self._reserve_locked(room)
            if offset < 0:
                return False
        else:  # what `reserve` does, without a call
            offset = self.tail
            end = offset + room
            if end > self.limit:
                return False
            self.tail = end
        frame.pack_into(self.buffer, offset, size, checksum, payload)  # type: ignore[arg-type] # as above
        if self.is_synced:
            self.sync(offset, offset + room)
        return True

    def sync(self, start: int, end: int) -> None:
        """Wait until the bytes are on the disk."""
        assert self.buffer is not None
        first = start & -_PAGE_BYTES
        self.buffer.flush(first, min(end, len(self.buffer)) - first)

    def open_reserve(self) -> bool:
        """Let frames go on to the end of the file; False when they may already."""
        if self.buffer is None or self.limit in {0, len(self.buffer)}:
            return False
        self.limit = len(self.buffer)
        return True

    def discard(self) -> None:
        """Remove the file of a segment that nothing was appended to."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def write_again(self, file_mode: int = PRIVATE) -> None:
        """Write the file again where it was, after it was deleted and sealed.

        Raises:
            OSError: the disk does not take it.
        """
        assert self.path is not None
        assert self.buffer is not None
        unfinished = self.path.with_suffix(UNFINISHED_SUFFIX)
        with os.fdopen(create_file(unfinished, file_mode), "wb") as file:
            file.write(self.buffer[:])
        unfinished.rename(self.path)

    def seal(self) -> None:
        """Take no more frames, and tell readers where the frames end: whoever holds them all may delete the file."""
        if self._lock is None:
            self.limit = 0
        else:
            with self._lock:
                self.limit = 0
        if self.buffer is not None:
            SEALED_END.pack_into(self.buffer, SEALED_END_OFFSET, self.tail)


def _sync_directory(directory: Path) -> None:
    """Wait until the names in the directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # a file system that cannot sync a directory keeps its names by other means
        if is_interruption(error):
            raise
    finally:
        os.close(descriptor)
