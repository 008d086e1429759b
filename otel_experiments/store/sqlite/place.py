"""What is at the path of a store: whether a store can be there, and what a file without tables is."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_experiments.errors import (
    NotAStoreError,
    StoreDamagedError,
    StoreIncompleteError,
    StoreNotFoundError,
    StorePathError,
)
from otel_experiments.model.store_location import BUNDLE_SUFFIX, SQLITE_START
from otel_experiments.process.file_mode import create_file, file_mode_of
from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.store.sqlite.bundle_header import (
    GET_IT_AGAIN,
    HEADER_BYTES,
    expected_size_bytes,
    is_bundle_header,
    is_in_use_here,
)

if TYPE_CHECKING:
    from otel_experiments.errors import StoreError

_MOST_PATH_BYTES: Final = 504
"""SQLite takes 512, the ending of its rollback journal among them."""
_MOST_NAME_BYTES: Final = 255 - len(".journals")
_LOGGED_AT: Final = 18
_LOGGED: Final = b"\x02\x02"
"""What stands there in a database with a write-ahead log. Source: sqlite.org/fileformat2.html, section 1.3.3."""


def check_path(path: Path, *, create: bool, file_mode: int | None = None) -> bool:
    """Let a path pass that may hold a store; `create`: one that is not there yet is made, and may be written.

    It returns whether a bundle is there.

    Raises:
        StorePathError: a directory, a device, not readable, not writable, the name of a bundle that is not there.
        StoreNotFoundError: nothing is there, and nothing may be made.
        NotAStoreError: no SQLite database is there.
        StoreDamagedError: a bundle is cut.
    """
    mode = _mode(path)
    _check_length(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise StorePathError(
            path=str(path), why="it is a directory", fix=f"Name a file in it: {path / 'experiments.db'}"
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise StorePathError(
            path=str(path),
            why="it is a device, pipe or socket, not a file",
            fix="Name a file: --store PATH or OTEL_EXPERIMENTS_STORE=PATH.",
        )
    if mode is None:
        if not create:
            raise StoreNotFoundError(path=str(path))
        _make_store(path, file_mode)
        return False
    try:
        # What this process has open was looked at, and must not be opened beside SQLite.
        if not is_in_use_here(path) and _holds_bundle(path):
            return True
    except OSError as error:
        if is_interruption(error):
            raise
        raise StorePathError(
            path=str(path),
            why=f"it may not be read ({error.strerror})",
            fix=f"Ask for the right to read it: ls -l {path}",
        ) from error
    if create and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise not_writable(path, "it may not be written")
    return False


def _make_store(path: Path, file_mode: int | None) -> None:
    """Make an empty file, and the folders that it is in."""
    if path.suffix.lower() == BUNDLE_SUFFIX:
        raise StorePathError(
            path=str(path),
            why=f"{BUNDLE_SUFFIX} is the ending of a bundle, which is only read",
            fix="Record into a store, such as experiments.db, and make a bundle of it: otel-experiments bundle",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if is_interruption(error):
            raise
        raise StorePathError(
            path=str(path),
            why=f"its folder cannot be made ({error.strerror})",
            fix="Name a path whose folder you may write: --store PATH or OTEL_EXPERIMENTS_STORE=PATH.",
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise not_writable(path, "its folder may not be written")
    _make_empty(path, file_mode_of(None, path) if file_mode is None else file_mode)


def _holds_bundle(path: Path) -> bool:
    """Tell whether a file is a bundle.

    Raises:
        OSError: it cannot be read.
        NotAStoreError: it is no SQLite database.
        StoreDamagedError: it is a bundle that is cut.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        size_bytes = file.seek(0, os.SEEK_END)
    if path.suffix.lower() == BUNDLE_SUFFIX and SQLITE_START.startswith(header[: len(SQLITE_START)]):
        _refuse_cut(path, HEADER_BYTES, size_bytes)
    if header and not header.startswith(SQLITE_START):
        raise NotAStoreError(path=str(path), found="it is not a SQLite database")
    if is_bundle_header(header):
        _refuse_cut(path, expected_size_bytes(header), size_bytes)
        return True
    return False


def _refuse_cut(path: Path, expected_bytes: int, found_bytes: int) -> None:
    if found_bytes < expected_bytes:
        found = f"it is cut: {found_bytes:,} bytes are there, and it had at least {expected_bytes:,}"
        raise StoreDamagedError(path=str(path), found=found, fix=GET_IT_AGAIN)


def _make_empty(path: Path, file_mode: int) -> None:
    """Make the file before SQLite does, which would let everybody read it; those beside it get the same mode."""
    try:
        os.close(create_file(path, file_mode))
    except FileExistsError:  # another process was first
        return
    except OSError as error:
        if is_interruption(error):
            raise
        raise not_writable(path, f"it cannot be made ({error.strerror})") from error


def _check_length(path: Path) -> None:
    """Refuse a path that SQLite, or the names of the files beside it, cannot be as long as."""
    size_bytes = len(os.fsencode(os.path.realpath(path)))
    name_bytes = len(os.fsencode(path.name))
    for size, most, what in (
        (size_bytes, _MOST_PATH_BYTES, "whole path"),
        (name_bytes, _MOST_NAME_BYTES, "name"),
    ):
        if size > most:
            raise StorePathError(
                path=str(path),
                why=f"its {what} has {size} bytes, and a store's may have {most}",
                fix="Name a shorter one: --store PATH or OTEL_EXPERIMENTS_STORE=PATH.",
            )


def nothing_there(path: Path, *, besides: object = None) -> StoreError:
    """Return the error of a file without tables: it is empty, or it had a log beside it that is gone.

    `besides`: what has it open to look at it.
    """
    if is_in_use_here(path, besides=besides):  # another thread makes it
        return StoreNotFoundError(path=str(path))
    with Swallowing(OSError), path.open("rb") as file:
        if file.read(_LOGGED_AT + 2)[_LOGGED_AT:] == _LOGGED:
            return StoreIncompleteError(path=str(path))
    return StoreNotFoundError(path=str(path))


def not_writable(path: Path, why: str) -> StorePathError:
    """Return the error of a path that may not be written, with what to do."""
    return StorePathError(
        path=str(path),
        why=why,
        fix="Name a path that you may write (--store PATH or OTEL_EXPERIMENTS_STORE=PATH), "
        "or open it for reading only.",
    )


def _mode(path: Path) -> int | None:
    """Return the type and the rights of what is at the path; None where nothing is.

    Raises:
        StorePathError: nobody can tell: the path is too long, holds NUL, or leads through a locked folder.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StorePathError(
            path=str(path),
            why=f"it cannot be looked at ({why})",
            fix="Name a path that you can reach: --store PATH or OTEL_EXPERIMENTS_STORE=PATH.",
        ) from error
