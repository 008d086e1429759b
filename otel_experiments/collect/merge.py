"""Moving journals into a store, exactly once.

A batch covers journal bytes, and the bytes it covers are part of its transaction: whoever dies when, a point
is stored once. A segment is deleted only after it is stored to its end; the store keeps its offset, so that a
merger that still holds the deleted file open cannot apply it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from otel_experiments.collect.hand_over import HandOver
from otel_experiments.collect.segment_file import SegmentFile
from otel_experiments.collect.segment_order import SegmentOrder
from otel_experiments.errors import JournalError, JournalMovedError, StoreError
from otel_experiments.journal.limits import lacks_descriptors
from otel_experiments.journal.names import DAMAGED_SUFFIX, SEGMENT_SUFFIX, UNFINISHED_SUFFIX
from otel_experiments.journal.owner import current_owner, is_alive
from otel_experiments.journal.writer import is_written_here
from otel_experiments.model.batch import JournalAdvance, Unpack, WriteBatch
from otel_experiments.model.run import Owner
from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.process.paths import is_there

BATCH_BYTES: Final = 4 << 20
"""How much journal goes into one transaction: bounds the memory of a merge, whatever the backlog."""

FOREIGN_IDLE_S: Final = 120.0
"""A segment of another machine is merged by a reader when it was not written for that long."""

_UNFINISHED_AGE_S: Final = 3600.0
_SHRINK: Final = 16
_LEAST_BYTES: Final = 64 << 10
"""With so little memory left that no more can be read at once, it is tried again later."""

MergeScope = Literal["own", "all"]


def refuse_received(batch: WriteBatch) -> list[str]:
    """Refuse requests that a receiver of OTLP has journalled: this layer cannot read them.

    Raises:
        JournalError: there are such requests.
    """
    raise JournalError(
        f"A journal holds {len(batch.received)} requests that came over OTLP, and this merge was given nothing to read "
        "them with.\n  Pass unpack=otel_experiments.importers.otlp.unpack; the journal keeps them."
    )


class BatchSink(Protocol):
    """What a merge needs of a store."""

    def apply(self, batch: WriteBatch) -> None:
        """Write the batch, offsets included, or nothing."""
        ...

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are stored."""
        ...


@dataclass(slots=True)
class MergeReport:
    """What one merge did, and what it found that could not be read.

    `is_complete`: everything that was written before the merge, by whoever it covers, is in the store; no
    thread was caught in the middle of a frame, which what follows it has to wait for. `is_cut`: the time was up
    before everything was read.
    """

    stored_bytes: int = 0
    is_complete: bool = True
    is_cut: bool = False
    damages: list[str] = field(default_factory=list)


class JournalMerger:
    """Moves the segments of one directory into one store.

    `scope="own"`: the segments that this process is to drain (its own and its forked children's) and those
    whose drainer is gone. `scope="all"`: besides, whatever other processes of this machine have written so
    far, which is safe at any time because the offsets are part of the transaction.

    `keeps_segments`: on a network filesystem journals stay: none is deleted, and those of others are not drained.

    `unpack`: what reads the requests that a receiver of OTLP has journalled.
    """

    def __init__(
        self,
        sink: BatchSink,
        directory: Path,
        *,
        on_batch: Callable[[WriteBatch], None] | None = None,
        on_taken_over: Callable[[WriteBatch], None] | None = None,
        keeps_segments: bool = False,
        unpack: Unpack = refuse_received,
    ) -> None:
        self._keeps_segments = keeps_segments
        self._unpack = unpack
        self._sink = sink
        self._directory = directory
        self._me = current_owner()
        self.is_own_journal_closed = False
        self.has_met_own_journal = False
        self._open: dict[str, SegmentFile] = {}
        self._foreign: dict[str, Owner] = {}
        self._reported: set[str] = set()
        self._order = SegmentOrder(directory)
        self._alive: dict[Owner, bool | None] = {}
        self._caught_up, self._damaged = set[str](), set[str]()
        self._hand_over = HandOver(on_batch, sink.journal_offset, on_taken_over)
        self._is_torn = False  # cut off in the middle of reading: a decoder may hold half of a batch

    def merge(self, *, scope: MergeScope = "own", deadline_s: float | None = None) -> MergeReport:
        """Store what the journals hold; stop early at `deadline_s` (of time.monotonic), losing nothing.

        It ends with what was written before it began, however fast others write on.

        Raises:
            StoreError: the store does not take it (locked, full disk); the journals keep everything.
        """
        report = MergeReport()
        room_bytes = BATCH_BYTES
        behind: set[str] | None = None
        self._caught_up.clear()
        self._hand_over.hand_on_late()
        while True:
            self._alive.clear()
            try:
                if self._is_torn:
                    self.close()  # what is read next begins where the store ends
                self._is_torn = True
                batch, advances, is_more = self._collect(scope, report, room_bytes)
                self._is_torn = False
            except MemoryError as error:
                if is_interruption(error) or room_bytes <= _LEAST_BYTES:
                    raise
                room_bytes = max(room_bytes // _SHRINK, _LEAST_BYTES)
                continue
            if advances:
                room_bytes = self._apply(batch, advances, report, room_bytes)
                is_more |= room_bytes < BATCH_BYTES
            self._retire()
            if is_more:
                here = self._names()
                behind = (here if behind is None else behind & here) - self._caught_up
            if not is_more or not behind:
                report.is_complete = not any(s.is_stuck() for s in self._open.values())
                break
            if deadline_s is not None and time.monotonic() > deadline_s:
                report.is_complete, report.is_cut = False, True
                break
        return report

    def close(self) -> None:
        """Let go of the files; nothing is deleted."""
        for name in list(self._open):
            self._let_go(name)

    def _collect(  # noqa: C901 - one check, and one reason, after the other
        self, scope: MergeScope, report: MergeReport, room_bytes: int
    ) -> tuple[WriteBatch, list[tuple[SegmentFile, JournalAdvance]], bool]:
        """Read the next batch, its advances, and whether there is more than fits into it."""
        batch = WriteBatch()
        advances: list[tuple[SegmentFile, JournalAdvance]] = []
        room = room_bytes
        is_more = False
        for segment in self._segments(scope, report):
            if room <= 0:
                is_more = True
                break
            try:
                found = segment.read(room, is_final=self._is_final(segment))
            except OSError as error:
                if is_interruption(error):
                    raise
                self._report_once(segment.path.name, report, f"cannot be read: {error}")
                continue
            if found is None:
                self._caught_up.add(segment.path.name)
                if scope == "all" and not self._is_ours(segment):
                    self._let_go(segment.path.name)
                continue
            problems = segment.decoder.feed(found.payloads, batch)
            if batch.received:
                problems += self._unpack(batch)
            damages = [f"{d.why}: {d.length} bytes at {d.offset}" for d in found.damages]
            if problems or not all(damage.is_hole for damage in found.damages):
                segment.mark_damaged()
            for text in damages + problems:
                self._report_once(segment.path.name, report, text)
            if found.end_offset > segment.offset:
                advance = JournalAdvance(segment.header.segment_id, segment.stored_offset, found.end_offset)
                advances.append((segment, advance))
                room -= found.end_offset - segment.offset
                if (
                    not found.is_exhausted
                ):  # its rest comes before what the same process wrote to its next segment
                    is_more = True
                    break
            self._caught_up.add(segment.path.name)
        batch.journal = [advance for _, advance in advances]
        return batch, advances, is_more

    def _apply(
        self,
        batch: WriteBatch,
        advances: list[tuple[SegmentFile, JournalAdvance]],
        report: MergeReport,
        room_bytes: int,
    ) -> int:
        """Store a batch that was read with `room_bytes`; return how much the next one is to hold.

        `BATCH_BYTES` unless there is a record about that the store cannot take: it is closed in on.
        """
        self._hand_over.expect(batch, [advance for _, advance in advances])
        try:
            self._sink.apply(batch)
        except JournalMovedError as moved:
            self._hand_over.give_up()
            self._caught_up.clear()
            self._let_go(f"{moved.segment_id}{SEGMENT_SUFFIX}")
            return BATCH_BYTES - 1  # less than all: look again, from where the other process stopped
        except Exception as error:
            if is_interruption(error):
                raise
            self._hand_over.forget()
            if not _is_about_content(error):
                raise
            self._caught_up.clear()
            if room_bytes > 1:
                return max(room_bytes // _SHRINK, 1)
            self._step_over(advances, report, error)
            return room_bytes
        for segment, advance in advances:
            segment.offset = advance.end_offset
            report.stored_bytes += advance.end_offset - advance.start_offset
        self._hand_over.hand_on()
        return min(room_bytes * _SHRINK, BATCH_BYTES)

    def _step_over(
        self, advances: list[tuple[SegmentFile, JournalAdvance]], report: MergeReport, error: Exception
    ) -> None:
        """Leave out the one record that the store cannot take, so that it does not hold up all others."""
        self._sink.apply(WriteBatch(journal=[advance for _, advance in advances]))
        for segment, advance in advances:
            start, segment.offset = segment.offset, advance.end_offset
            segment.mark_damaged()
            text = f"a record that the store cannot take ({error}): {segment.offset - start} bytes at {start}"
            self._report_once(segment.path.name, report, text)

    def _report_once(self, name: str, report: MergeReport, text: str) -> None:
        message = f"{name}: {text}"
        if message not in self._reported:
            self._reported.add(message)
            report.damages.append(message)

    def _segments(self, scope: MergeScope, report: MergeReport) -> Iterator[SegmentFile]:
        """Yield the segments of the scope in the order in which each process wrote its own."""
        try:
            names = os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return
        if len(self._foreign) > len(names):
            self._foreign = {name: self._foreign[name] for name in names if name in self._foreign}
        for name in self._order.of(names):
            if name.endswith(UNFINISHED_SUFFIX):
                self._remove_unfinished(name)
            if not name.endswith(SEGMENT_SUFFIX):
                continue
            owner = self._foreign.get(name)
            if owner is not None and scope == "own" and self._alive_now(owner):
                continue
            segment = self._open.get(name) or self._try_open(name, report)
            if segment is None:
                continue
            self.has_met_own_journal |= self._is_me(segment.header.owner)
            if scope == "all" or self._is_ours(segment):
                yield segment
            else:
                self._foreign[name] = segment.header.drainer
                self._let_go(name)

    def _names(self) -> set[str]:
        with Swallowing(OSError):
            return {name for name in os.listdir(self._directory) if name.endswith(SEGMENT_SUFFIX)}  # noqa: PTH208
        return set()

    def _try_open(self, name: str, report: MergeReport) -> SegmentFile | None:
        try:
            segment = SegmentFile(self._directory / name, self._sink.journal_offset)
        except FileNotFoundError:
            return None
        except OSError as error:
            if is_interruption(error):
                raise
            if lacks_descriptors(error):  # it can be read later
                raise
            self._report_once(name, report, f"cannot be read: {error}")
            return None
        except JournalError as error:
            self._report_once(name, report, str(error))
            return None
        if segment.missing_bytes:
            segment.is_damaged = True
            self._report_once(name, report, f"the last {segment.missing_bytes} bytes of the file are gone")
        segment.is_damaged = segment.is_damaged or name in self._damaged
        self._open[name] = segment
        return segment

    def _is_ours(self, segment: SegmentFile) -> bool:
        drainer = segment.header.drainer
        return self._is_me(drainer) or (not self._keeps_segments and self._is_gone(drainer, segment))

    def _is_final(self, segment: SegmentFile) -> bool:
        """Tell whether nobody writes to the segment any more."""
        owner = segment.header.owner
        if self._is_me(owner):  # another recorder, or a receiver, of this process may write on
            return self.is_own_journal_closed and not is_written_here(segment.header.writer_id)
        return self._is_gone(owner, segment)

    def _is_me(self, owner: Owner) -> bool:
        me = self._me
        return (owner.pid, owner.start_ticks, owner.boot_id) == (me.pid, me.start_ticks, me.boot_id)

    def _is_gone(self, owner: Owner, segment: SegmentFile) -> bool:
        alive = self._alive_now(owner)
        return segment.idle_s() > FOREIGN_IDLE_S if alive is None else not alive

    def _alive_now(self, owner: Owner) -> bool | None:
        if owner not in self._alive:
            self._alive[owner] = is_alive(owner)
        return self._alive[owner]

    def _let_go(self, name: str) -> None:
        segment = self._open.pop(name, None)
        if segment is not None:
            if segment.is_damaged:
                self._damaged.add(name)
            segment.close()

    def _retire(self) -> None:
        """Delete the segments that are stored to their end and that nobody writes any more."""
        if self._keeps_segments:
            return
        for name, segment in list(self._open.items()):
            is_final = self._is_final(segment)
            try:
                is_done = segment.is_done(is_final=is_final)
            except OSError as error:
                if is_interruption(error):
                    raise
                continue
            if not is_done:
                if not is_there(segment.path):
                    self._let_go(name)
                continue
            if segment.header.is_synced:
                _sync_store(self._directory)
            with Swallowing(FileNotFoundError):
                if segment.is_damaged:
                    segment.path.rename(segment.path.with_suffix(DAMAGED_SUFFIX))
                else:
                    segment.path.unlink()
            self._let_go(name)

    def _remove_unfinished(self, name: str) -> None:
        """Remove what a process left that died while it made a segment."""
        path = self._directory / name
        with Swallowing(OSError):
            if time.time() - path.stat().st_mtime > _UNFINISHED_AGE_S:
                path.unlink()


def _sync_store(directory: Path) -> None:
    """Wait until the store's last transactions are on the disk: SQLite itself waits only at checkpoints.

    The write-ahead log is the one file of the store on which SQLite holds no lock, so that closing it
    here drops none.
    """
    store = directory.with_name(directory.name.removesuffix(".journals"))
    with Swallowing(FileNotFoundError):
        descriptor = os.open(store.with_name(f"{store.name}-wal"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_about_content(error: Exception) -> bool:
    """Tell whether the store refused what the batch holds, not to write at all."""
    return type(error) is StoreError or not isinstance(error, (StoreError, OSError, MemoryError))
