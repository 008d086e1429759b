"""When the snapshot of a run is taken and written: on a thread of its own, once for all runs that start about then."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.codec.text import clean_text
from otel_experiments.process.fork import ResetInChild
from otel_experiments.process.interruption import is_interruption, pass_on
from otel_experiments.process.notice import tell
from otel_experiments.process.paths import is_regular
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.guard import THREAD_PREFIX, logger
from otel_experiments.record.snapshot.git_state import Git
from otel_experiments.record.snapshot.job import job_facts, variables_of
from otel_experiments.record.snapshot.machine import machine_facts
from otel_experiments.record.snapshot.packages import installed_packages
from otel_experiments.record.system.environment import working_directory
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import Guard
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.base.redactor import Redactor
    from otel_experiments.record.base.settings import Settings
    from otel_experiments.record.events.own_event import OwnEvents

FRESH_S: Final = 30.0
"""Runs that start so soon after a snapshot have the same: in a notebook, files and packages change between runs."""
CALM_S: Final = 0.2
"""So long the thread waits when git has answered: a start is full of Python's work, and would wait for its lock."""
MAX_SCRIPT_BYTES: Final = 16 << 20
_THREAD: Final = f"{THREAD_PREFIX}snapshot"


Part = Callable[[], Mapping[str, object]]


def gather(*parts: Part) -> dict[str, object]:
    """Return what the parts say together; one that fails costs none of the others."""
    found: dict[str, object] = {}
    for part in parts:
        try:
            values = part()
        except Exception as error:  # a machine of a kind that nobody has met
            if is_interruption(error):
                raise
            tell(logger, "A part of the environment is not recorded: %r", error, level=logging.DEBUG)
            continue
        found |= {name: value for name, value in values.items() if value}
    return found


def _parts(environ: Mapping[str, str], script: object) -> tuple[Part, ...]:
    return (
        lambda: {"script": _script(script)},
        lambda: dict(zip(("packages", "editable"), installed_packages(), strict=True)),
        lambda: {"machine": machine_facts()},
        lambda: {"variables": variables_of(environ), "job": job_facts(environ)},
    )


def _script(path: object) -> dict[str, str]:
    """Return path and digest of the file that the program was started with."""
    if not isinstance(path, str):
        return {}
    found = {"path": clean_text(path)}
    file = Path(path)
    if is_regular(file) and file.stat().st_size <= MAX_SCRIPT_BYTES:
        found["hash"] = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    return found


class Place(Protocol):
    """What a snapshot is written with: the pipeline, as this room sees it."""

    @property
    def settings(self) -> Settings:
        """What the user wants."""
        ...

    @property
    def has_telemetry(self) -> bool:
        """Whether there are events."""
        ...

    @property
    def own_events(self) -> OwnEvents:
        """Writes events of runs."""
        ...

    @property
    def known_runs(self) -> KnownRuns:
        """The runs of this process."""
        ...

    @property
    def guard(self) -> Guard:
        """Counts what goes wrong."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Takes secrets out."""
        ...

    @property
    def store_path(self) -> Path | None:
        """The store's file, if it has one."""
        ...

    @property
    def clock(self) -> Callable[[], int]:
        """Tells nanoseconds since the Unix epoch."""
        ...


class SnapshotWriter:
    """Writes the event `ml.run.environment` of the first of the runs that this process starts about then."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._is_on = place.has_telemetry and place.settings.capture_environment
        self._lock = threading.Lock()
        self._run_id = ""  # of the run whose snapshot is being taken, or is the latest
        self._taken_s = -math.inf
        self._thread: threading.Thread | None = None
        self._is_hurried = threading.Event()
        self._git = Git()
        _writers.add(self)

    def source_for(self, run_id: str) -> str:
        """Return the run whose snapshot is that of a run which starts now; empty where it is to have one of its own."""
        is_fresh = self._thread is not None or time.monotonic() - self._taken_s < FRESH_S
        return self._run_id if is_fresh and self._run_id != run_id else ""

    def take(self, run_id: str) -> None:
        """Have a snapshot taken for a run that has started, unless that is switched off."""
        if not self._is_on:
            return
        # Here: the interpreter takes the name away when the script has come to its end.
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        with self._lock:
            if self._thread is not None:  # another run started in between
                return
            self._is_hurried, self._git = threading.Event(), Git()
            arguments = (run_id, script, self._git, self._is_hurried)
            thread = threading.Thread(target=self._take, args=arguments, name=_THREAD, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no more threads are allowed here
                pass_on(error)
                return
            self._run_id, self._thread = run_id, thread

    def wait(self, *, timeout_s: float) -> bool:
        """Wait until what is being gathered is written; False where it takes longer."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._is_hurried.set()
            thread.join(timeout_s)
            self._git.stop()
        return thread is None or not thread.is_alive()

    def reset_in_child(self) -> None:
        """Forget the thread, which is the parent's, and its run: a child's next run has a snapshot of its own."""
        self._lock = threading.Lock()
        self._thread = None
        self._run_id = ""

    def _take(self, run_id: str, script: object, git: Git, is_hurried: threading.Event) -> None:
        leave_signals_to_the_program()
        with self._place.guard:
            folder, store, environ = working_directory(), self._place.store_path, os.environ.copy()
            found: dict[str, object] = {}
            if folder is not None and self._place.settings.capture_git:
                found = gather(
                    lambda: {"git": git.state(folder, store=store)}
                )  # before the program has children
            is_hurried.wait(CALM_S)
            found |= gather(*_parts(environ, script))
            self._write(run_id, self._place.redactor.quietly(found))
        with self._lock:
            self._taken_s, self._thread = time.monotonic(), None

    def _write(self, run_id: str, snapshot: Mapping[str, object]) -> None:
        run = self._place.known_runs.get(run_id)
        if run is None:
            return
        now_ns = self._place.clock()
        self._place.own_events.write(
            run_id,
            run,
            ML_RUN_ENVIRONMENT.name,
            {},
            time_ns=now_ns,
            observed_ns=now_ns,
            body=snapshot,
            is_warning=False,
        )


_writers: Final = ResetInChild(SnapshotWriter.reset_in_child)
