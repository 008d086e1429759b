"""Who a process is, told so that a reused pid is never mistaken for it, and whether it still exists."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from otel_experiments.model.run import Owner
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_there

FOREIGN_TIMEOUT_NS: Final = 60 * 10**9
"""A process that cannot be looked at from here counts as gone when its last sign of life is older than this."""
_PROC = Path("/proc")
_UNKNOWN = "unknown"
"""Stands for a boot id that nobody tells."""


@lru_cache(maxsize=1)
def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename[:64]  # what gethostname says, without 2 ms for importing socket
    import socket  # noqa: PLC0415 - as above

    return socket.gethostname()[:64]


@lru_cache(maxsize=1)
def _boot_id() -> str:
    """Name the process table: the kernel's boot id and, where there are any, the pid namespace.

    Two containers of one machine share the boot id but not the pids, so the namespace belongs to it. Where nobody
    tells either, the name says so: whether such a process lives, only one that cannot tell either looks at.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError as error:
        if is_interruption(error):
            raise
        return _boot_id_without_proc()
    try:
        namespace = os.stat(_PROC / "self/ns/pid").st_ino  # noqa: PTH116 - one call, no Path allocation
    except OSError as error:
        if is_interruption(error):
            raise
        namespace = 0
    return f"{boot}:{namespace:x}"


def _boot_id_without_proc() -> str:
    try:
        import psutil  # noqa: PLC0415 - only where there is no /proc

        return f"{_host()[:40]}:{int(psutil.boot_time())}"
    except Exception as error:  # Linux without /proc: psutil reads it too, some releases when imported
        if is_interruption(error):
            raise
        return f"{_UNKNOWN}:{_host()[:40]}"


def _start_ticks(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot; None when there is no such process, 0 if unknown.

    Source: proc(5), /proc/pid/stat, field 22. A zombie has ended, so it counts as gone.
    """
    if not is_there(_PROC / "self"):
        return _start_ticks_without_proc(pid)
    try:
        raw = (_PROC / str(pid) / "stat").read_bytes()
    except OSError as error:
        if is_interruption(error):
            raise
        return None
    fields = raw[raw.rindex(b")") + 2 :].split()
    return None if fields[0] in b"ZXx" else int(fields[19])


def _start_ticks_without_proc(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError as error:  # another user's
        if is_interruption(error):
            raise
    try:
        import psutil  # noqa: PLC0415 - only where there is no /proc

        return int(psutil.Process(pid).create_time() * 100)
    except Exception as error:  # as above
        if is_interruption(error):
            raise
        return 0


def process_start_ticks(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot; 0 when there is no such process."""
    return _start_ticks(pid) or 0


def current_owner() -> Owner:
    """Return the identity of this process."""
    pid = os.getpid()
    return Owner(host=_host(), boot_id=_boot_id(), pid=pid, start_ticks=process_start_ticks(pid))


def is_alive(owner: Owner) -> bool | None:
    """Tell whether the process exists: True or False on this machine's process table, None on another's."""
    if owner.boot_id != _boot_id():
        if _UNKNOWN in (owner.boot_id.partition(":")[0], _boot_id().partition(":")[0]):
            return None
        same_machine = (
            owner.host == _host() and owner.boot_id.partition(":")[0] != _boot_id().partition(":")[0]
        )
        return False if same_machine else None
    ticks = _start_ticks(owner.pid)
    return ticks is not None and (ticks == 0 or owner.start_ticks in (0, ticks))
