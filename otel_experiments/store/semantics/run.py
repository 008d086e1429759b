"""What becomes of a stored run when a record, a state change or a heartbeat about it arrives.

Journals of several processes arrive in any order and more than once. The rules here make the result the same
whatever the order, and are shared by all stores. A run that was named by other rows before its own record
arrived is a placeholder: state pending, no name, no experiment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from otel_experiments.model.run import Run, RunState

if TYPE_CHECKING:
    from otel_experiments.model.batch import Heartbeat, RunStateChange

_RANK = {RunState.PENDING: 0, RunState.RUNNING: 1, RunState.PAUSED: 2}
"""Of two states at the same nanosecond the later in life wins; terminal states rank above these."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is stored, with what decides whether later news is news.

    Units: nanoseconds since the Unix epoch. `state_ns` is when the run took its state; `record_ns` orders
    the run's own records, -1 while none has arrived (a placeholder).
    """

    run: Run
    state_ns: int
    record_ns: int

    @property
    def is_placeholder(self) -> bool:
        """Whether the run is known only because other rows name it."""
        return self.record_ns < 0


def placeholder(run_id: str, time_ns: int) -> StoredRun:
    """Return the row for a run of which only other rows are known, the earliest from `time_ns`."""
    run = Run(run_id=run_id, experiment="", name="", state=RunState.PENDING, created_ns=time_ns)
    return StoredRun(run, state_ns=-1, record_ns=-1)


def apply_record(stored: StoredRun | None, record: Run) -> StoredRun:
    """Return the run after its own record arrived. An older record than the one stored changes nothing.

    A record of attempt 0 is provisional: what a rank knows of a run that rank 0 is to start. Any other one replaces it.
    """
    state_ns = _state_time(record) if record.attempt else -1
    record_ns = max(state_ns, record.created_ns, record.heartbeat_ns or 0) if record.attempt else 0
    if stored is None:
        return StoredRun(record, state_ns, record_ns)
    known, is_later = stored.run, record.attempt > _attempt(stored)
    if record.attempt < _attempt(stored) or (record_ns < stored.record_ns and not is_later):
        return stored
    merged = replace(record, heartbeat_ns=_latest(known.heartbeat_ns, record.heartbeat_ns))
    if not is_later and not _is_news(known.state, stored.state_ns, record.state, state_ns):
        merged = replace(
            merged,
            state=known.state,
            started_ns=known.started_ns if known.started_ns is not None else record.started_ns,
            ended_ns=known.ended_ns,
            paused_ns=known.paused_ns,
            paused_total_ns=known.paused_total_ns,
            paused_count=known.paused_count,
            paused_dropped_count=known.paused_dropped_count,
            reason=known.reason,
            error_type=known.error_type,
            owner=known.owner or record.owner,
        )
        state_ns = stored.state_ns
    return StoredRun(merged, state_ns, record_ns)


def apply_change(stored: StoredRun, change: RunStateChange) -> StoredRun:
    """Return the run after a change of state. A change older than the stored state is ignored, and so is an earlier attempt's."""
    known, attempt = stored.run, _attempt(stored)
    is_news = _is_news(known.state, stored.state_ns, change.state, change.time_ns)
    if change.attempt < attempt or (change.attempt == attempt and not is_news):
        return stored
    state = change.state
    is_started = known.started_ns is None and state is not RunState.PENDING
    run = replace(
        known,
        state=state,
        started_ns=change.time_ns if is_started else known.started_ns,
        ended_ns=change.time_ns if state.is_terminal else None,
        paused_ns=change.time_ns if state is RunState.PAUSED else None,
        paused_total_ns=change.paused_total_ns,
        paused_count=change.paused_count,
        paused_dropped_count=change.paused_dropped_count,
        reason=change.reason,
        error_type=change.error_type,
        attempt=change.attempt,
        owner=change.owner or known.owner,
    )
    return StoredRun(run, change.time_ns, stored.record_ns)


def apply_heartbeat(stored: StoredRun, beat: Heartbeat) -> StoredRun:
    """Return the run after a heartbeat; an older one changes nothing."""
    latest = _latest(stored.run.heartbeat_ns, beat.time_ns)
    if latest == stored.run.heartbeat_ns:
        return stored
    return replace(stored, run=replace(stored.run, heartbeat_ns=latest))


def _attempt(stored: StoredRun) -> int:
    """Return the attempt that the stored state is of; 0 where nothing but other rows is known."""
    return 0 if stored.is_placeholder and stored.state_ns < 0 else stored.run.attempt


def _state_time(record: Run) -> int:
    if record.state.is_terminal and record.ended_ns is not None:
        return record.ended_ns
    if record.state is RunState.PAUSED and record.paused_ns is not None:
        return record.paused_ns
    if record.state is not RunState.PENDING and record.started_ns is not None:
        return record.started_ns
    return record.created_ns


def _is_news(known: RunState, known_ns: int, state: RunState, time_ns: int) -> bool:
    return (time_ns, _RANK.get(state, 3)) >= (known_ns, _RANK.get(known, 3))


def _latest(known_ns: int | None, other_ns: int | None) -> int | None:
    if known_ns is None or other_ns is None:
        return known_ns if other_ns is None else other_ns
    return max(known_ns, other_ns)
