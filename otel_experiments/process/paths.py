"""Whether something is at a path: as `pathlib` has it, but for the exceptions of signal handlers, which leave it.

`Path.exists` and `Path.is_dir` take every ValueError for a path that cannot be, also one that a handler raised.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.signals_wait import SignalsWait

_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP})


def is_there(path: Path) -> bool:
    """Whether there is anything at the path.

    Raises:
        OSError: it cannot be told, for instance because a folder may not be read.
    """
    return _mode(path) is not None


def is_folder(path: Path) -> bool:
    """Whether there is a folder at the path; raises as `is_there`."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def is_regular(path: Path) -> bool:
    """Whether there is a regular file at the path; raises as `is_there`."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def real_path(path: str | os.PathLike[str]) -> str:
    """Return where the path leads, as `os.path.realpath`, which takes every OSError for a file that is not there."""
    with SignalsWait():
        return os.path.realpath(path)


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - Path.stat is a call more
    except OSError as error:
        if is_interruption(error) or error.errno not in _ABSENT:
            raise
        return None
