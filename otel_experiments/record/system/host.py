"""CPU, memory, disk and network of this process (with its living descendants) and of the host.

Shares are of what the process may use: its control groups' limits, its CPU affinity, else the host. Everything
comes from psutil and costs about a millisecond a sample. What a platform does not tell is left out.
Source: OpenTelemetry semantic conventions for process and system metrics.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.system.cgroup import read_limits
from otel_experiments.record.system.measurement import Measurement
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import metrics, values

MIN_ELAPSED_S: Final = 0.2
"""Two samples closer than this say nothing about utilization: the kernel counts CPU time in 10 ms."""
MAX_DESCENDANTS: Final = 128
"""A sample reads at most so many child processes, about 40 microseconds each."""

_HOST_MODES: Final[Mapping[values.CpuMode, tuple[str, ...]]] = {
    values.CpuMode.USER: ("user",),
    values.CpuMode.NICE: ("nice",),
    values.CpuMode.SYSTEM: ("system",),
    values.CpuMode.IDLE: ("idle",),
    values.CpuMode.IOWAIT: ("iowait",),
    values.CpuMode.INTERRUPT: ("irq", "softirq", "interrupt", "dpc"),
    values.CpuMode.STEAL: ("steal",),
}
_VIRTUAL_DISKS: Final = ("loop", "ram", "zram", "dm-", "md")
"""Block devices that pass on to others, which are counted, or to memory."""


class _Shares:
    """Turns CPU seconds by mode into shares of the time since the sample before."""

    def __init__(self) -> None:
        self._before: tuple[float, Mapping[values.CpuMode, float]] | None = None

    def since_last(
        self, seconds: Mapping[values.CpuMode, float], cpu_count: float
    ) -> Mapping[values.CpuMode, float]:
        """Return the share of each mode, 0 to 1; empty for the first sample and for one too close."""
        now_s = time.monotonic()
        before = self._before
        if before is None:
            self._before = (now_s, dict(seconds))
            return {}
        elapsed_s = now_s - before[0]
        if elapsed_s < MIN_ELAPSED_S:
            return {}
        self._before = (now_s, dict(seconds))
        whole_s = elapsed_s * cpu_count
        return {
            mode: min(1.0, max(0.0, (value - before[1].get(mode, 0.0)) / whole_s))
            for mode, value in seconds.items()
        }


class ProcessSource:
    """Reads this process together with its living descendants, such as data-loading workers.

    What a descendant used goes on counting when it has ended: the kernel adds it to the parent that waits for it.
    Memory is the sum of resident sizes, in which pages shared after a fork count for each.
    """

    def __init__(self) -> None:
        self._self = psutil.Process()
        self._since_ns = int(self._self.create_time() * 1e9)
        self._shares = _Shares()
        self._highest: dict[str, float] = {}

    def read(self) -> Iterator[Measurement]:
        """Yield the readings of the process."""
        limits = read_limits()
        total = self._total()
        cpu_count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cpu_count())
        if limits.cpu_count is not None:
            cpu_count = min(cpu_count, limits.cpu_count)
        modes = {
            values.CpuMode.USER: self._never_less("user", total["user"]),
            values.CpuMode.SYSTEM: self._never_less("system", total["system"]),
        }
        for mode, seconds in modes.items():
            yield Measurement(metrics.PROCESS_CPU_TIME, seconds, {attr.CPU_MODE: mode}, self._since_ns)
        for mode, share in self._shares.since_last(modes, cpu_count).items():
            yield Measurement(metrics.PROCESS_CPU_UTILIZATION, share, {attr.CPU_MODE: mode})
        memory_limit = psutil.virtual_memory().total
        if limits.memory_bytes is not None:
            memory_limit = min(memory_limit, limits.memory_bytes)
        yield Measurement(metrics.PROCESS_MEMORY_USAGE, int(total["rss"]), {}, self._since_ns)
        yield Measurement(metrics.PROCESS_MEMORY_VIRTUAL, int(total["vms"]), {}, self._since_ns)
        yield Measurement(metrics.PROCESS_MEMORY_UTILIZATION, total["rss"] / memory_limit)
        yield Measurement(metrics.PROCESS_THREAD_COUNT, int(total["threads"]), {}, self._since_ns)
        if "files" in total:
            yield Measurement(
                metrics.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT, int(total["files"]), {}, self._since_ns
            )
        for direction in values.DiskIoDirection:
            if direction in total:
                size = int(self._never_less(direction, total[direction]))
                yield Measurement(
                    metrics.PROCESS_DISK_IO, size, {attr.DISK_IO_DIRECTION: direction}, self._since_ns
                )
        yield Measurement(metrics.PROCESS_UPTIME, time.time() - self._since_ns / 1e9)

    def _total(self) -> dict[str, float]:
        total = _use_of(self._self)
        for pid in _descendants(self._self)[:MAX_DESCENDANTS]:
            try:
                for key, value in _use_of(psutil.Process(pid)).items():
                    total[key] = total.get(key, 0) + value
            except psutil.Error:
                continue  # it ended meanwhile, or belongs to another user
        return total

    def _never_less(self, name: str, value: float) -> float:
        """Return the value, or the highest so far: a descendant nobody waited for takes its count with it."""
        self._highest[name] = max(value, self._highest.get(name, 0))
        return self._highest[name]


class HostSource:
    """Reads the host, as the kernel shows it to this process."""

    def __init__(self) -> None:
        self._since_ns = int(psutil.boot_time() * 1e9)
        self._shares = _Shares()
        self._cpu_count = _cpu_count()

    def read(self) -> Iterator[Measurement]:
        """Yield the readings of the host; idle devices and modes are left out."""
        yield from self._cpu()
        memory = _memory_states()
        whole = sum(memory.values())
        yield Measurement(metrics.SYSTEM_MEMORY_LIMIT, whole, {}, self._since_ns)
        for state, size in memory.items():
            attributes = {attr.SYSTEM_MEMORY_STATE: state}
            yield Measurement(metrics.SYSTEM_MEMORY_USAGE, size, attributes, self._since_ns)
            yield Measurement(metrics.SYSTEM_MEMORY_UTILIZATION, size / whole, attributes)
        for device, disk in (psutil.disk_io_counters(perdisk=True) or {}).items():
            if disk.read_bytes + disk.write_bytes and not device.startswith(_VIRTUAL_DISKS):
                for direction, size in (
                    (values.DiskIoDirection.READ, disk.read_bytes),
                    (values.DiskIoDirection.WRITE, disk.write_bytes),
                ):
                    yield Measurement(
                        metrics.SYSTEM_DISK_IO,
                        size,
                        {attr.DISK_IO_DIRECTION: direction, attr.SYSTEM_DEVICE: device},
                        self._since_ns,
                    )
        for interface, network in psutil.net_io_counters(pernic=True).items():
            if network.bytes_recv + network.bytes_sent and not interface.startswith("lo"):
                for way, size in (
                    (values.NetworkIoDirection.RECEIVE, network.bytes_recv),
                    (values.NetworkIoDirection.TRANSMIT, network.bytes_sent),
                ):
                    yield Measurement(
                        metrics.SYSTEM_NETWORK_IO,
                        size,
                        {attr.NETWORK_IO_DIRECTION: way, attr.NETWORK_INTERFACE_NAME: interface},
                        self._since_ns,
                    )

    def _cpu(self) -> Iterator[Measurement]:
        times = psutil.cpu_times()
        modes = {
            mode: sum(getattr(times, name, 0.0) for name in names) for mode, names in _HOST_MODES.items()
        }
        modes = {mode: seconds for mode, seconds in modes.items() if seconds}
        yield Measurement(metrics.SYSTEM_CPU_LOGICAL_COUNT, self._cpu_count, {}, self._since_ns)
        for mode, seconds in modes.items():
            yield Measurement(metrics.SYSTEM_CPU_TIME, seconds, {attr.CPU_MODE: mode}, self._since_ns)
        for mode, share in self._shares.since_last(modes, self._cpu_count).items():
            yield Measurement(metrics.SYSTEM_CPU_UTILIZATION, share, {attr.CPU_MODE: mode})


def _cpu_count() -> int:
    return os.cpu_count() or 1


def _memory_states() -> dict[values.SystemMemoryState, int]:
    memory: Any = psutil.virtual_memory()  # its fields differ by platform
    states = {
        values.SystemMemoryState.FREE: int(memory.free),
        values.SystemMemoryState.BUFFERS: int(getattr(memory, "buffers", 0)),
        values.SystemMemoryState.CACHED: int(getattr(memory, "cached", 0)),
    }
    return {values.SystemMemoryState.USED: max(0, int(memory.total) - sum(states.values())), **states}


def _use_of(process: psutil.Process) -> dict[str, float]:
    """Return what one process uses, with what its waited-for children used."""
    with process.oneshot():
        cpu, memory = process.cpu_times(), process.memory_info()
        found: dict[str, float] = {
            "user": cpu.user + cpu.children_user,
            "system": cpu.system + cpu.children_system,
            "rss": memory.rss,
            "vms": memory.vms,
            "threads": process.num_threads(),
        }
        if hasattr(process, "num_fds"):
            found["files"] = process.num_fds()
        if hasattr(process, "io_counters"):
            disk = process.io_counters()
            found[values.DiskIoDirection.READ] = disk.read_bytes
            found[values.DiskIoDirection.WRITE] = disk.write_bytes
    return found


def _descendants(process: psutil.Process) -> list[int]:
    """Return the ids of all living descendants; on Linux without looking at every process of the host."""
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        return [child.pid for child in process.children(recursive=True)]
    found: list[int] = []
    waiting = [process.pid]
    while waiting and len(found) < MAX_DESCENDANTS:
        pid = waiting.pop()
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                children = (thread / "children").read_text(encoding="ascii").split()
                waiting += map(int, children)
                found += map(int, children)
        except OSError as error:
            if is_interruption(error):
                raise
            continue  # it ended meanwhile
    return found
