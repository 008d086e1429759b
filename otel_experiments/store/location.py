"""From what a user types to an open store."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from otel_experiments.errors import StorePathError
from otel_experiments.model.store_address import MEMORY, SQLITE, SQLITE_MEMORY, scheme_of
from otel_experiments.store.protocol import Store
from otel_experiments.store.sqlite.store import SqliteStore


def open_store(
    location: str | PathLike[str],
    *,
    read_only: bool = False,
    create: bool = True,
    busy_timeout_s: float = 5.0,
    file_mode: int | None = None,
) -> Store:
    """Return the store at `location`, made there when it is missing. Opening changes nothing of what is there.

    Units: `busy_timeout_s` is how long a write waits for another process, in seconds.

    Args:
        location: a path, `sqlite://PATH`, `:memory:` or `sqlite://:memory:` (SQLite in memory), or `memory://`
            (plain Python).
        read_only: open for reading; works while another process writes, and makes no file. A store that an older
            release wrote is brought up to this release's schema, as it is when it is opened for writing.
        create: make the store (and its folders) when it is missing.
        busy_timeout_s: see above.
        file_mode: who may read and write a file that is made, such as 0o660; by default the owner alone, or whom
            the journals beside it are for. A file that is there keeps its mode.

    Raises:
        StorePathError: an unknown scheme, a directory, a place that may not be written.
        StoreNotFoundError: nothing is there and nothing may be made.
        NotAStoreError: the file is something else.
        NewerSchemaError: a newer release wrote it.
        StoreReadOnlyError: an older release wrote it, and this process may not write it.
        StoreLockedError: another process held it for too long.
    """
    text = os.fspath(location)
    if text == MEMORY:
        from otel_experiments.store.memory.store import MemoryStore  # noqa: PLC0415 - 20 ms that few need

        return MemoryStore(read_only=read_only)
    if text.startswith(SQLITE):
        text = text.removeprefix(SQLITE)
    elif scheme := scheme_of(text):
        raise StorePathError(
            path=text,
            why=f"{scheme!r} is no kind of store that is known",
            fix="Give a path, sqlite://PATH, sqlite://:memory: or memory://.",
        )
    if text == SQLITE_MEMORY:
        return SqliteStore(None, busy_timeout_s=busy_timeout_s)
    if not text.strip():
        raise StorePathError(path=text, why="it is empty", fix="Give a path such as experiments.db.")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise StorePathError(
            path=text, why="there is no such home", fix="Give a whole path: --store /PATH."
        ) from None
    return SqliteStore(
        path, read_only=read_only, create=create, busy_timeout_s=busy_timeout_s, file_mode=file_mode
    )
