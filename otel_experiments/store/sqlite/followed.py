"""A SQLite store that readers follow, and what its cursors know it by: the file itself, so that no other is taken for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from otel_experiments.model.cursor import LIMIT
from otel_experiments.store.filesystem import file_id, file_is_gone
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.reading import read

if TYPE_CHECKING:
    from otel_experiments.model.changes import Changes


class Followed:
    """The part of a store that says what came to a run."""

    _database: Database

    def _note_file(self, path: Path | None) -> None:
        """Remember which file the store has opened; a database in memory is like no other."""
        self._path = None if path is None else path.absolute()
        self._file = file_id(path)
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
        return read(self._database, _read_changes.changes, self._identity, run_id, since, limit)
