"""SQLite's errors as ours, which say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from otel_experiments.errors import (
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
)
from otel_experiments.journal.limits import reason_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.sqlite.bundle_header import GET_IT_AGAIN
from otel_experiments.store.sqlite.place import not_writable
from otel_experiments.store.sqlite.refusal import find_reason

BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})
_REFUSED: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM}
)
"""What SQLite says when the system refuses something, whatever the reason."""


class Asked(Protocol):
    """The database that an error is of."""

    location: str
    busy_timeout_s: float
    is_bundle: bool


@contextmanager
def translated(database: Asked) -> Iterator[None]:
    """Turn sqlite3's errors into ours, which say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if is_interruption(error):
            raise
        raise _translate(error, database) from error
    except MemoryError as error:
        if is_interruption(error):
            raise
        reason = reason_of(error)
        raise StoreFullError(path=database.location, why=reason.what, fix=reason.fix) from error
    except UnicodeDecodeError as error:  # the name of a column; of a value it is an error of sqlite3
        if is_interruption(error):
            raise
        raise _not_as_made(f"a name in it is no text ({error})", database) from error


def _translate(error: sqlite3.Error, database: Asked) -> StoreError:  # noqa: PLR0911 - one return a reason
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    path = database.location
    if code in BUSY:
        return StoreLockedError(path=path, waited_s=database.busy_timeout_s)
    if code in _REFUSED and path != ":memory:" and (reason := find_reason(Path(path))) is not None:
        return StoreFullError(path=path, why=reason.what, fix=reason.fix)
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError(path=path, why=str(error))
    if code == sqlite3.SQLITE_READONLY:
        return StoreReadOnlyError(path=path, action=f"write ({error})")
    if code == sqlite3.SQLITE_CANTOPEN:
        return not_writable(Path(path), f"SQLite cannot open it ({error})")
    if code in _DAMAGED:
        return _not_as_made(str(error), database)
    if database.is_bundle:  # every statement fits the tables of one that is as it was made
        return _not_as_made(f"{type(error).__name__}: {error}", database)
    return StoreError(
        f"Store {path!r} refused a statement: {type(error).__name__}: {error}.\n"
        "  Nothing of the batch was written. This is a defect of otel-experiments; please report it."
    )


def _not_as_made(found: str, database: Asked) -> StoreDamagedError:
    fix = GET_IT_AGAIN if database.is_bundle else None
    return StoreDamagedError(path=database.location, found=found, fix=fix)
