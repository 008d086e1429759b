"""What other hosts hold for a store that is no local file: each recording process says it there, and readers ask.

A report rides on the batches that are stored anyway, so that it costs the recording nothing. A process that is killed, or
cannot reach the store, says nothing more; its last report says by when it would have, and where its journals are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from otel_experiments.collect.backlog import measure_backlog
from otel_experiments.collect.merge import BATCH_BYTES, BatchSink
from otel_experiments.errors import JournalError
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.journal.names import SEGMENT_SUFFIX
from otel_experiments.journal.owner import FOREIGN_TIMEOUT_NS, current_owner, is_alive
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.journal_report import JournalReport
from otel_experiments.model.run import Owner
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.protocol import Store

_LARGE_BATCH_BYTES: Final = BATCH_BYTES // 2
"""A batch of which the journals gave so much is probably not the last one."""
_MEASURE_S: Final = 10.0
_FEWEST_INTERVALS: Final = 3
_SHOWN: Final = 3


class JournalReporter:
    """Says in a store what this process has journalled and not stored.

    Args:
        store: where it is said.
        directory: of the journals.
        journal_id: of this process's journal.
        interval_s: seconds between two rounds of the drain.
        is_recording: whether anything is being recorded now.
    """

    def __init__(
        self,
        store: BatchSink,
        directory: Path,
        *,
        journal_id: str,
        interval_s: float,
        is_recording: Callable[[], bool],
    ) -> None:
        self._store = store
        self._directory = directory
        self._journal_id = journal_id
        self._valid_ns = max(FOREIGN_TIMEOUT_NS, int(interval_s * _FEWEST_INTERVALS * 1e9))
        self._is_recording = is_recording
        self._owner = current_owner()
        self._said: JournalReport | None = None
        self._is_writing = False
        self._has_stored = False
        self._was_quiet = False
        self._measured_s = 0.0

    def apply(self, batch: WriteBatch) -> None:
        """Store a batch with a report.

        Raises:
            StoreError: the store does not take it.
        """
        records, size_bytes = self._left_by(batch)
        now_ns = self._now_ns()
        report = JournalReport(
            self._journal_id,
            self._owner,
            str(self._directory),
            now_ns,
            now_ns + self._valid_ns,
            records,
            size_bytes,
        )
        self._is_writing = True  # until it is known what became of it
        batch.journal_reports[:] = [report]  # the batch may be tried again
        self._store.apply(batch)
        self._said, self._is_writing, self._has_stored = report, False, True

    def journal_offset(self, segment_id: str) -> int:
        """Return how many bytes of the segment are in the store."""
        return self._store.journal_offset(segment_id)

    def before_round(self) -> None:
        """Say that nothing waits once a whole round found nothing and nothing is recorded; else renew what was said.

        Raises:
            StoreError: the store does not take it.
        """
        said, has_stored = self._said, self._has_stored
        is_quiet = not self._is_recording()
        was_quiet, self._was_quiet, self._has_stored = self._was_quiet, is_quiet, False
        if said is None or not said.is_open or self._is_writing or has_stored:
            return
        if is_quiet and was_quiet:
            self._say(0)
        elif time.time_ns() > said.time_ns + self._valid_ns // _FEWEST_INTERVALS:
            self._say(self._valid_ns)

    def close(self) -> None:
        """Say that all is stored, where it is: after the last round.

        Raises:
            StoreError: the store does not take it.
        """
        if self._said is not None and self._said.is_open and not _has_journals(self._directory, self._owner):
            self._say(0)

    def _say(self, valid_ns: int) -> None:
        now_ns = self._now_ns()
        next_ns = now_ns + valid_ns if valid_ns else 0
        report = JournalReport(self._journal_id, self._owner, str(self._directory), now_ns, next_ns)
        self._store.apply(WriteBatch(journal_reports=[report]))
        self._said = report

    def _now_ns(self) -> int:
        """Return a time after that of the last report, whatever was done to the clock."""
        return max(time.time_ns(), 0 if self._said is None else self._said.time_ns + 1)

    def _left_by(self, batch: WriteBatch) -> tuple[int, int]:
        """Return about how many records, and bytes, wait behind a batch; it is measured where there may be many."""
        covered = sum(advance.end_offset - advance.start_offset for advance in batch.journal)
        if covered < _LARGE_BATCH_BYTES:
            return 0, 0
        if self._said is not None and time.monotonic() - self._measured_s < _MEASURE_S:
            left_bytes = max(0, self._said.waiting_bytes - covered)
            share = left_bytes / self._said.waiting_bytes if self._said.waiting_bytes else 0.0
            return round(self._said.waiting_records * share), left_bytes
        backlog = measure_backlog(self._directory, self._store.journal_offset, of=self._owner)
        self._measured_s = time.monotonic()
        left_bytes = max(0, backlog.size_bytes - covered)
        share = left_bytes / backlog.size_bytes if backlog.size_bytes else 0.0
        return round(backlog.record_count * share), left_bytes


def reporter_for(store: BatchSink, directory: Path, *, journal_id: str, interval_s: float) -> JournalReporter:
    """Return what reports for a process that takes telemetry of others: nothing waits once a whole round found nothing."""
    return JournalReporter(
        store, directory, journal_id=journal_id, interval_s=interval_s, is_recording=lambda: False
    )


def settle_reports(store: Store, directory: Path) -> None:
    """Say in the store that nothing more comes of processes of this host that are gone and left no journal in the directory.

    Raises:
        StoreError: the store does not take it.
    """
    settled = [
        JournalReport(report.journal_id, report.owner, report.directory, report.time_ns + 1)
        for report in store.journal_reports()
        if report.is_open
        and report.directory == str(directory)
        and is_alive(report.owner) is False
        and not _has_journals(directory, report.owner)
    ]
    if settled:
        store.apply(WriteBatch(journal_reports=settled))


def held_elsewhere(store: Store, directory: Path, *, shown: str, begin: str) -> list[str]:
    """Return what is to be said of processes whose journals this reader cannot merge, one text each.

    Args:
        store: whose reports are read.
        directory: of the journals that this reader has merged.
        shown: the store's address, as it may be shown.
        begin: what the texts begin with.
    """
    now_ns = time.time_ns()
    held = [
        one for one in store.journal_reports() if one.is_open and _is_missing(one, str(directory), now_ns)
    ]
    held.sort(key=lambda one: -one.time_ns)
    texts = [_told(one, shown, begin) for one in held[:_SHOWN]]
    if len(held) > _SHOWN:
        hosts = ", ".join(sorted({one.owner.host for one in held[_SHOWN:]})[:_SHOWN])
        texts.append(
            f"{begin}{shown!r} may not be whole: {len(held) - _SHOWN} more processes hold what they recorded, on {hosts}.\n"
            f"  Read the store once on each of these hosts: otel-experiments runs --store {shown}"
        )
    return texts


def _is_missing(report: JournalReport, directory: str, now_ns: int) -> bool:
    """Tell whether a process may hold what nobody brings into the store by itself, or holds much."""
    if report.directory == directory and is_alive(report.owner) is not None:
        return False  # merged by this reader
    is_gone = is_alive(report.owner) is False
    return is_gone or now_ns > report.next_ns or report.waiting_bytes > 0


def _told(report: JournalReport, shown: str, begin: str) -> str:
    who = f"process {report.owner.pid} on host {report.owner.host}"
    said = datetime.fromtimestamp(report.time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if report.waiting_bytes:
        lack = (
            f"is not whole: {who} held about {report.waiting_records:,} records ({report.waiting_bytes:,} bytes) more "
            f"when it last reached the store ({said})"
        )
    else:
        lack = f"may not be whole: {who} last reached the store at {said}, and did not say that it has stored everything"
    return (
        f"{begin}{shown!r} {lack}. What it recorded after that is in {report.directory!r} there.\n"
        f"  Nothing is lost: read the store once on that host: otel-experiments runs --store {shown}"
    )


def _has_journals(directory: Path, owner: Owner) -> bool:
    """Tell whether there are journals of a process, or that it was to store; what cannot be told counts as one."""
    try:
        paths = [path for path in directory.iterdir() if path.suffix == SEGMENT_SUFFIX]
    except FileNotFoundError:
        return False
    except OSError as error:
        if is_interruption(error):
            raise
        return True
    return any(owner in owners for owners in map(_owners, paths))


def _owners(path: Path) -> Iterable[Owner]:
    try:
        with path.open("rb") as file:
            header = unpack_header(file.read(HEADER_SIZE_BYTES), path=os.fspath(path))
    except JournalError:
        return ()
    except OSError as error:  # stored and deleted while we looked, or not ours to read
        if is_interruption(error):
            raise
        return ()
    return header.owner, header.drainer
