"""The one background thread that moves this process's journal (and its forked children's) into the store.

It never loses and never raises: when the store is locked or the disk is full, the journal grows, the state
says why, and the next round tries again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from otel_experiments.collect.merge import (
    BatchSink,
    JournalMerger,
    MergeReport,
    MergeScope,
    refuse_received,
)
from otel_experiments.errors import JournalError, OtelExperimentsError, StoreLockedError
from otel_experiments.journal.limits import reason_of
from otel_experiments.model.batch import Unpack, WriteBatch
from otel_experiments.process.bell import Bell
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.process.thread_signals import leave_signals_to_the_program

logger: Final = logging.getLogger("otel_experiments")
_LONGEST_PAUSE_S: Final = 5.0
_QUIET_S: Final = 5.0
"""A store that is locked for less is daily life and not worth a warning."""
_ROUND_S: Final = 0.5
"""How long the thread works before it looks whether somebody waits for it."""
_BREATH_S: Final = 0.001
_LAST_TRY_S: Final = 1.0
"""How long the end of a process waits for a store that did not take anything when it was asked last."""
_MOST_DAMAGES: Final = 100
"""How many damages are kept and told; more of them say nothing new."""


class Drain:
    """Drains one journal directory into one store.

    Args:
        sink: the store.
        directory: where the journals are.
        interval_s: seconds between two rounds that nobody asked for.
        on_batch: called with each batch that was stored.
        on_taken_over: called with a batch of which another process has stored the beginning, or all.
        before_round: called before each look at the journals.
        keeps_segments: whether journals stay when they are stored.
        unpack: what reads requests that a receiver of OTLP has journalled.

    Attributes:
        last_error: what the store said last when it did not take a batch; None when all is well.
        refused_since_s: since when (of time.monotonic) it has not; None when all is well.
        damages: what could not be read, one text a place.
    """

    def __init__(
        self,
        sink: BatchSink,
        directory: Path,
        *,
        interval_s: float,
        on_batch: Callable[[WriteBatch], None] | None = None,
        on_taken_over: Callable[[WriteBatch], None] | None = None,
        before_round: Callable[[], None] | None = None,
        keeps_segments: bool = False,
        unpack: Unpack = refuse_received,
    ) -> None:
        self._merger = JournalMerger(
            sink,
            directory,
            on_batch=on_batch,
            on_taken_over=on_taken_over,
            keeps_segments=keeps_segments,
            unpack=unpack,
        )
        self._directory = directory
        self._interval_s = interval_s
        self._before_round = before_round
        self._bell = Bell()
        self._is_stopping = False
        self._lock = threading.RLock()
        self._works_in: int | None = None
        self._thread: threading.Thread | None = None
        self.last_error: Exception | None = None
        self.refused_since_s: float | None = None
        self._is_told = False
        self.damages: list[str] = []

    @property
    def has_met_own_journal(self) -> bool:
        """Whether this process has recorded: readers may have stored all of it, and have left the file to it then."""
        return self._merger.has_met_own_journal

    def start(self) -> None:
        """Start the thread; once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="otel-experiments-drain", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Ask for a round now."""
        self._bell.ring()

    def drain_now(self, *, timeout_s: float, scope: MergeScope = "own") -> bool:
        """Store what is recorded so far; True when the store took all of it within `timeout_s` seconds."""
        if (
            self._works_in == threading.get_ident()
        ):  # a signal handler, or `__del__`, in the middle of a round
            return False
        deadline_s = time.monotonic() + timeout_s
        pause_s = 0.01
        while not self._round(deadline_s, scope).is_complete:
            if time.monotonic() + pause_s > deadline_s:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.2)
        return True

    def close(self, *, timeout_s: float) -> bool:
        """Drain once more, after the journal's writer was closed; stop the thread and let go of the files.

        Safe to call twice. True when the store took everything within `timeout_s` seconds.
        """
        if self._works_in == threading.get_ident():
            return False
        if self.last_error is not None:
            timeout_s = min(timeout_s, _LAST_TRY_S)
        self._is_stopping = True
        self._merger.is_own_journal_closed = True
        self._bell.ring()
        is_drained = self.drain_now(timeout_s=timeout_s)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=_LAST_TRY_S)
        try:
            if self._lock.acquire(
                timeout=0.1
            ):  # else the thread is still waiting for the store, and dies with us
                self._merger.close()
        finally:
            with contextlib.suppress(RuntimeError):  # another thread has it
                self._lock.release()
        return is_drained

    def _work(self) -> None:
        leave_signals_to_the_program()
        pause_s = self._interval_s
        while not self._is_stopping:
            self._bell.wait(pause_s)
            report = self._round(time.monotonic() + _ROUND_S, "own")
            if self.last_error is not None:
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                pause_s = _BREATH_S if report.is_cut else self._interval_s

    def _round(self, deadline_s: float, scope: MergeScope) -> MergeReport:
        me = threading.get_ident()
        try:
            if not self._lock.acquire(timeout=max(deadline_s - time.monotonic(), 0.001)):
                return MergeReport(is_complete=False)
            self._works_in = me
            if self._before_round is not None:
                self._before_round()
            report = self._merger.merge(scope=scope, deadline_s=deadline_s)
        except Exception as error:  # the thread must live; the journal keeps everything
            if is_interruption(error):
                raise
            self._note_refusal(self._named(error))
            return MergeReport(is_complete=False)
        finally:  # a signal handler may raise right after the lock was taken; nothing is called before it is released
            if self._works_in == me:
                self._works_in = None
            try:  # noqa: SIM105 - as above
                self._lock.release()
            except RuntimeError:  # another thread has it
                pass
        if self._is_told:
            tell(logger, "The store takes what is recorded again.")
        self.last_error, self.refused_since_s, self._is_told = None, None, False
        for damage in report.damages:
            self.note_damage(f"a journal holds what cannot be read: {damage}")
        return report

    def note_damage(self, text: str) -> None:
        """Say what could not be stored, and keep it in `damages`, as far as there are not too many."""
        if len(self.damages) < _MOST_DAMAGES:
            tell(logger, "%s", f"{text[:1].upper()}{text[1:]}")
            self.damages.append(text)

    def _named(self, error: Exception) -> Exception:
        """Return an error that says what the system refused, in words."""
        if isinstance(error, OtelExperimentsError) or not isinstance(error, (OSError, MemoryError)):
            return error
        reason = reason_of(error)
        return JournalError(
            f"The journals in {str(self._directory)!r} cannot be read now: {reason.what}.\n  {reason.fix}; they keep everything."
        )

    def _note_refusal(self, error: Exception) -> None:
        self.last_error = error
        now_s = time.monotonic()
        if self.refused_since_s is None:
            self.refused_since_s = now_s
        if not self._is_told and (
            not isinstance(error, StoreLockedError) or now_s - self.refused_since_s > _QUIET_S
        ):
            self._is_told = True
            tell(logger, "The store does not take what is recorded now (%s); it waits in the journal.", error)
