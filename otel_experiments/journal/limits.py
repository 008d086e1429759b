"""What the system allows a journal: which sizes are worth trying, descriptors kept for bad times, reasons in words."""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple

from otel_experiments.process.interruption import is_interruption

_SMALLER_HELPS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG})
_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
_FEWEST_BYTES: Final = 64 << 10
_MODEST_BYTES: Final = 256 << 10
_KEPT: Final = 4
"""Making a segment takes two descriptors, of which one stays with its map; the others are to be seldom needed."""


class Reason(NamedTuple):
    """Why the system refuses: what is wrong, and what to do about it."""

    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}. {self.fix}"


def sizes_to_try(wanted_bytes: int, least_bytes: int, refusal: OSError | None = None) -> list[int]:
    """Return the sizes to try after the wanted one was refused, largest first; none where a smaller one cannot help.

    What memory refuses is tried small at once: what little is left is the program's.
    """
    if refusal is None or refusal.errno not in _SMALLER_HELPS:
        return []
    largest = _MODEST_BYTES if refusal.errno == errno.ENOMEM else wanted_bytes // 4
    sizes = []
    size = min(largest, wanted_bytes // 4)
    while size > max(least_bytes, _FEWEST_BYTES):
        sizes.append(size)
        size //= 4
    if least_bytes < _FEWEST_BYTES < wanted_bytes:
        sizes.append(_FEWEST_BYTES)
    if least_bytes < wanted_bytes:
        sizes.append(least_bytes)
    return sizes


def lacks_descriptors(error: OSError) -> bool:
    """Tell whether there was no descriptor left, of this process or of the machine."""
    return error.errno in _NO_DESCRIPTORS


class DescriptorReserve:
    """Descriptors that are held, so that there are some when the program has used up all others."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def fill(self) -> None:
        """Hold as many as wanted, or as many as there are."""
        while len(self._held) < _KEPT:
            try:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                if is_interruption(error):
                    raise
                return

    def release(self) -> bool:
        """Let go of all; True when there were any."""
        count = len(self._held)
        while self._held:
            os.close(self._held.pop())
        return bool(count)

    def __del__(self) -> None:
        self.release()


def reason_of(error: BaseException) -> Reason:  # noqa: PLR0911 - one return a reason
    """Return in words why the system refused."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    if number == errno.ENOSPC:
        return Reason("the disk is full", "Free some space")
    if number == errno.EDQUOT:
        return Reason("your quota on the disk is used up", "Free some space, or ask for more (quota -s)")
    if number == errno.EFBIG:
        return Reason(f"files may not be larger{_limit('RLIMIT_FSIZE', 'ulimit -f')}", "Raise that limit")
    if number == errno.EMFILE:
        return Reason(
            f"no descriptors are left{_limit('RLIMIT_NOFILE', 'ulimit -n')}",
            "Close files, or raise that limit",
        )
    if number == errno.ENFILE:
        return Reason("the machine has no descriptors left (fs.file-max)", "Close files or end programs")
    if number == errno.ENOMEM:
        return Reason(
            f"no memory or address space is left{_limit('RLIMIT_AS', 'ulimit -v')}", "Free some memory"
        )
    if number == errno.EROFS:
        return Reason("its filesystem can only be read", "Mount it for writing, or name another store")
    if number in {errno.EACCES, errno.EPERM}:
        return Reason("you may not write there", "Ask for the right to write, or name another store")
    return Reason(
        getattr(error, "strerror", None) or str(error) or type(error).__name__,
        "See what is wrong with the disk",
    )


def _limit(name: str, command: str) -> str:
    """Return how high a limit is, as the shell's command shows it; nothing where there is none."""
    try:
        import resource  # noqa: PLC0415 - not on every platform, and rarely needed

        soft, _ = resource.getrlimit(getattr(resource, name))
    except (ImportError, AttributeError, ValueError, OSError) as error:
        if is_interruption(error):
            raise
        return f" ({command})"
    return f" ({command})" if soft < 0 else f" ({command}: the limit is {soft:,})"
