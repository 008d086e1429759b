"""Where goldens lie, and the files beside them: pending ones, times, and those that nobody asks for any more.

    golden/train.otg             structure, configuration, curves; people review it
    golden/train.otg.stats       times; machines read it, it may be absent
    golden/train.otg.new         what the last check would accept, until it is reviewed

Files take their name only when they are complete, so that two processes never write into one.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SUFFIX: Final = ".otg"
STATS_SUFFIX: Final = ".otg.stats"
PENDING: Final = ".new"


def stats_path(golden: Path) -> Path:
    """Return the file with the times of a golden."""
    return golden.with_name(f"{golden.name.removesuffix(SUFFIX)}{STATS_SUFFIX}")


def pending_path(path: Path) -> Path:
    """Return where a golden, or its times, wait for review."""
    return path.with_name(f"{path.name}{PENDING}")


def golden_of_pending(pending: Path) -> Path:
    """Return the golden that a pending file would replace."""
    return pending.with_name(pending.name.removesuffix(PENDING))


def find_goldens(folders: Iterable[Path]) -> list[Path]:
    """Return the goldens in these folders and below, by path.

    Args:
        folders: where to look, at any depth.
    """
    return sorted({path for folder in folders for path in folder.rglob(f"*{SUFFIX}") if path.is_file()})


def find_pending(folders: Iterable[Path]) -> list[Path]:
    """Return the pending goldens in these folders and below, by path.

    Args:
        folders: where to look, at any depth.
    """
    return sorted(
        {path for folder in folders for path in folder.rglob(f"*{SUFFIX}{PENDING}") if path.is_file()}
    )


def require_writable(path: Path) -> None:
    """Let a path pass at which a file can be made: to be told before a command has run for hours.

    Raises:
        OSError: its folder, or the nearest one above it that is there, takes no files.
    """
    folder = next(above for above in path.absolute().parents if above.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "its folder takes no new files", str(path))


def describe_os_error(error: OSError) -> str:
    """Return what failed and where, for a sentence."""
    return f"{error.strerror or error} ({error.filename})" if error.filename else str(error)


def write_text(path: Path, text: str, *, is_new: bool = False) -> None:
    """Write the file so that it is there whole or not at all; LF at the ends of lines, UTF-8.

    Args:
        path: the file.
        text: what is to be in it.
        is_new: a file that is there, or appears meanwhile, stays as it is.

    Raises:
        FileExistsError: it is there, and `is_new`.
        OSError: it cannot be written; the error names it.
    """
    try:
        _write(path, text, is_new=is_new)
    except OSError as exc:
        exc.filename, exc.filename2 = os.fspath(path), None  # not the temporary one
        raise


def _write(path: Path, text: str, *, is_new: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".otg.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        if is_new:
            _place_new(Path(temporary), path)
        else:
            Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _place_new(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as exc:  # a filesystem without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from exc
        temporary.replace(path)
    else:
        temporary.unlink()


def accept(pending: Path) -> Path:
    """Let a pending golden, and its times, take the place of the accepted one; returns its path.

    Args:
        pending: the pending file, `NAME.otg.new`.
    """
    golden = golden_of_pending(pending)
    waiting = pending_path(stats_path(golden))
    if waiting.exists():
        waiting.replace(stats_path(golden))
    return pending.replace(golden)


def reject(pending: Path) -> None:
    """Delete a pending golden and its times; the accepted one stays as it is.

    Args:
        pending: the pending file, `NAME.otg.new`.
    """
    pending.unlink(missing_ok=True)
    pending_path(stats_path(golden_of_pending(pending))).unlink(missing_ok=True)


def remove(golden: Path) -> list[Path]:
    """Delete a golden with everything beside it; returns what was deleted."""
    beside = [golden, stats_path(golden), pending_path(golden), pending_path(stats_path(golden))]
    gone = [path for path in beside if path.exists()]
    for path in gone:
        path.unlink()
    return gone
