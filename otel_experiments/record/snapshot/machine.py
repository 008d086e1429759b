"""The machine as a person compares it: processor, cores, memory, accelerators, with what this process may use of them."""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Final

import psutil

from otel_experiments.codec.text import clean_text
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.system.cgroup import read_limits

_CPU_INFO: Final = Path("/proc/cpuinfo")
_NVIDIA: Final = Path("/proc/driver/nvidia")
_SMALL_BYTES: Final = 64 << 10


def machine_facts(*, cpu_info: Path = _CPU_INFO, nvidia: Path = _NVIDIA) -> dict[str, object]:
    """Return `cpu`, `cpu_count`, `usable_cpu_count`, `memory_bytes`, `usable_memory_bytes`, `accelerators`, `driver`, `os`."""
    limits = read_limits()
    memory_bytes = psutil.virtual_memory().total
    found: dict[str, object] = {
        "cpu": _model(cpu_info) or clean_text(platform.processor()),
        "cpu_count": os.cpu_count(),
        "usable_cpu_count": _usable_cpus(limits.cpu_count),
        "memory_bytes": memory_bytes,
        "usable_memory_bytes": min(memory_bytes, limits.memory_bytes or memory_bytes),
        "accelerators": _accelerators(nvidia / "gpus"),
        "driver": _driver(nvidia / "version"),
        "os": clean_text(platform.platform()),
    }
    return {key: value for key, value in found.items() if value}


def _usable_cpus(quota: float | None) -> float | None:
    """Return how many processors this process may use; a quota may be a fraction of one."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    found = min((one for one in (affinity, quota) if one), default=None)
    return int(found) if found is not None and found == int(found) else found


def _model(path: Path) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text(path), re.MULTILINE)
    return clean_text(found[1].strip()) if found else ""


def _accelerators(folder: Path) -> list[str]:
    """Return the models of NVIDIA GPUs that the driver shows, as `8 x NAME`, without loading a library."""
    names: Counter[str] = Counter()
    try:
        for place in sorted(folder.iterdir()):
            found = re.search(r"^Model:\s*(.+)$", _text(place / "information"), re.MULTILINE)
            if found:
                names[clean_text(found[1].strip())] += 1
    except OSError as error:
        if is_interruption(error):
            raise
    return [f"{count} x {name}" if count > 1 else name for name, count in names.items()]


def _driver(path: Path) -> str:
    found = re.search(r"Kernel Module(?:[^\d\n]*)\s(\d+(?:\.\d+)+)", _text(path))
    return f"NVIDIA {found[1]}" if found else ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SMALL_BYTES).decode("utf-8", "replace")
    except OSError as error:
        if is_interruption(error):
            raise
        return ""
