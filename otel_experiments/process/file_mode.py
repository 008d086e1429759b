"""Who may read and write the files of a store: its owner alone, unless its mode says otherwise.

The file of an existing store decides for what is made beside it, so that a store that a group shares stays one. What
root makes in the folder of another user belongs to that user.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from otel_experiments.process.interruption import Swallowing
from otel_experiments.process.paths import is_folder
from otel_experiments.process.signals_wait import SignalsWait

PRIVATE: Final = 0o600
UMASK: Final = "umask"
_OCTAL: Final = re.compile(r"0?o?([0-7]{3})")
_OWNER: Final = 0o600


def parse_file_mode(text: str) -> str:
    """Return the text of a mode if it can be used: `0600`, `0660`, `0664`, `umask`.

    Raises:
        ValueError: it is no mode, or takes from the owner the right to read and write.
    """
    found = _OCTAL.fullmatch(text.strip())
    if text.strip() == UMASK:
        return UMASK
    if found is None or int(found[1], 8) & 0o111:
        raise ValueError("it is neither three octal digits of reading and writing, such as 0660, nor umask")
    if int(found[1], 8) & _OWNER != _OWNER:
        raise ValueError("it keeps the owner from reading and writing")
    return f"0{found[1]}"


def file_mode_of(setting: str | None, store: Path | None) -> int:
    """Return the mode of the files that are made for a store.

    Args:
        setting: what `parse_file_mode` returned; None for the store's own mode, else the owner's alone.
        store: the store's file, which need not exist.
    """
    if setting == UMASK:
        return 0o666 & ~_umask()
    if setting is not None:
        return int(setting, 8)
    if store is not None:
        for path, right in ((store, 0o666), (store.with_name(f"{store.name}.journals"), 0o666)):
            with Swallowing(OSError, ValueError):
                return stat.S_IMODE(path.stat().st_mode) & right | _OWNER
    return PRIVATE


def create_file(path: str | Path, file_mode: int, *, above: os.stat_result | None = None) -> int:
    """Make a file that is not there yet; return its descriptor, for reading and writing.

    Args:
        path: the file.
        file_mode: who may read and write it.
        above: what its folder is, where the caller knows it already.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER & file_mode)
    try:
        if file_mode & ~_OWNER:
            os.fchmod(descriptor, file_mode)  # whatever the umask takes away
        _hand_over(descriptor, path, above)
    except BaseException:
        os.close(descriptor)
        Path(path).unlink(missing_ok=True)
        raise
    return descriptor


def make_directory(path: Path, file_mode: int) -> None:
    """Make a folder for files of the mode, and those above it; one that is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    if is_folder(path):
        return
    if not is_folder(path.parent):
        with SignalsWait():  # mkdir takes every OSError for a folder that is there
            path.parent.mkdir(parents=True, exist_ok=True)
    mode = file_mode | (file_mode & 0o444) >> 2  # who may read a file there may look for it
    try:
        path.mkdir(mode=mode & 0o700)
    except FileExistsError:  # made by another process just now
        if not is_folder(path):
            raise
        return
    if mode & 0o077:
        path.chmod(
            stat.S_IMODE(path.stat().st_mode) | mode
        )  # keeps a folder's bit for the group of what is in it
    if _is_root():
        with Swallowing(OSError):
            above = path.parent.stat()
            os.chown(path, above.st_uid, above.st_gid)


def _hand_over(descriptor: int, path: str | Path, above: os.stat_result | None) -> None:
    """Give a file that root makes to the owner of the folder, as SQLite does with the files beside a database."""
    if above is not None and not above.st_uid:  # root's own, or nobody else's
        return
    if _is_root():
        with Swallowing(OSError):
            if above is None:
                above = os.stat(os.path.dirname(path) or os.curdir)  # noqa: PTH116, PTH120 - a quarter of the time
            if above.st_uid:
                os.fchown(descriptor, above.st_uid, above.st_gid)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _umask() -> int:
    """Return the process's umask; looked up without changing it where the system tells."""
    with Swallowing(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.partition(":")[2], 8)
    found = os.umask(0o077)
    os.umask(found)
    return found
