"""One journal segment as whoever moves it into a store sees it: a file, an offset, a decoder.

It writes nothing but the mark of damage. What the file holds behind the offset is handed out in portions, so that memory
stays bounded whatever the backlog.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from otel_experiments.errors import JournalError
from otel_experiments.journal.decode import SegmentDecoder
from otel_experiments.journal.format import (
    DAMAGED_MARK,
    DAMAGED_MARK_OFFSET,
    FRAME_HEADER_SIZE_BYTES,
    HEADER_SIZE_BYTES,
    SEALED_END,
    SEALED_END_OFFSET,
    SegmentHeader,
    unpack_header,
)
from otel_experiments.journal.scan import Scan, is_blank, scan
from otel_experiments.model.batch import WriteBatch
from otel_experiments.process.interruption import Swallowing

_WINDOW_BYTES: Final = 128 << 10
"""How much is looked at first: the live segment of a quiet process holds little behind its offset."""
_NOTHING: Final = bytes(FRAME_HEADER_SIZE_BYTES)
_TAIL_BYTES: Final = 64


class SegmentFile:
    """A segment that is being read.

    Attributes:
        offset: up to where the store holds it.
        is_damaged: something in it could not be read; the file is worth keeping.
    """

    def __init__(self, path: Path, stored_bytes: Callable[[str], int]) -> None:
        """Open the file at `path`; `stored_bytes` tells how much of a segment the store holds.

        Raises:
            OSError: the file cannot be read, or is gone.
            JournalError: it is no segment, or of a newer release, or the store cannot hold so much of it.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            raw = os.pread(self._descriptor, HEADER_SIZE_BYTES, 0)
            self.header: SegmentHeader = unpack_header(raw, path=str(path))
            self.size = os.fstat(self._descriptor).st_size
            stored = stored_bytes(self.header.segment_id)
            if stored > max(self.size, self.header.size_bytes):
                raise JournalError(  # noqa: TRY301 - the file is closed below
                    f"The store says that it holds {stored} bytes of the journal {path.name}, which has {self.size}.\n"
                    "  The journal stays as it is: look at the store, or tell its author."
                )
            self.offset = max(stored, HEADER_SIZE_BYTES)
            self.is_damaged = raw[DAMAGED_MARK_OFFSET:].startswith(DAMAGED_MARK)
            self.decoder = SegmentDecoder()
            if self.offset > HEADER_SIZE_BYTES:
                self._learn_declarations()
        except BaseException:
            os.close(self._descriptor)
            raise

    def mark_damaged(self) -> None:
        """Let every process know that something in the segment could not be read: the file is not to be deleted.

        Where this user may not write the file, only this object knows it.
        """
        if self.is_damaged:
            return
        self.is_damaged = True
        with Swallowing(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, DAMAGED_MARK, DAMAGED_MARK_OFFSET)
            finally:
                os.close(descriptor)

    @property
    def missing_bytes(self) -> int:
        """How many bytes of the file's end are gone."""
        return max(0, self.header.size_bytes - self.size)

    @property
    def stored_offset(self) -> int:
        """The offset as the store keeps it: 0 before anything is stored."""
        return 0 if self.offset == HEADER_SIZE_BYTES else self.offset

    def read(self, room_bytes: int, *, is_final: bool) -> Scan | None:
        """Return about `room_bytes` of frames from the offset on; None when there is nothing new.

        Raises:
            OSError: the disk does not give the bytes back.
        """
        rest = self.size - self.offset
        if rest <= 0:
            return None
        length = min(rest, max(room_bytes, _WINDOW_BYTES))
        raw = os.pread(self._descriptor, min(length, _WINDOW_BYTES), self.offset)
        if not is_final and raw[:FRAME_HEADER_SIZE_BYTES] == _NOTHING:
            return None
        if len(raw) < length and not is_blank(raw[-_TAIL_BYTES:]):
            raw += os.pread(self._descriptor, length - len(raw), self.offset + len(raw))
        found = self._scan(raw, room_bytes, is_final=is_final and len(raw) == rest)
        if not found.payloads and not found.damages and len(raw) < rest:
            # One frame that is larger than what was read, damage, or a hole: all need the whole rest.
            raw = os.pread(self._descriptor, rest, self.offset)
            found = self._scan(raw, room_bytes, is_final=is_final)
        if len(raw) < rest and (
            is_final or found.end_offset + FRAME_HEADER_SIZE_BYTES > self.offset + len(raw)
        ):
            found.is_exhausted = False  # what was read ends between two frames, or before a hole
        return found

    def is_stuck(self) -> bool:
        """Tell whether frames lie behind one that is not finished."""
        rest = self.size - self.offset
        if rest <= 0:
            return False
        raw = os.pread(self._descriptor, min(rest, _WINDOW_BYTES), self.offset)
        return not self._scan(raw, 1, is_final=False).payloads and not is_blank(raw)

    def is_done(self, *, is_final: bool) -> bool:
        """Tell whether all frames it will ever hold are before the offset."""
        if not is_final:
            raw = os.pread(self._descriptor, SEALED_END.size, SEALED_END_OFFSET)
            end = int.from_bytes(raw, "little")  # SEALED_END; 0 in a file that lost its end
            if not HEADER_SIZE_BYTES <= end <= self.offset:
                return False
        rest = self.size - self.offset
        return rest <= 0 or is_blank(os.pread(self._descriptor, rest, self.offset))

    def idle_s(self) -> float:
        """Return for how many seconds nothing was written, as far as the file system tells."""
        return time.time() - os.fstat(self._descriptor).st_mtime

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _scan(self, raw: bytes, room_bytes: int, *, is_final: bool) -> Scan:
        return scan(raw, self.offset, is_final=is_final, limit_bytes=room_bytes, base_offset=self.offset)

    def _learn_declarations(self) -> None:
        before = os.pread(self._descriptor, self.offset - HEADER_SIZE_BYTES, HEADER_SIZE_BYTES)
        known = scan(before, HEADER_SIZE_BYTES, is_final=True, base_offset=HEADER_SIZE_BYTES)
        self.decoder.feed(known.payloads, WriteBatch(), is_stored=True)
