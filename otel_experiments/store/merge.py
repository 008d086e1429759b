"""Moving journals into a store, exactly once.

A batch covers journal bytes, and the bytes it covers are part of its transaction: whoever dies when, a point
is stored once. A segment is deleted only after it is stored to its end; the store keeps its offset, so that a
merger that still holds the deleted file open cannot apply it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from otel_experiments.errors import JournalError, JournalMovedError, StoreError
from otel_experiments.journal.decode import SegmentDecoder
from otel_experiments.journal.format import (
    FRAME_HEADER_SIZE_BYTES,
    HEADER_SIZE_BYTES,
    SegmentHeader,
    unpack_header,
)
from otel_experiments.journal.owner import current_owner, is_alive
from otel_experiments.journal.scan import Scan, scan
from otel_experiments.journal.segment import SEGMENT_SUFFIX
from otel_experiments.model.batch import JournalAdvance, WriteBatch
from otel_experiments.model.run import Owner
from otel_experiments.store._location import open_store

BATCH_BYTES: Final = 4 << 20
"""How much journal goes into one transaction: bounds the memory of a merge, whatever the backlog."""

_WINDOW_BYTES: Final = 128 << 10
"""How much is looked at first: the live segment of a quiet process holds little behind its offset."""

FOREIGN_IDLE_S: Final = 120.0
"""A segment of another machine is merged by a reader when it was not written for that long."""

SETTLE_S: Final = 2.0
"""How long a full segment of a living process is kept after it is stored, for a thread caught mid-frame."""

MergeScope = Literal["own", "all"]


class BatchSink(Protocol):
    """What a merge needs of a store."""

    def apply(self, batch: WriteBatch) -> None:
        """Write the batch, offsets included, or nothing."""
        ...

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are stored."""
        ...


def journal_directory(store_path: Path) -> Path:
    """Return where the journals of a store file lie."""
    return store_path.with_name(store_path.name + ".journals")


@dataclass(slots=True)
class MergeReport:
    """What one merge did, and what it found that could not be read."""

    stored_bytes: int = 0
    pending_bytes: int = 0
    damages: list[str] = field(default_factory=list)


class _OpenSegment:
    __slots__ = ("decoder", "descriptor", "drained_at", "header", "offset", "path", "size")

    def __init__(self, path: Path, header: SegmentHeader, descriptor: int, stored: int) -> None:
        self.path = path
        self.header = header
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.decoder = SegmentDecoder()
        self.offset = max(stored, HEADER_SIZE_BYTES)
        self.drained_at: float | None = None
        if self.offset > HEADER_SIZE_BYTES:
            before = os.pread(descriptor, self.offset - HEADER_SIZE_BYTES, HEADER_SIZE_BYTES)
            known = scan(before, HEADER_SIZE_BYTES, is_final=True, base_offset=HEADER_SIZE_BYTES)
            self.decoder.feed(known.payloads, WriteBatch(), is_stored=True)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class JournalMerger:
    """Moves the segments of one directory into one store.

    `scope="own"`: the segments that this process is to drain (its own and its forked children's) and those
    whose drainer is gone. `scope="all"`: besides, whatever other processes of this machine have written so
    far, which is safe at any time because the offsets are part of the transaction.
    """

    def __init__(
        self, sink: BatchSink, directory: Path, *, on_batch: Callable[[WriteBatch], None] | None = None
    ) -> None:
        self._sink = sink
        self._directory = directory
        self._on_batch = on_batch
        self._me = current_owner()
        self.is_own_journal_closed = False
        self._open: dict[str, _OpenSegment] = {}
        self._reported: set[str] = set()

    def merge(self, *, scope: MergeScope = "own", deadline_s: float | None = None) -> MergeReport:
        """Store what the journals hold; stop early at `deadline_s` (of time.monotonic), losing nothing.

        Raises:
            StoreError: the store does not take it (locked, full disk); the journals keep everything.
        """
        report = MergeReport()
        while True:
            batch, advances, is_more = self._collect(scope, report)
            if advances:
                batch.journal = [advance for _, advance in advances]
                try:
                    self._sink.apply(batch)
                except JournalMovedError as moved:
                    self._reopen(moved.segment_id)
                    continue
                for segment, advance in advances:
                    segment.offset = advance.end_offset
                    report.stored_bytes += advance.end_offset - advance.start_offset
                if self._on_batch is not None:
                    self._on_batch(batch)
            if not is_more or (deadline_s is not None and time.monotonic() > deadline_s):
                break
        self._retire()
        return report

    def pending_bytes(self) -> int:
        """Return how many journal bytes (of open segments) are not stored; an upper bound, holes included."""
        return sum(
            max(0, _written_bytes(segment.descriptor, segment.size) - segment.offset)
            for segment in self._open.values()
        )

    def close(self) -> None:
        """Let go of the files; nothing is deleted."""
        for segment in self._open.values():
            segment.close()
        self._open.clear()

    def _collect(
        self, scope: MergeScope, report: MergeReport
    ) -> tuple[WriteBatch, list[tuple[_OpenSegment, JournalAdvance]], bool]:
        batch = WriteBatch()
        advances: list[tuple[_OpenSegment, JournalAdvance]] = []
        room = BATCH_BYTES
        is_more = False
        for segment in self._segments(scope, report):
            if room <= 0:
                is_more = True
                break
            found = self._read(segment, room)
            if found is None:
                continue
            problems = segment.decoder.feed(found.payloads, batch)
            damages = [f"{d.why}: {d.length} bytes at {d.offset}" for d in found.damages]
            report.damages += [f"{segment.path.name}: {text}" for text in damages + problems]
            if found.end_offset > segment.offset:
                advances.append(
                    (
                        segment,
                        JournalAdvance(segment.header.segment_id, self._stored(segment), found.end_offset),
                    )
                )
                room -= found.end_offset - segment.offset
                is_more = is_more or not found.is_exhausted
        return batch, advances, is_more

    @staticmethod
    def _stored(segment: _OpenSegment) -> int:
        return 0 if segment.offset == HEADER_SIZE_BYTES else segment.offset

    def _read(self, segment: _OpenSegment, room_bytes: int) -> Scan | None:
        """Return the next frames of a segment; None when there is nothing new."""
        offset, rest = segment.offset, segment.size - segment.offset
        is_final = self._is_final(segment)
        length = min(rest, max(room_bytes, _WINDOW_BYTES))
        window = min(length, _WINDOW_BYTES)
        raw = os.pread(segment.descriptor, window, offset)
        if not is_final and raw[:FRAME_HEADER_SIZE_BYTES] == bytes(FRAME_HEADER_SIZE_BYTES):
            return None
        if window < length and raw.count(0, -64) != 64:
            raw += os.pread(segment.descriptor, length - window, offset + window)
        found = scan(raw, offset, is_final=is_final and len(raw) == rest, base_offset=offset)
        if not found.payloads and not found.damages and len(raw) < rest:
            # One frame that is larger than what was read, or damage: both need the whole rest.
            raw = os.pread(segment.descriptor, rest, offset)
            found = scan(raw, offset, is_final=is_final, base_offset=offset)
        return found

    def _segments(self, scope: MergeScope, report: MergeReport) -> list[_OpenSegment]:
        try:
            names = sorted(p.name for p in self._directory.iterdir() if p.suffix == SEGMENT_SUFFIX)
        except FileNotFoundError:
            return []
        chosen = []
        for name in names:
            segment = self._open.get(name) or self._try_open(name, report)
            if segment is not None and (scope == "all" or self._is_ours(segment)):
                chosen.append(segment)
        return chosen

    def _try_open(self, name: str, report: MergeReport) -> _OpenSegment | None:
        path = self._directory / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            header = unpack_header(os.pread(descriptor, HEADER_SIZE_BYTES, 0), path=str(path))
            segment = _OpenSegment(path, header, descriptor, self._sink.journal_offset(header.segment_id))
        except JournalError as error:
            os.close(descriptor)
            if name not in self._reported and not _is_being_made(path):
                self._reported.add(name)
                report.damages.append(str(error))
            return None
        except BaseException:
            os.close(descriptor)
            raise
        self._open[name] = segment
        return segment

    def _is_ours(self, segment: _OpenSegment) -> bool:
        drainer = segment.header.drainer
        if (
            drainer.pid == self._me.pid
            and drainer.start_ticks == self._me.start_ticks
            and drainer.boot_id == self._me.boot_id
        ):
            return True
        alive = is_alive(drainer)
        return alive is False or (alive is None and _idle_s(segment) > FOREIGN_IDLE_S)

    def _is_final(self, segment: _OpenSegment) -> bool:
        owner: Owner = segment.header.owner
        if (
            owner.pid == self._me.pid
            and owner.start_ticks == self._me.start_ticks
            and owner.boot_id == self._me.boot_id
        ):
            return self.is_own_journal_closed
        alive = is_alive(owner)
        return alive is False or (alive is None and _idle_s(segment) > FOREIGN_IDLE_S)

    def _reopen(self, segment_id: str) -> None:
        """Start over with a segment that another process has drained further."""
        name = f"{segment_id}{SEGMENT_SUFFIX}"
        segment = self._open.pop(name, None)
        if segment is not None:
            segment.close()

    def _retire(self) -> None:
        """Delete the segments that are stored to their end and that nobody writes any more."""
        latest: dict[str, int] = {}
        for segment in self._open.values():
            header = segment.header
            latest[header.writer_id] = max(latest.get(header.writer_id, 0), header.number)
        for name, segment in list(self._open.items()):
            if not segment.path.exists():
                segment.close()
                del self._open[name]
                continue
            is_final = self._is_final(segment)
            if not is_final and segment.header.number == latest[segment.header.writer_id]:
                continue
            rest = os.pread(segment.descriptor, segment.size - segment.offset, segment.offset)
            if rest.count(0) != len(rest):
                segment.drained_at = None
                continue
            if not is_final:
                segment.drained_at = segment.drained_at or time.monotonic()
                if time.monotonic() - segment.drained_at < SETTLE_S:
                    continue
            segment.path.unlink(missing_ok=True)
            segment.close()
            del self._open[name]


def _written_bytes(descriptor: int, size: int) -> int:
    raw = os.pread(descriptor, size, 0)
    return len(raw.rstrip(b"\0"))


def _idle_s(segment: _OpenSegment) -> float:
    return time.time() - os.fstat(segment.descriptor).st_mtime


def _is_being_made(path: Path) -> bool:
    """Tell whether the file is so young that its writer may be about to write the header."""
    try:
        return time.time() - path.stat().st_mtime < 1.0
    except FileNotFoundError:
        return True


def merge_journals(location: str) -> list[str]:
    """Bring into the store at `location` what processes have recorded and not stored; return what is damaged.

    It takes the journals of processes that are gone, and what those that live have written so far. A store
    that cannot be written now (locked, read-only) is left as it is: the journals keep everything.
    """
    path = Path(location.removeprefix("sqlite://"))
    directory = journal_directory(path)
    try:
        has_segments = any(p.suffix == SEGMENT_SUFFIX for p in directory.iterdir())
    except OSError:
        return []
    if not has_segments:
        return []
    try:
        store = open_store(location, busy_timeout_s=2.0)
    except StoreError as error:
        return [f"The journals of {location!r} were not merged: {error}"]
    merger = JournalMerger(store, directory)
    try:
        return merger.merge(scope="all", deadline_s=time.monotonic() + 60.0).damages
    except (StoreError, OSError) as error:
        return [f"The journals of {location!r} were not merged: {error}"]
    finally:
        merger.close()
        store.close()
