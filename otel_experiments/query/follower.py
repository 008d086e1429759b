"""From a run of a reader to what follows it."""

from __future__ import annotations

from otel_experiments.query.follow import Follower
from otel_experiments.query.run_view import RunView


def follower_of(run: RunView, *, since: str | None) -> Follower:
    """Return what follows a run of a reader, from `since` on as `RunView.follow` says."""
    page = run._page  # noqa: SLF001 - of this package
    return Follower(page.store, run.id, since=since, open_for_edits=page.open_for_edits)
