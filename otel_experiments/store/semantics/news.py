"""What makes another store hold a run as this one does: the batch that its stored row stands for."""

from __future__ import annotations

from dataclasses import replace

from otel_experiments.model.batch import Heartbeat, RunStateChange, WriteBatch
from otel_experiments.store.semantics.edits import UNEDITED
from otel_experiments.store.semantics.run import StoredRun, apply_change, apply_record


def news_of(stored: StoredRun) -> WriteBatch:
    """Return what makes a store that does not know the run hold it like this.

    Of a placeholder, which becomes one again, that is its state and its sign of life.
    """
    run = replace(stored.run, **UNEDITED)  # edits go by themselves
    change = RunStateChange(
        run.run_id,
        run.state,
        stored.state_ns,
        run.reason,
        run.error_type,
        run.paused_total_ns,
        run.paused_count,
        run.paused_dropped_count,
        run.attempt,
        run.owner,
    )
    if stored.is_placeholder:
        beats = [] if run.heartbeat_ns is None else [Heartbeat(run.run_id, run.heartbeat_ns)]
        return WriteBatch(state_changes=[change] if stored.state_ns >= 0 else [], heartbeats=beats)
    alone = apply_record(None, run)
    # A state may have come after the record, and then the record does not say when.
    is_said = alone.state_ns == stored.state_ns or apply_change(alone, change).run != run
    return WriteBatch(runs=[run], state_changes=[] if is_said else [change])
