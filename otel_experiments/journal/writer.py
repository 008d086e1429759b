"""The journal of one process: a row of segments, of which the last takes the appends.

The common path makes no system call and holds no lock. A forked child starts a journal of its own at its
first append; it inherits no thread, no lock and no segment. A disk that takes no more files loses what is
appended meanwhile, counted, and is asked again at most ten times a second. Where a large segment is refused (disk,
quota, `ulimit`), smaller ones are tried, and descriptors are kept for the time when the program has used up all others.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from otel_experiments.journal.format import HEADER_SIZE_BYTES, SegmentHeader
from otel_experiments.journal.limits import DescriptorReserve, lacks_descriptors, reason_of, sizes_to_try
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.segment import LAST_WORDS_BYTES, Segment, frame_size_bytes
from otel_experiments.model.run import Owner
from otel_experiments.process.file_mode import PRIVATE, make_directory
from otel_experiments.process.fork import ResetInChild
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_there

Durability = Literal["process", "fsync"]
"""`process` survives the death of the process (SIGKILL included), `fsync` the loss of power."""

FIRST_SEGMENT_BYTES: Final = 256 << 10
LARGEST_SEGMENT_BYTES: Final = 16 << 20
_RETRY_NS: Final = 100_000_000
_CAUTIOUS_SEGMENTS: Final = 16
"""After a refusal, so many segments are made of the size that was not refused before a larger one is asked for."""

Declaration = tuple[object, Callable[[], bytes]]
"""What a frame refers to: a key, unique in the writer, and the frame that declares it."""


class JournalWriter:
    """Appends frames to this process's journal.

    Attributes:
        segment: where the next frame goes; hot paths use it directly and come back when it is full.
        lost_count: frames that no disk would take.
        refusal: why there is no room now; None when there is.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durability: Durability = "process",
        file_mode: int = PRIVATE,
        drainer: Owner | None = None,
        on_roll: Callable[[], object] | None = None,
        on_loss: Callable[[OSError], None] | None = None,
    ) -> None:
        self.directory = directory
        self.durability = durability
        self._file_mode = file_mode
        self.segment = Segment.exhausted()
        self.lost_count = 0
        self._on_roll = on_roll
        self._on_loss = on_loss
        self._lock = threading.RLock()
        self._owner = current_owner()
        self._drainer = drainer or self._owner
        self._writer_id = secrets.token_hex(16)
        self._number = 0
        self._size_bytes = FIRST_SEGMENT_BYTES
        self._cautious_count = 0
        self._reserve = DescriptorReserve()
        self.refusal: OSError | None = None
        self._retry_after_ns = 0
        self._retired: list[Segment] = []
        self._is_closed = False
        self._ending: set[object] = set()
        _writers.add(self)

    @property
    def owner(self) -> Owner:
        """The process that writes: this one."""
        return self._owner

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more frames, because the process ends or was configured anew."""
        return self._is_closed

    @property
    def why_full(self) -> str:
        """Why nothing is taken now, and what to do, as one text."""
        return (
            str(reason_of(self.refusal)) if self.refusal is not None else "the disk is full. Free some space"
        )

    @property
    def writer_id(self) -> str:
        """The id that all segments of this process's journal share."""
        return self._writer_id

    def append(self, payload: bytes, declarations: Sequence[Declaration] = ()) -> bool:
        """Write one frame, after the declarations it needs; False when it was lost (and counted)."""
        while True:
            segment = self.segment
            for key, make_frame in declarations:
                if key not in segment.declared:
                    if not segment.append(make_frame()):
                        break
                    segment.declared.add(key)
            else:
                if segment.append(payload):
                    return True
            # The next segment is to hold all of them: it knows none of the declarations.
            needed = frame_size_bytes(len(payload))
            needed += sum(frame_size_bytes(len(make_frame())) for _, make_frame in declarations)
            if not self.roll(segment, needed) and not (self._ending and segment.open_reserve()):
                self.lost_count += 1
                return False

    def append_pieces(self, pieces: Sequence[bytes]) -> bool:
        """Write one frame whose payload comes in pieces, as `Segment.append_pieces`; False when it was lost (and counted)."""
        while True:
            segment = self.segment
            if segment.append_pieces(pieces):
                return True
            if not self.roll(segment, frame_size_bytes(sum(map(len, pieces)))):
                self.lost_count += 1
                return False

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """Let what is appended inside take the room that is kept for the end of runs, where there is no other."""
        me = object()
        try:
            self._ending.add(me)
            yield
        finally:
            self._ending.discard(me)

    def call_on_roll(self, function: Callable[[], object]) -> None:
        """Call the function, from now on and in this process, whenever a new segment takes the appends."""
        self._on_roll = function

    def roll(self, full: Segment, needed_bytes: int) -> bool:
        """Put a segment with room in the place of `full`; False when no disk takes one now."""
        with self._lock:
            if self._is_closed:
                return False
            if self.segment is not full:
                return True
            now_ns = time.monotonic_ns()
            if now_ns < self._retry_after_ns:
                return False
            try:
                fresh = self._create(needed_bytes)
            except OSError as error:
                if is_interruption(error):  # a TimeoutError of the program's is no full disk
                    raise
                self._retry_after_ns = now_ns + _RETRY_NS
                self.refusal = error
                if self._on_loss is not None:
                    self._on_loss(error)
                return False
            self.refusal = None
            if self.segment is full:
                self.segment = fresh
                self._retired.append(full)
            else:  # a signal handler came in between and rolled
                self._retired.append(fresh)
            self._seal_retired()
        if self._on_roll is not None:
            self._on_roll()
        return True

    def _create(self, needed_bytes: int) -> Segment:
        """Make the next segment, a small one where the system refuses a large one.

        Raises:
            OSError: not even the smallest one that would do is to be had.
        """
        least_bytes = HEADER_SIZE_BYTES + LAST_WORDS_BYTES + needed_bytes
        wanted_bytes = max(self._size_bytes, least_bytes)
        try:
            made = self._try_create(wanted_bytes)
        except OSError as error:
            if is_interruption(error):
                raise
            made = self._create_smaller(sizes_to_try(wanted_bytes, least_bytes, error), error)
        try:
            if made.header is not None and made.header.size_bytes < wanted_bytes:
                self._size_bytes, self._cautious_count = made.header.size_bytes, _CAUTIOUS_SEGMENTS
            elif self._cautious_count:
                self._cautious_count -= 1
            else:
                self._size_bytes = min(self._size_bytes * 4, LARGEST_SEGMENT_BYTES)
            self._reserve.fill()
        except BaseException:  # a signal handler's: nobody gets the segment
            made.discard()
            raise
        return made

    def _create_smaller(self, sizes_bytes: Sequence[int], refusal: OSError) -> Segment:
        for size_bytes in sizes_bytes:
            try:
                return self._try_create(size_bytes)
            except OSError as error:
                if is_interruption(error) or not sizes_to_try(size_bytes, 0, error):
                    raise
                refusal = error
        raise refusal

    def _try_create(self, size_bytes: int) -> Segment:
        """Make a segment of one size, if need be with the descriptors that are kept for it."""
        try:
            return self._make_file(size_bytes)
        except OSError as error:
            if is_interruption(error) or not (lacks_descriptors(error) and self._reserve.release()):
                raise
        return self._make_file(size_bytes)

    def _make_file(self, size_bytes: int) -> Segment:
        make_directory(self.directory, self._file_mode)
        try:
            return Segment.create(self.directory, self._next_header(size_bytes), self._file_mode)
        except MemoryError as error:
            if is_interruption(error):
                raise
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error

    def _next_header(self, size_bytes: int) -> SegmentHeader:
        number, self._number = self._number, self._number + 1
        return SegmentHeader(
            writer_id=self._writer_id,
            number=number,
            created_ns=time.time_ns(),
            owner=self._owner,
            drainer_pid=self._drainer.pid,
            drainer_start_ticks=self._drainer.start_ticks,
            size_bytes=size_bytes,
            is_synced=self.durability == "fsync",
        )

    def keep_place(self) -> bool:
        """See that the file that takes the appends is where readers look for it; False when it was not.

        Somebody has deleted it then, or the whole folder. It is written again, as far as it got, and a new segment
        takes the appends. What waited in earlier segments is gone with them.
        """
        segment = self.segment
        if segment.path is None or is_there(segment.path):
            return True
        with (
            self._lock
        ):  # under which alone a segment gives way to the next, and may be deleted by its reader
            if self._is_closed or self.segment is not segment or is_there(segment.path):
                return True
            if self.roll(segment, frame_size_bytes(0)):
                segment.write_again(self._file_mode)
        return False

    def sync(self) -> None:
        """Wait until everything appended so far is on the disk."""
        segment = self.segment
        if segment.buffer is not None:
            segment.sync(0, segment.tail)

    def close(self) -> None:
        """Take no more frames; safe to call twice. The files stay: they belong to whoever drains them."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._seal_retired()
            self.segment.seal()
            self._reserve.release()

    def _seal_retired(self) -> None:
        """Seal the segments that have given way to others; what a signal handler cuts short, the next call does."""
        while self._retired:
            segment = self._retired[-1]
            segment.seal()
            self._retired.remove(segment)

    def _restart_in_child(self) -> None:
        self._lock = threading.RLock()
        self._owner = current_owner()
        self._writer_id = secrets.token_hex(16)
        self._number = 0
        self._size_bytes = FIRST_SEGMENT_BYTES
        self._cautious_count = 0
        self.refusal = None
        self._retry_after_ns = 0
        self._retired = []
        self.lost_count = 0
        self._on_roll = None
        self.segment = Segment.exhausted()


class SilentJournal(JournalWriter):
    """A journal that keeps nothing and makes no file: recording is switched off."""

    def append(self, payload: bytes, declarations: Sequence[Declaration] = ()) -> bool:  # noqa: ARG002 - as above
        """Do nothing."""
        return True


_writers: Final = ResetInChild(JournalWriter._restart_in_child)  # noqa: SLF001 - the module's own class


def is_written_here(writer_id: str) -> bool:
    """Tell whether a writer of this process, of which there may be several, still takes frames for that journal."""
    return any(writer.writer_id == writer_id and not writer.is_closed for writer in _writers.alive())
