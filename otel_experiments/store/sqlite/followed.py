"""A SQLite store that readers follow, and what its cursors know it by: the file itself, so that no other is taken for it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_experiments.model.cursor import LIMIT
from otel_experiments.store.filesystem import file_id, file_is_gone
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.reading import read

if TYPE_CHECKING:
    from otel_experiments.model.changes import Changes


_MOST_KNOWN: Final = 1_000


class _Known(NamedTuple):
    """That there is nothing after a cursor, as one connection saw it; another connection counts versions of its own."""

    connection: sqlite3.Connection
    version: int
    nothing: Changes

    def holds(self, connection: sqlite3.Connection, version: int, since: str | None) -> bool:
        """Tell whether that is so still: nobody has written since."""
        return self.connection is connection and self.version == version and since == self.nothing.cursor


class Followed:
    """The part of a store that says what came to a run."""

    _database: Database

    def _note_file(self, path: Path | None) -> None:
        """Remember which file the store has opened; a database in memory is like no other."""
        self._path = None if path is None else path.absolute()
        self._file = file_id(path)
        self._known: dict[str, _Known] = {}
        self._identity = os.urandom(8).hex() if self._file is None else "{}:{}".format(*self._file)

    def changes(self, run_id: str, *, since: str | None = None, limit: int = LIMIT) -> Changes:
        """Return what came to a run since a cursor. See `Store.changes`.

        Raises:
            CursorError: `since` is no cursor, or one of another run or store.
            StorePathError: the file was deleted or replaced.
        """
        from otel_experiments.store.sqlite import read_changes as _read_changes  # noqa: PLC0415 - few need it

        if file_id(self._path) != self._file:
            raise file_is_gone(self._database.location)

        def look(connection: sqlite3.Connection) -> Changes:
            version = 0 if self._file is None else connection.execute("pragma data_version").fetchone()[0]
            known = self._known.get(run_id)
            if known is not None and known.holds(connection, version, since):
                return known.nothing
            found = _read_changes.changes(connection, self._identity, run_id, since, limit)
            self._remember(run_id, connection, version, found)
            return found

        return read(self._database, look)

    def _remember(self, run_id: str, connection: sqlite3.Connection, version: int, found: Changes) -> None:
        """Remember that nothing more is there, as long as nobody writes: most looks of who follows a run find that."""
        self._known.pop(run_id, None)
        if self._file is None or found.has_more or found.run is None:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[run_id] = _Known(
            connection, version, type(found)(found.cursor, found.run, found.run.state)
        )
