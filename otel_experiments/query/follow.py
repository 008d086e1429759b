"""Following a run: what came since a cursor, with the state as it is now, and waiting for more.

Nobody is told when a store changes: not every store could, and a recording process has better to do. So the store is looked at,
soon after there was news and ever less often while there is none. A look is one short read transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from otel_experiments.errors import OtelExperimentsError
from otel_experiments.model.changes import Changes
from otel_experiments.model.cursor import LIMIT, NOW
from otel_experiments.process.interruption import is_interruption
from otel_experiments.query.edited import OpenForEdits
from otel_experiments.query.liveness import Liveness
from otel_experiments.store import Store

SOON_S: Final = 0.05
POLL_S: Final = 1.0


def changes_now(store: Store, run_id: str, *, since: str | None, limit: int = LIMIT, now_ns: int) -> Changes:
    """Return what came to a run since a cursor, with its state as it is at `now_ns`.

    Raises:
        CursorError: `since` is no cursor, or one of another run or store.
    """
    found = store.changes(run_id, since=since, limit=limit)
    return found if found.run is None else replace(found, state=Liveness(now_ns).state(found.run))


class Follower:
    """One run that is followed.

    Args:
        store: where it is.
        run_id: its id.
        since: as of `RunView.follow`.
        open_for_edits: lends the store with what waits in journals: after its process is gone, somebody has to store that.
        clock: nanoseconds since the Unix epoch.

    Attributes:
        run_id: the run.
        cursor: where the next look begins.
        is_over: whether nothing more is to be expected: the run has ended, and all that came was seen.
        has_more: whether the last look was cut, so that the next one need not wait.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        *,
        since: str | None,
        open_for_edits: OpenForEdits,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.run_id = run_id
        self.cursor = since
        self.is_over = self.has_more = False
        self._store = store
        self._open_for_edits = open_for_edits
        self._clock = clock
        self._is_collected = False

    def look(self) -> Changes:
        """Return what came since the last look.

        Raises:
            CursorError: `since` was no cursor, or one of another run or store.
        """
        found = self._changes()
        if found.run is not None and not _is_live(found) and not self._is_collected:
            self._is_collected = True
            self.cursor = found.cursor if self.cursor == NOW else self.cursor
            self._collect()
            found = self._changes()
        self.cursor, self.has_more = found.cursor, found.has_more
        self.is_over = not _is_live(found) and not found.has_more
        return found

    def _changes(self) -> Changes:
        return changes_now(self._store, self.run_id, since=self.cursor, now_ns=self._clock())

    def _collect(self) -> None:
        """Bring what processes have recorded into the store, where it takes it now."""
        try:
            with self._open_for_edits(collects=True):
                pass
        except (OtelExperimentsError, OSError) as error:
            if is_interruption(error):
                raise


class Pause:
    """How long to wait before the next look: a little after there was news, then ever longer.

    Args:
        longest_s: never longer, in seconds.
    """

    def __init__(self, longest_s: float = POLL_S) -> None:
        self._longest_s = longest_s
        self._next_s = SOON_S

    def after(self, *, has_news: bool) -> float:
        """Return the seconds to wait now."""
        if has_news:
            self._next_s = SOON_S
        pause_s = min(self._next_s, self._longest_s)
        self._next_s = min(self._next_s * 2, self._longest_s)
        return pause_s


def follow(
    follower: Follower, *, poll_s: float, wait: Callable[[float], object] = time.sleep
) -> Iterator[Changes]:
    """Yield what comes to a run until it has ended; see `RunView.follow`.

    Raises:
        CursorError: `since` was no cursor, or one of another run or store.
    """
    pause = Pause(poll_s)
    while True:
        found = follower.look()
        if found or follower.is_over:
            yield found
        if follower.is_over:
            return
        if not follower.has_more:
            wait(pause.after(has_news=bool(found)))


def _is_live(found: Changes) -> bool:
    """Tell whether more is to be expected of the run."""
    return found.state is not None and found.state.is_live
