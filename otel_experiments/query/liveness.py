"""What a run's state is now: the stored state, or LOST when the process that should drive it is gone.

Why a run is marked lost is decided here, and only here.

The store keeps only what was written; this is the one place where a reader adds what it can see itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from otel_experiments.journal.owner import FOREIGN_TIMEOUT_NS, is_alive
from otel_experiments.model.run import RunState

if TYPE_CHECKING:
    from otel_experiments.model.run import Owner, Run

RECEIVED_TIMEOUT_NS: Final = 5 * 60 * 10**9
"""A run that came in over OTLP counts as gone after so long without a request. SDKs send their metrics each minute, and
a Collector between them and us keeps requests back while it cannot deliver them."""


class Liveness:
    """One look at the processes: every owner is asked once, so a page of runs of one process costs one check.

    Args:
        now_ns: nanoseconds since the Unix epoch.
    """

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._known: dict[Owner, bool | None] = {}

    def state(self, run: Run) -> RunState:
        """Return the state of the run as it is now.

        A run without an owner came in over OTLP: it is lost when nothing was received of it for a while, and no longer
        when something is again. One without any sign of life keeps its stored state: nothing can be known about it.
        """
        return RunState.LOST if run.state.is_live and self._is_gone(run) else run.state

    def live_ids(self, runs: Iterable[Run]) -> frozenset[str]:
        """Return the ids of those runs that are live and not lost."""
        return frozenset(run.run_id for run in runs if self.state(run).is_live)

    def duration_s(self, run: Run, *, last_point_ns: int = 0) -> float | None:
        """Return how long the run has worked, pauses left out; None before it starts.

        Units: seconds. A live run counts up to now, a lost one up to its last sign of life: a heartbeat, or
        a point recorded since (`last_point_ns`, nanoseconds since the Unix epoch).
        """
        if run.started_ns is None:
            return None
        end_ns = run.ended_ns
        if end_ns is None:
            state = self.state(run)
            # A point's time may be the caller's own, as far ahead as may be.
            last_point_ns = last_point_ns if last_point_ns <= self.now_ns else 0
            seen_ns = max(run.heartbeat_ns or run.started_ns, last_point_ns)
            end_ns = self.now_ns if state.is_live else seen_ns
        paused_ns = run.paused_total_ns
        if run.paused_ns is not None and run.state is RunState.PAUSED:
            paused_ns += max(0, end_ns - run.paused_ns)
        return max(0, end_ns - run.started_ns - paused_ns) / 1e9

    def _is_gone(self, run: Run) -> bool:
        alive = None if run.owner is None else self._is_alive(run.owner)
        if alive is not None:
            return not alive
        timeout_ns = RECEIVED_TIMEOUT_NS if run.owner is None else FOREIGN_TIMEOUT_NS
        return run.heartbeat_ns is not None and self.now_ns - run.heartbeat_ns > timeout_ns

    def _is_alive(self, owner: Owner) -> bool | None:
        if owner not in self._known:
            self._known[owner] = is_alive(owner)
        return self._known[owner]
