"""A bundle of an older release as a store of this one: its rows, brought up in a temporary file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from otel_experiments.errors import StoreDamagedError, StoreError, StoreFullError, StorePathError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.temporary import TemporaryFolder
from otel_experiments.store.sqlite.bundle_format import bundle_uri
from otel_experiments.store.sqlite.bundle_header import GET_IT_AGAIN
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.schema import APPLICATION_ID, MIGRATIONS
from otel_experiments.store.sqlite.store import SqliteStore

_ELSEWHERE: Final = "Free some space there, or name another folder: TMPDIR=PATH"


class _Upgraded(SqliteStore):
    """A store in a temporary folder that goes with it."""

    def __init__(self, folder: TemporaryFolder, path: Path) -> None:
        super().__init__(path)
        self._folder = folder

    def close(self, *, settles: bool = True) -> None:
        """Let go of all connections, and of the file; safe to call twice."""
        del settles
        super().close(settles=False)
        self._folder.remove()


def upgraded_bundle(path: Path) -> SqliteStore:
    """Return a store with what a bundle of an older release holds, in a temporary file that goes with the store.

    The bytes of artifacts stay in the bundle.

    Raises:
        StorePathError: there is no place for a temporary file.
        StoreFullError: there is no room for it.
        StoreDamagedError: the bundle holds what no older release wrote.
        StoreError: the bundle cannot be read.
    """
    Database(path, read_only=True, create=False, busy_timeout_s=5.0, takes_older=True).close()  # checks it
    folder = _folder_for(path)
    made = folder.path / "upgraded.db"
    try:
        with _told(path, folder.path):
            _copy_rows(path, made)
            return _Upgraded(folder, made)
    except BaseException:
        folder.remove()
        raise


def _folder_for(path: Path) -> TemporaryFolder:
    try:
        return TemporaryFolder()
    except OSError as error:
        if is_interruption(error):
            raise
        raise StorePathError(
            path=str(path),
            why=f"it is of an older release, and there is no place for a temporary file ({error})",
            fix="Name a folder that you may write: TMPDIR=PATH",
        ) from error


def _copy_rows(path: Path, made: Path) -> None:
    """Write the rows of the tables that a store of the bundle's version has into a new store of that version."""
    with closing(sqlite3.connect(made, isolation_level=None, uri=True)) as connection:
        connection.execute("pragma journal_mode = off")
        connection.execute("pragma synchronous = off")
        connection.execute("pragma trusted_schema = off")
        connection.execute("attach ? as bundle", (bundle_uri(path),))
        (version,) = connection.execute("pragma bundle.user_version").fetchone()
        connection.execute("begin")
        for statement in chain.from_iterable(MIGRATIONS[:version]):
            connection.execute(statement)
        tables = connection.execute("select name from main.sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            connection.execute(f'insert into main."{name}" select * from bundle."{name}"')
        connection.execute(f"pragma main.application_id = {APPLICATION_ID}")
        connection.execute(f"pragma main.user_version = {int(version)}")
        connection.execute("commit")


@contextmanager
def _told(path: Path, folder: Path) -> Iterator[None]:
    """Turn what goes wrong into errors of the bundle, or of the folder."""
    try:
        yield
    except sqlite3.Error as error:
        if is_interruption(error):
            raise
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StoreFullError(path=str(folder), why=str(error), fix=_ELSEWHERE) from error
        raise StoreDamagedError(path=str(path), found=str(error), fix=GET_IT_AGAIN) from error
    except StoreFullError as error:
        raise StoreFullError(path=str(folder), why=error.why, fix=_ELSEWHERE) from error
    except StoreError as error:
        found = f"it cannot be brought to this release's schema ({str(error).partition(chr(10))[0]})"
        raise StoreDamagedError(path=str(path), found=found, fix=GET_IT_AGAIN) from error
