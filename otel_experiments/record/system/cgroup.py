"""How much memory and CPU this process may use: the limits of its control groups, versions 2 and 1.

Reads files and nothing else. A limit that is not set, or cannot be read, is None: then the host is the limit.
Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst; CFS bandwidth control.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from otel_experiments.process.interruption import is_interruption

_UNLIMITED_V1_BYTES: Final = 1 << 60
"""Version 1 says "no limit" with the largest multiple of the page size that fits into 63 bits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the control groups allow; `cpu_count` may be a fraction. None: no limit."""

    memory_bytes: int | None = None
    cpu_count: float | None = None


def read_limits(
    *, membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Limits:
    """Return the tightest limits of the process's groups and of all groups above them.

    Args:
        membership: the file that says which groups the process is in.
        root: where the group file systems are mounted.
    """
    memory: list[int] = []
    cpus: list[float] = []
    for line in (_text(membership) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for mount in (root, root / "unified"):
                for group in _upwards(mount, path):
                    memory += _whole(group / "memory.max")
                    cpus += _quota((_text(group / "cpu.max") or "").split())
            continue
        names = controllers.split(",")
        for mount in (root / controllers, *(root / name for name in names)):
            for group in _upwards(mount, path):
                if "memory" in names:
                    memory += _whole(group / "memory.limit_in_bytes")
                if "cpu" in names:
                    quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
                    cpus += _quota([quota or "", period or ""])
    return Limits(
        memory_bytes=min((limit for limit in memory if limit < _UNLIMITED_V1_BYTES), default=None),
        cpu_count=min(cpus, default=None),
    )


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the group's folder and those above it, up to the mount.

    Inside a container the path may be the host's, of which only the mount itself is to be seen; folders that
    are not there are passed over by reading nothing from them.
    """
    path = PurePosixPath("/", group)
    for folder in (path, *path.parents):
        if ".." not in folder.parts:
            yield mount / folder.relative_to("/")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        if is_interruption(error):
            raise
        return None


def _whole(path: Path) -> Iterable[int]:
    text = _text(path) or ""
    return (int(text),) if text.isascii() and text.isdigit() else ()


def _quota(parts: list[str]) -> Iterable[float]:
    """Return quota over period, of `max 100000` (version 2) or `-1`, `100000` (version 1) nothing."""
    try:
        quota, period = (float(part) for part in parts)
    except ValueError:
        return ()
    return (quota / period,) if quota > 0 and period > 0 else ()
