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


def changes_now(store: Store, run_id: str, *, since: str | None, limit: int = LIMIT, now_ns: int) -> Changes:
    """Return what came to a run since a cursor, with its state as it is at `now_ns`.

    Raises:
        CursorError: `since` is no cursor, or one of another run or store.
    """
    found = store.changes(run_id, since=since, limit=limit)
    return found if found.run is None else replace(found, state=Liveness(now_ns).state(found.run))


def has_ended(found: Changes) -> bool:
    """Tell whether nothing more is to be expected of the run."""
    return found.state is None or not found.state.is_live


def follow(
    store: Store,
    run_id: str,
    *,
    since: str | None,
    poll_s: float,
    open_for_edits: OpenForEdits,
    clock: Callable[[], int] = time.time_ns,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[Changes]:
    """Yield what comes to a run until it has ended; see `RunView.follow`.

    Raises:
        CursorError: `since` is no cursor, or one of another run or store.
    """
    pause_s = SOON_S
    is_collected = False
    while True:
        found = changes_now(store, run_id, since=since, now_ns=clock())
        if found.run is not None and has_ended(found) and not is_collected:
            collect(
                open_for_edits
            )  # of a process that was killed, or of its workers, something waits in journals
            is_collected = True
            if since == NOW:
                since = found.cursor
            continue
        is_over = has_ended(found) and not found.has_more
        if found or is_over:
            yield found
            pause_s = SOON_S
        if is_over:
            return
        is_first, since = since == NOW, found.cursor
        if not found.has_more and not is_first:
            wait(min(pause_s, poll_s))
            pause_s = min(pause_s * 2, poll_s)


def collect(open_for_edits: OpenForEdits) -> None:
    """Bring what processes have recorded into the store, where it takes it now; else its readers are told when they open it."""
    try:
        with open_for_edits(collects=True):
            pass
    except (OtelExperimentsError, OSError) as error:
        if is_interruption(error):
            raise
