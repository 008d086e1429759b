"""How far sending is, written into the store: what a process that is killed leaves behind says what to send later.

A row is opened by a record in the journal, ahead of the first items of a run, and each transaction that stores items
counts them as not sent. So only progress is written here, now and then, and nothing is missing when it is not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

from otel_experiments.journal.owner import current_owner
from otel_experiments.model.arrivals import arrivals
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.signal import NOTHING_NS, Signal
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.known_runs import KnownRuns
from otel_experiments.record.otlp.leftovers import SendingStore
from otel_experiments.record.otlp.sender import SignalSender

NOTE_S: Final = 5.0
"""How often progress is written at most."""


class SendingProgress:
    """The rows of one process.

    Args:
        store: where the rows are.
        known: the runs that this process sends.
        is_active: tells whether a run has not ended in this process.
        clock: nanoseconds since 1970.
    """

    def __init__(
        self,
        store: SendingStore,
        known: KnownRuns,
        *,
        is_active: Callable[[str], bool],
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._known = known
        self._is_active = is_active
        self._clock = clock
        self._owner = current_owner()
        # Taken again where a signal handler starts or ends a run. A start never waits for the store: that is `_writing`.
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._open: dict[tuple[str, Signal], Unsent] = {}
        self._changed: set[tuple[str, Signal]] = set()
        self._next_s = time.monotonic() + NOTE_S

    def begin(self, run_id: str, senders: Sequence[SignalSender]) -> list[Unsent]:
        """Return the rows of a run that starts, to be written into the journal; none where it has begun before."""
        rows = [self._row(run_id, sender.signal, sender.address) for sender in senders if not sender.is_off]
        with self._lock:
            rows = [row for row in rows if (row.run_id, row.signal) not in self._open]
            self._open.update(((row.run_id, row.signal), row) for row in rows)
        return rows

    def rows_to_open(self, batch: WriteBatch, senders: Sequence[SignalSender]) -> list[Unsent]:
        """Return the rows that are to be stored with the batch: of runs that send again after they had ended."""
        ways = {sender.signal: sender for sender in senders if not sender.is_off}
        return [
            self._row(run_id, signal, ways[signal].address)
            for run_id, signal in arrivals(batch)
            if signal in ways and (run_id, signal) not in self._open and self._known.get(run_id) is not None
        ]

    def note_stored(self, batch: WriteBatch) -> None:
        """Know that the batch is stored, with the rows that were opened with it."""
        with self._lock:
            mine = [row for row in batch.unsent if row.owner == self._owner]
            self._open.update(((row.run_id, row.signal), row) for row in mine)
            self._changed.update(key for key in arrivals(batch) if key in self._open)

    def write(self, senders: Sequence[SignalSender], *, is_due: bool = False, is_whole: bool = True) -> None:
        """Write how far the senders are, where it is time. Raises nothing.

        Args:
            senders: what sends.
            is_due: do not wait for the time.
            is_whole: whether everything that this process recorded is stored; else rows stay for what is to come.
        """
        now_s = time.monotonic()
        if not self._open or (now_s < self._next_s and not is_due):
            return
        self._next_s = now_s + NOTE_S
        with self._writing:
            with self._lock:
                changed = set(self._changed)
                rows, sent = self._progress(senders, is_last=is_due, is_whole=is_whole)
            if not rows and not sent:
                return
            try:
                self._store.note(rows, sent)
            except Exception as error:
                if is_interruption(error):
                    raise
                # It is written the next time; until then the row says too much, never too little.
                tell(logger, "How far sending is cannot be stored now: %s", error, level=10)
                return
            with self._lock:
                self._changed -= changed
                self._open.update(((row.run_id, row.signal), row) for row in rows)
                for row in sent:
                    self._open.pop((row.run_id, row.signal), None)

    def _progress(
        self, senders: Sequence[SignalSender], *, is_last: bool, is_whole: bool
    ) -> tuple[list[Unsent], list[Unsent]]:
        rows: list[Unsent] = []
        sent: list[Unsent] = []
        for sender in senders:
            mine = {key: row for key, row in tuple(self._open.items()) if key[1] == sender.signal}
            found = {} if sender.is_off or not mine else sender.waiting.by_run
            for key, row in mine.items():
                since_ns, count = found.get(row.run_id, (NOTHING_NS, 0))
                is_over = is_last or not self._is_active(row.run_id)
                reason = sender.reason if count else ""
                if is_last and not is_whole:
                    reason = reason or "the process ended before everything was in the store"
                new = self._row(row.run_id, key[1], row.destination, since_ns, count, reason)
                if since_ns == NOTHING_NS and is_over and is_whole:
                    sent.append(new)
                elif key in self._changed or (row.since_ns, row.count) != (since_ns, count) or is_last:
                    rows.append(new)
        return rows, sent

    def _row(
        self,
        run_id: str,
        signal: str,
        destination: str,
        since_ns: int = NOTHING_NS,
        count: int = 0,
        reason: str = "",
    ) -> Unsent:
        return Unsent(
            run_id,
            cast("Signal", signal),
            destination,
            self._owner,
            since_ns,
            count,
            reason,
            noted_ns=self._clock(),
        )
