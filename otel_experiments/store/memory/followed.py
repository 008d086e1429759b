"""A memory store that readers follow, and what its cursors know it by."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from otel_experiments.model.changes import Changes
from otel_experiments.model.cursor import LIMIT
from otel_experiments.store.memory.changes import changes
from otel_experiments.store.memory.contents import Contents


class Followed:
    """The part of a store that says what came to a run."""

    def __init__(self) -> None:
        self._token = os.urandom(8).hex()

    def changes(self, run_id: str, *, since: str | None = None, limit: int = LIMIT) -> Changes:
        """Return what came to a run `since` a cursor, at most `limit` items. See `Store.changes`.

        Raises:
            CursorError: `since` is no cursor, or one of another run or store.
        """
        with self._open() as contents:
            return changes(contents, self._identity(), run_id, since, limit)

    def _identity(self) -> str:
        """Return what tells this store from every other."""
        return self._token

    def _open(self) -> AbstractContextManager[Contents]:
        raise NotImplementedError
