"""How much of the machine other programs use while a run is recorded: what makes times of two runs incomparable.

A reading costs some 50 microseconds where a process has few threads and children. At most one is taken in 10
milliseconds, and at most a twentieth of the time goes to them, however many runs, threads, children and processors
(whose interrupts the kernel counts for each reading) there are.
Source: proc(5), /proc/stat, /proc/pid/stat, /proc/pid/task/tid/children; decision 0010.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.record.base.ranks import find_place, is_rank

MIN_WHOLE_S: Final = 0.06
"""Below so much time of all processors together, the kernel's ticks of 10 ms say nothing."""
_REUSE_S: Final = 0.01
_REUSE_COSTS: Final = 20
"""A reading is used for so many times what it cost, too."""
_UNSURE_TICKS: Final = 2
"""So much may be taken for others' only because of where ticks fell: a short run alone is not said to have company."""
_MAX_PROCESSES: Final = 512
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Usage:
    """Ticks of CPU time of one process and of the children that it has waited for; `began` tells reused ids apart."""

    began: int
    own: int
    waited: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Ticks since boot of all processors, and of those that were busy; what each process of the run has used.

    `run` maps a process id to the use of that process. The reading was made at `taken_s` and holds until `used_until_s`.
    """

    taken_s: float
    used_until_s: float
    whole: int
    busy: int
    run: Mapping[str, Usage]


_latest: Sample | None = None


class HostLoadClock:
    """The share of the machine's processors that other programs used since the clock was made."""

    __slots__ = ("_began", "_read")

    def __init__(self, read: Callable[[], Sample | None] | None = None) -> None:
        """Begin with a reading; `read` gives one, of this machine if left out."""
        self._read = read or read_sample
        self._began = self._read()

    def read(self) -> float | None:
        """Return the share, 0 to 1; None where too little time has passed, or the platform does not tell."""
        began, now = self._began, self._read()
        if now is None or began is None:
            return None
        whole = now.whole - began.whole
        if whole < MIN_WHOLE_S * _TICKS_PER_S:
            return None
        others = now.busy - began.busy - _gained(began.run, now.run) - _UNSURE_TICKS
        return min(1.0, max(0.0, others / whole))


def read_sample() -> Sample | None:
    """Return what the machine and the run have used by now; None where the platform does not tell."""
    global _latest  # noqa: PLW0603 - shared by the runs of the process, so that many small ones cost one reading
    if sys.platform != "linux":
        return None  # what living children use is not told cheaply elsewhere
    now_s, latest = time.monotonic(), _latest
    if latest is not None and latest.taken_s <= now_s < latest.used_until_s:
        return latest
    began_s = time.thread_time()
    try:
        times, run = _machine_ticks(), _run_processes()
    except (OSError, ValueError, IndexError) as error:
        if is_interruption(error):
            raise
        return None
    if times is None or run is None:
        return None
    cost_s = time.thread_time() - began_s
    _latest = Sample(now_s, now_s + max(_REUSE_S, _REUSE_COSTS * cost_s), *times, run)
    return _latest


def _machine_ticks() -> tuple[int, int] | None:
    """Return ticks of all processors, and of the busy ones; waiting for a disk is idle."""
    descriptor = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        line = os.read(descriptor, 256).partition(b"\n")[0]
    finally:
        os.close(descriptor)
    # user nice system idle iowait irq softirq steal; what follows is part of user and nice
    ticks = [int(word) for word in line.split()[1:9]]
    if len(ticks) < 4:
        return None
    whole = sum(ticks)
    return whole, whole - sum(ticks[3:5])


def _run_processes() -> dict[str, Usage] | None:
    """Return what this process and its living descendants have used; None where the kernel does not tell of all.

    Of a job of several ranks it is those of the launcher, for the other ranks of this machine are the same run.
    """
    _read("/proc/thread-self/children")  # an error where the kernel keeps no lists of children
    if is_rank() or find_place(os.environ) is not None:
        job = _tree(str(os.getppid()))
        if job is None or str(os.getpid()) in job:  # else the launcher is not to be seen from here
            return job
    return _tree("self")


def _tree(root: str) -> dict[str, Usage] | None:
    """Return what a process and its living descendants have used; None of more than can be read."""
    found: dict[str, Usage] = {}
    waiting = [root]
    for pid in waiting:
        if len(found) == _MAX_PROCESSES:
            return None
        with Swallowing(OSError, ValueError, IndexError):  # where it ended meanwhile
            fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            user, system, waited_user, waited_system = map(int, fields[11:15])
            found[pid] = Usage(int(fields[19]), user + system, waited_user + waited_system)
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with Swallowing(OSError):
                    waiting += _read(f"{thread}/children").decode().split()
    return found


def _read(path: str) -> bytes:
    with Path(path).open("rb", buffering=0) as file:
        return file.read()


def _gained(began: Mapping[str, Usage], now: Mapping[str, Usage]) -> int:
    """Return the ticks that the run's processes have used between two readings.

    The sum over all of them does that: what a child has used moves to its parent, which waits for it. It falls where
    nobody waits, and then what the living ones used themselves is the least.
    """
    least = 0
    for pid, usage in now.items():
        before = began.get(pid)
        known = before.own if before is not None and before.began == usage.began else 0
        least += max(0, usage.own - known)
    return max(least, _total(now) - _total(began))


def _total(run: Mapping[str, Usage]) -> int:
    return sum(usage.own + usage.waited for usage in run.values())


def _forget_in_child() -> None:
    global _latest  # noqa: PLW0603 - it says what the parent has used
    _latest = None


at_fork(after_in_child=_forget_in_child)
