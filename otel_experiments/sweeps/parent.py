"""The process of a sweep, as its workers see it: a trial that is on when that process goes is ended, however it went.

A worker waits at a pipe for its next trial, and sees the other end close. In the middle of a trial a thread looks. The pipe
alone does not say it in time: workers that are forked later hold its other end as well, and so may what trials start. So
the worker asks the system, too, whose child it is.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.guard import THREAD_PREFIX

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

END_S: Final = 5.0
"""How long a worker that is to stop is waited for, before it is killed."""
_LOOK_S: Final = 0.5


class Parent:
    """The process that gives this worker its trials."""

    def __init__(self, *, is_direct: bool) -> None:
        """`is_direct`: it started this process itself; a fork server would have done it otherwise."""
        process = multiprocessing.parent_process()
        self._sentinel: list[Any] = [] if process is None else [process.sentinel]
        self._pid = process.pid if is_direct and process is not None else None
        self._is_busy = False
        self._watcher: threading.Thread | None = None

    def has_given(self, connection: Connection[Any, Any]) -> bool:
        """Wait until it has said something; False when it has gone."""
        while True:
            ready = wait([connection, *self._sentinel], _LOOK_S)
            if self._is_gone(0):
                return False
            if connection in ready:
                return True

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """End this process when the parent goes inside of the block: with SIGTERM, which cancels the run of the trial.

        A trial that handles SIGTERM itself has as long as one that is stopped with its sweep, then the process is killed.
        """
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name=f"{THREAD_PREFIX}sweep", daemon=True)
            self._watcher.start()
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    def _is_gone(self, timeout_s: float) -> bool:
        """Wait so long for its end; whether it has ended."""
        has_closed = bool(wait(self._sentinel, timeout_s))
        return has_closed or (self._pid is not None and os.getppid() != self._pid)

    def _watch(self) -> None:
        leave_signals_to_the_program()
        while not self._is_gone(_LOOK_S):
            pass
        while not self._is_busy:  # between two trials it ends by itself
            time.sleep(_LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_S)
        if self._is_busy:
            os.kill(os.getpid(), signal.SIGKILL)
