"""Why the system kept SQLite from writing, which SQLite itself calls "disk I/O error" whatever it was."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_experiments.journal.limits import reason_of
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from otel_experiments.journal.limits import Reason

_PROBE_BYTES: Final = 64 << 10


def find_reason(path: Path) -> Reason | None:
    """Return which limit of the system a database at the path runs into; None where none shows itself.

    Looks at the sizes of its files, then writes a small file without a name beside it.
    """
    limit_bytes = _file_limit_bytes()
    for suffix in ("", "-wal", "-shm"):
        try:
            size_bytes = path.with_name(path.name + suffix).stat().st_size
        except OSError as error:
            if is_interruption(error):
                raise
            continue
        if size_bytes + _PROBE_BYTES > limit_bytes:
            return reason_of(OSError(errno.EFBIG, os.strerror(errno.EFBIG)))
    try:
        _write_probe(path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}"), limit_bytes)
    except OSError as error:
        if is_interruption(error):
            raise
        return reason_of(error)
    return None


def _write_probe(path: Path, limit_bytes: int) -> None:
    # Not by tempfile: every reader would import it, and shutil with it, for 4 ms.
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        left_bytes = min(_PROBE_BYTES, limit_bytes)
        while left_bytes > 0:
            left_bytes -= os.write(descriptor, bytes(left_bytes))
    finally:
        os.close(descriptor)


def _file_limit_bytes() -> int:
    try:
        import resource  # noqa: PLC0415 - not on every platform

        soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    except (ImportError, AttributeError, OSError) as error:
        if is_interruption(error):
            raise
        return 1 << 62
    return soft if soft >= 0 else 1 << 62
