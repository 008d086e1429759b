"""What a reader says of runs that grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from otel_experiments.model.cursor import LIMIT
from otel_experiments.model.run import is_run_id

if TYPE_CHECKING:
    from otel_experiments.model.changes import Changes
    from otel_experiments.query.run_view import RunView
    from otel_experiments.store import Store


class ChangesReader:
    """The part of a reader that follows runs."""

    _store: Store
    _clock: Callable[[], int]

    def run(self, wanted: str) -> RunView:
        """Return the run that is meant."""
        raise NotImplementedError

    def changes(self, run: str | RunView, *, since: str | None = None, limit: int = LIMIT) -> Changes:
        """Return what came to a run since a cursor: points, spans, log records, its state; it costs what is new.

        Pages that are asked for one after the other, each with the `cursor` of the one before, have everything once.
        `RunView.follow` does that, and waits.

        Args:
            run: a run, its id, the beginning of one, or a name.
            since: the `cursor` of an earlier answer; None: everything that is stored; `now`: nothing but a cursor.
            limit: at most so many points, spans and log records together; `has_more` says whether there are others.

        Raises:
            RunNotFoundError: there is no such run.
            CursorError: `since` is no cursor, or one of another run or store.
        """
        from otel_experiments.query.follow import changes_now  # noqa: PLC0415 - few ask

        if not isinstance(run, str):
            run_id = run.id
        else:
            run_id = run if since is not None and is_run_id(run) else self.run(run).id
        return changes_now(self._store, run_id, since=since, limit=limit, now_ns=self._clock())
