"""The one background thread that moves this process's journal (and its forked children's) into the store.

It never loses and never raises: when the store is locked or the disk is full, the journal grows, the state
says why, and the next round tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from otel_experiments.model.batch import WriteBatch
from otel_experiments.store.merge import BatchSink, JournalMerger, MergeReport, MergeScope

logger: Final = logging.getLogger("otel_experiments")
_LONGEST_PAUSE_S: Final = 5.0
_MOST_DAMAGES: Final = 100
"""How many damages are kept and told; more of them say nothing new."""


class Drain:
    """Drains one journal directory into one store.

    Attributes:
        last_error: what the store said last when it did not take a batch; None when all is well.
        damages: what could not be read, one text a place.
    """

    def __init__(
        self,
        sink: BatchSink,
        directory: Path,
        *,
        interval_s: float,
        on_batch: Callable[[WriteBatch], None] | None = None,
        on_round: Callable[[], None] | None = None,
    ) -> None:
        self._merger = JournalMerger(sink, directory, on_batch=on_batch)
        self._interval_s = interval_s
        self._on_round = on_round
        self._wake = threading.Event()
        self._is_stopping = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.last_error: Exception | None = None
        self.damages: list[str] = []

    def start(self) -> None:
        """Start the thread; once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="otel-experiments-drain", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Ask for a round now."""
        self._wake.set()

    def drain_now(self, *, timeout_s: float, scope: MergeScope = "own") -> bool:
        """Store what is recorded so far; True when the store took all of it within `timeout_s` seconds."""
        deadline_s = time.monotonic() + timeout_s
        pause_s = 0.01
        while not self._round(timeout_s=max(0.0, deadline_s - time.monotonic()), scope=scope):
            if time.monotonic() + pause_s > deadline_s:
                return False
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.2)
        return True

    def close(self, *, timeout_s: float) -> bool:
        """Drain once more, after the journal's writer was closed; stop the thread and let go of the files.

        Safe to call twice. True when the store took everything within `timeout_s` seconds.
        """
        self._is_stopping = True
        self._merger.is_own_journal_closed = True
        self._wake.set()
        is_drained = self.drain_now(timeout_s=timeout_s)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)
        with self._lock:
            self._merger.close()
        return is_drained

    def _work(self) -> None:
        pause_s = self._interval_s
        while not self._is_stopping:
            self._wake.wait(pause_s)
            self._wake.clear()
            is_fine = self._round(timeout_s=60.0)
            pause_s = self._interval_s if is_fine else min(pause_s * 2, _LONGEST_PAUSE_S)

    def _round(self, *, timeout_s: float, scope: MergeScope = "own") -> bool:
        if not self._lock.acquire(timeout=max(timeout_s, 0.001)):
            return False
        try:
            report: MergeReport = self._merger.merge(scope=scope, deadline_s=time.monotonic() + timeout_s)
        except Exception as error:  # noqa: BLE001 - the thread must live; the journal keeps everything
            if self.last_error is None:
                logger.warning(
                    "The store does not take what is recorded now (%s); it waits in the journal.", error
                )
            self.last_error = error
            return False
        finally:
            self._lock.release()
        if self.last_error is not None:
            logger.info("The store takes what is recorded again.")
            self.last_error = None
        for damage in report.damages[: _MOST_DAMAGES - len(self.damages)]:
            logger.warning("A journal holds what cannot be read: %s", damage)
            self.damages.append(damage)
        if self._on_round is not None:
            self._on_round()
        return True
