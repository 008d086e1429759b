"""How much of the machine other programs use while a run is recorded: what makes times of two runs incomparable.

A reading costs about 20 microseconds, and at most one is taken in 10 milliseconds, however many runs there are.
Source: proc(5), /proc/stat; decision 0010.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIN_WHOLE_S: Final = 0.06
"""Below so much time of all processors together, the kernel's ticks of 10 ms say nothing."""
_REUSE_S: Final = 0.01
_UNSURE_TICKS: Final = 2
"""So much may be taken for others' only because of where ticks fell: a short run alone is not said to have company."""
_MAX_DESCENDANTS: Final = 128
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class _Sample:
    """Seconds of CPU time since boot: of all processors, of those that were busy, of this process and its children."""

    taken_s: float
    whole_s: float
    busy_s: float
    own_s: float


_latest: _Sample | None = None


class NeighbourClock:
    """The share of the machine's processors that other programs used since the clock was made."""

    __slots__ = ("_began",)

    def __init__(self) -> None:
        self._began = _sample()

    def read(self) -> float | None:
        """Return the share, 0 to 1; None where too little time has passed, or the platform does not tell."""
        now, began = _sample(), self._began
        if now is None or began is None:
            return None
        whole_s = now.whole_s - began.whole_s
        if whole_s < MIN_WHOLE_S:
            return None
        own_s = now.own_s - began.own_s + _living_descendants_s(now.taken_s - began.taken_s)
        others_s = now.busy_s - began.busy_s - own_s - _UNSURE_TICKS / _TICKS_PER_S
        return min(1.0, max(0.0, others_s / whole_s))


def _sample() -> _Sample | None:
    global _latest  # noqa: PLW0603 - shared by the runs of the process, so that many small ones cost one reading
    now_s = time.monotonic()
    if _latest is not None and 0 <= now_s - _latest.taken_s < _REUSE_S:
        return _latest
    times = _machine_times()
    if times is None:
        return None
    own = os.times()
    own_s = own.user + own.system + own.children_user + own.children_system
    _latest = _Sample(now_s, *times, own_s)
    return _latest


def _machine_times() -> tuple[float, float] | None:
    """Return seconds of all processors, and of the busy ones; waiting for a disk is idle."""
    if sys.platform != "linux":
        import psutil  # noqa: PLC0415 - only where there is no /proc

        times = psutil.cpu_times()
        whole_s = float(sum(times))
        return whole_s, whole_s - times.idle
    try:
        descriptor = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            line = os.read(descriptor, 256).partition(b"\n")[0]
        finally:
            os.close(descriptor)
        # user nice system idle iowait irq softirq steal; what follows is part of user and nice
        ticks = [int(word) for word in line.split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(ticks) < 4:
        return None
    whole = sum(ticks)
    return whole / _TICKS_PER_S, (whole - sum(ticks[3:5])) / _TICKS_PER_S


def _living_descendants_s(elapsed_s: float) -> float:
    """Return the CPU time of living descendants in the last `elapsed_s`; those that were waited for are in our own.

    Of one that is older the same share of its time is taken as of its life.
    """
    if sys.platform != "linux":
        return 0.0
    total_s = 0.0
    waiting, seen = [os.getpid()], 0
    while waiting and seen < _MAX_DESCENDANTS:
        pid = waiting.pop()
        seen += 1
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_bytes().split())
            if seen > 1:
                total_s += _used_s(pid, elapsed_s)
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return total_s


def _used_s(pid: int, elapsed_s: float) -> float:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    used_s = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S  # utime, stime, cutime, cstime
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS_PER_S
    return used_s * min(1.0, elapsed_s / age_s) if age_s > 0 else used_s
