"""Which runs this process alone may start or go on with: a locked file for each, beside the journals.

Two processes that start a run with one key at the same moment, or go on with one run, both find that nobody records it. Whoever
locks its file first has it until the run ends; the kernel gives the lock back when the process dies. Processes that do not see
the same folder do not exclude each other, nor do those of a system or a file system without such locks.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_experiments.journal.owner import current_owner
from otel_experiments.process.file_lock import can_lock, hold, let_go, try_lock
from otel_experiments.process.file_mode import create_file, file_mode_of, make_directory
from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.settings import Settings

CLAIM_SUFFIX: Final = ".claim"
_POLL_S: Final = 0.001
_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a run is; `pid` is 0 where that is not known."""

    pid: int
    host: str


@dataclass(slots=True)
class _Claim:
    pid: int
    path: Path
    descriptor: int | None = None


_claims: Final[dict[str, _Claim]] = {}
"""By run id. A forked child has copies of its parent's, whose descriptors it has closed."""


class Claims:
    """Claims runs for this process.

    Args:
        directory: where the journals are.
        settings: who may read what is made beside the store.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._taken: list[str] = []

    def take(self, run_id: str) -> Holder | None:
        """Claim a run; return who has it where it is somebody else's, another thread's of this process included."""
        if run_id in self._taken:
            return None
        made = _Claim(os.getpid(), self._directory / f"{run_id}{CLAIM_SUFFIX}")
        known = _claims.setdefault(run_id, made)
        if known is not made:
            if known.pid == made.pid:
                return Holder(made.pid, current_owner().host)
            _claims[run_id] = made
        self._taken.append(run_id)
        try:
            holder = self._lock(made)
        except (
            OSError
        ) as error:  # no locks here; and a folder that takes no file takes no journal, which is told there
            if is_interruption(error):
                raise
            return None
        if holder is not None:
            self._taken.remove(run_id)
            release(run_id)
        return holder

    def give_back_others(self, run_id: str) -> None:
        """Let others have the runs that were claimed here, but for the one that begins now.

        It is done before: an exception of a signal handler that came after the begin would leave a run that nobody ends.
        """
        for other in [taken for taken in self._taken if taken != run_id]:
            self._taken.remove(other)
            release(other)

    def give_back_unstarted(self) -> None:
        """Let others have the runs that were claimed here and not started."""
        while self._taken:
            run_id = self._taken.pop()
            if run_id not in active_runs:
                release(run_id)

    def _lock(self, claim: _Claim) -> Holder | None:
        if not can_lock():
            return None
        file_mode = file_mode_of(self._settings.store_mode, self._settings.store_path)
        make_directory(self._directory, file_mode)
        while True:
            descriptor = _open(claim.path, file_mode)
            hold(descriptor)
            claim.descriptor = descriptor
            if not try_lock(descriptor):
                holder = _holder_in(descriptor)
                claim.descriptor = None
                let_go(descriptor)
                return holder
            if _is_at(claim.path, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps([claim.pid, current_owner().host]).encode(), 0)
                return None
            let_go(descriptor)  # its former holder took the file away just now


def release(run_id: str) -> None:
    """Let others have a run that this process has claimed; nothing happens to those of others."""
    claim = _claims.pop(run_id, None)
    if claim is None or claim.descriptor is None or claim.pid != os.getpid():
        return
    with Swallowing(OSError):
        claim.path.unlink(missing_ok=True)
    let_go(claim.descriptor)


def _open(path: Path, file_mode: int) -> int:
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            with Swallowing(FileExistsError):  # made by another process just now
                return create_file(path, file_mode)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder_in(descriptor: int) -> Holder:
    """Return what the holder of a lock has written, which it does as soon as it has the lock."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        written = os.pread(descriptor, 4096, 0)
        with Swallowing(ValueError, TypeError):
            pid, host = json.loads(written)
            return Holder(int(pid), str(host))
        time.sleep(_POLL_S)
    return Holder(0, current_owner().host)
