"""What becomes of a stored run when a record, a sighting, a state change or a heartbeat about it arrives.

Journals of several processes, and requests over OTLP, arrive in any order and more than once. The rules here make
the result the same whatever the order, and are shared by all stores. A run that was named by other rows before its
own record arrived is a placeholder: state pending, no name, no experiment. Sightings make of it what received
telemetry says of its run, until the run's own record arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_experiments.codec.values import dump_canonical
from otel_experiments.model.run import Run, RunState
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from otel_experiments.model.batch import Heartbeat, RunSighting, RunStateChange

_RANK = {RunState.PENDING: 0, RunState.RUNNING: 1, RunState.PAUSED: 2}
"""Of two states at the same nanosecond the later in life wins; terminal states rank above these."""
_SEVERITY = {RunState.SUCCEEDED: 0, RunState.CANCELLED: 1, RunState.FAILED: 2}
"""Of the ends that several root spans say of a run the worst wins: a job has failed when one of its processes has."""
_PLACEHOLDER: Final = -1
_PROVISIONAL: Final = 0
_ROOT_SEEN: Final = 1
"""Values of `record_ns` below every real one: what a row says that is not, or not yet, the run's own record."""
_TEXTS: Final = ("name", "experiment", "group", "hypothesis", "condition", "description")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it is stored, with what decides whether later news is news.

    Units: nanoseconds since the Unix epoch. `state_ns` is when the run took its state, -1 where none was said;
    `record_ns` orders the run's own records. Until one has arrived it is -1 (a placeholder), 0 (what a rank knows, or
    received telemetry) or 1 (the run's root span was received).
    """

    run: Run
    state_ns: int
    record_ns: int

    @property
    def is_placeholder(self) -> bool:
        """Whether the run is known only because other rows name it."""
        return self.record_ns < 0

    @property
    def has_own_record(self) -> bool:
        """Whether the run's own record has arrived, after which no sighting of the same attempt says more."""
        return self.record_ns > _ROOT_SEEN


def placeholder(run_id: str, time_ns: int) -> StoredRun:
    """Return the row for a run of which only other rows are known, the earliest from `time_ns`."""
    run = Run(run_id=run_id, experiment="", name="", state=RunState.PENDING, created_ns=time_ns)
    return StoredRun(run, state_ns=-1, record_ns=_PLACEHOLDER)


def apply_record(stored: StoredRun | None, record: Run, *, is_journalled: bool = False) -> StoredRun:
    """Return the run after its own record arrived. An older record than the one stored changes nothing.

    A record of attempt 0 is provisional: what a rank knows of a run that rank 0 is to start. Any other one replaces it.
    A record without an owner was received, and says nothing more of an attempt whose owner is known. One from a journal
    of this store, `is_journalled`, also has the state: what was received of it till then is what anybody may send.
    """
    state_ns = _state_time(record) if record.attempt else -1
    record_ns = _record_time(record, state_ns) if record.attempt else _PROVISIONAL
    if stored is None:
        return StoredRun(record, state_ns, record_ns)
    known, is_later = stored.run, record.attempt > _attempt(stored)
    is_equal = bool(record.attempt) and record.attempt == _attempt(stored)
    knows_owner = is_equal and known.owner is None and record.owner is not None
    if is_equal and known.owner is not None and record.owner is None:
        return stored
    is_older = record_ns < stored.record_ns and not knows_owner
    if record.attempt < _attempt(stored) or (is_older and not is_later):
        if stored.is_placeholder and record.attempt:  # its time was a guess, and is known now
            made = replace(known, created_ns=record.created_ns)
            stored = replace(stored, run=made, record_ns=_PROVISIONAL)
        return _made_by(_started_by(stored, record.started_ns), record)
    started_ns = record.started_ns
    is_resumed = record.attempt > 1  # what is known may be the first attempt's start
    if (
        stored.has_own_record or started_ns is None or is_resumed
    ):  # else what is known of the start is a guess
        started_ns = _earliest(known.started_ns, started_ns)
    merged = replace(
        record, heartbeat_ns=_latest(known.heartbeat_ns, record.heartbeat_ns), started_ns=started_ns
    )
    if stored.has_own_record or (is_resumed and not stored.is_placeholder):
        merged = replace(merged, created_ns=_made_ns(known, record))
    has_state = is_later or (knows_owner and is_journalled)
    if not has_state and not _is_news(known.state, stored.state_ns, record.state, state_ns):
        merged = replace(
            merged,
            state=known.state,
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


def apply_sighting(stored: StoredRun | None, sighting: RunSighting) -> StoredRun:
    """Return the run after received telemetry has named it. What is known better stays; nothing becomes empty.

    Of two that say as much, the same one wins whatever the order: the first in the alphabet of two texts, the resource
    of the lowest rank.
    """
    seen, weight = sighting.run, _ROOT_SEEN if sighting.is_root else _PROVISIONAL
    if stored is None:
        return StoredRun(seen, -1, weight)
    known, attempt = stored.run, _attempt(stored)
    if stored.has_own_record and seen.attempt <= attempt:
        return stored
    if seen.attempt < attempt:
        started_ns = _earliest(known.started_ns, seen.started_ns)
        earlier = replace(stored, run=replace(known, **_joined(known, seen), started_ns=started_ns))
        return _made_by(earlier, seen)
    if seen.attempt > attempt:
        texts = _joined(seen, known)
        run = replace(
            seen,
            **texts,
            created_ns=_made_ns(known, seen) if seen.attempt > 1 else seen.created_ns,
            started_ns=_earliest(known.started_ns if attempt else None, seen.started_ns),
            heartbeat_ns=known.heartbeat_ns,
        )
        return StoredRun(run, -1, weight)
    if stored.record_ns != weight:
        is_more = weight > stored.record_ns
        strong, weak = (seen, known) if is_more else (known, seen)
        texts = _joined(strong, weak)
        times = strong.created_ns, strong.started_ns
    else:
        texts = _joined(known, seen, is_equal=True)
        times = min(known.created_ns, seen.created_ns), _earliest(known.started_ns, seen.started_ns)
    if seen.attempt > 1:
        times = _made_ns(known, seen), _earliest(known.started_ns, seen.started_ns)
    run = replace(known, **texts, created_ns=times[0], started_ns=times[1])
    if stored.state_ns < 0:
        run = replace(run, state=seen.state)
    return StoredRun(run, stored.state_ns, max(weight, stored.record_ns))


def apply_change(stored: StoredRun, change: RunStateChange) -> StoredRun:
    """Return the run after a change of state. A change older than the stored state is ignored, and so is an earlier attempt's.

    So is one that was received of an attempt that this host has recorded: nobody else says how it ended.
    """
    known, attempt = stored.run, _attempt(stored)
    is_of_this_host = known.owner is not None and known.owner.host == change.received_on
    if is_of_this_host and change.attempt <= attempt:
        return stored
    if change.is_root and change.attempt == attempt and known.state.is_terminal and not stored.has_own_record:
        return _ended_by_roots(stored, change)
    is_news = _is_news(known.state, stored.state_ns, change.state, change.time_ns)
    state = change.state
    begun_ns = None if state is RunState.PENDING else change.time_ns
    if change.attempt < attempt or (change.attempt == attempt and not is_news):
        is_first = stored.is_placeholder or change.attempt < attempt
        return _started_by(stored, begun_ns) if is_first else stored
    is_guess = known.started_ns is None or stored.is_placeholder
    run = replace(
        known,
        state=state,
        started_ns=_earliest(known.started_ns, begun_ns) if is_guess else known.started_ns,
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
    is_ahead = change.attempt > attempt and not stored.is_placeholder  # of what the attempt says of the run
    return StoredRun(run, change.time_ns, _PROVISIONAL if is_ahead else stored.record_ns)


def apply_heartbeat(stored: StoredRun, beat: Heartbeat) -> StoredRun:
    """Return the run after a heartbeat; an older one changes nothing."""
    latest = _latest(stored.run.heartbeat_ns, beat.time_ns)
    if latest == stored.run.heartbeat_ns:
        return stored
    return replace(stored, run=replace(stored.run, heartbeat_ns=latest))


def _ended_by_roots(stored: StoredRun, change: RunStateChange) -> StoredRun:
    """Return an ended run after one more root span of it: the worst end of all, at the time of the last.

    Of two equal ends the first reason and type of error in the alphabet stay, so that the order does not matter.
    """
    known, end_ns = stored.run, max(stored.state_ns, change.time_ns)
    told, said = (known.reason, known.error_type), (change.reason, change.error_type)
    if change.state is known.state:
        said = min(told, said, key=lambda pair: (not any(pair), pair))
    elif _SEVERITY[change.state] < _SEVERITY[known.state]:
        said = told
    state = max(known.state, change.state, key=lambda one: _SEVERITY[one])
    run = replace(known, state=state, ended_ns=end_ns, reason=said[0], error_type=said[1])
    return replace(stored, run=run, state_ns=end_ns)


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


def _record_time(record: Run, state_ns: int) -> int:
    return max(state_ns, record.created_ns, record.heartbeat_ns or 0, _ROOT_SEEN + 1)


def _made_ns(known: Run, later: Run) -> int:
    """Return when a run was made of which more becomes known; a rank's provisional record does not say it."""
    return min(known.created_ns, later.created_ns) if known.attempt else later.created_ns


def _made_by(stored: StoredRun, earlier: Run) -> StoredRun:
    """Return the run as it was made by an earlier attempt, which is heard of last; as `_made_ns`."""
    if not earlier.attempt or earlier.created_ns >= stored.run.created_ns:
        return stored
    return replace(stored, run=replace(stored.run, created_ns=earlier.created_ns))


def _started_by(stored: StoredRun, started_ns: int | None) -> StoredRun:
    """Return the run with the earlier of two starts, of which an earlier attempt's may be heard of last."""
    earliest_ns = _earliest(stored.run.started_ns, started_ns)
    if earliest_ns == stored.run.started_ns:
        return stored
    return replace(stored, run=replace(stored.run, started_ns=earliest_ns))


def _joined(strong: Run, weak: Run, *, is_equal: bool = False) -> dict[str, Any]:
    """Return what two sightings say of a run together: the weak one's texts where the strong one has none.

    Where both weigh the same, an order of the texts and of the resources decides.
    """
    found: dict[str, Any] = {}
    for name in (*_TEXTS, "parent_run_id", "root_span_id"):
        first, second = getattr(strong, name), getattr(weak, name)
        found[name] = min(first, second) if is_equal and first and second else first or second
    found["resource"] = strong.resource or weak.resource
    if is_equal and weak.resource and weak.resource != strong.resource:
        found["resource"] = min((strong.resource, weak.resource), key=_order_of_resource)
    return found


def _order_of_resource(resource: Mapping[str, object]) -> tuple[bool, int, str]:
    """Return what puts the resource of the process that most probably owns the run first."""
    rank = resource.get(attr.ML_DISTRIBUTED_RANK, 0)
    return not resource, rank if isinstance(rank, int) else 0, dump_canonical(dict(resource))


def _earliest(known_ns: int | None, other_ns: int | None) -> int | None:
    if known_ns is None or other_ns is None:
        return known_ns if other_ns is None else other_ns
    return min(known_ns, other_ns)


def _is_news(known: RunState, known_ns: int, state: RunState, time_ns: int) -> bool:
    return (time_ns, _RANK.get(state, 3)) >= (known_ns, _RANK.get(known, 3))


def _latest(known_ns: int | None, other_ns: int | None) -> int | None:
    if known_ns is None or other_ns is None:
        return known_ns if other_ns is None else other_ns
    return max(known_ns, other_ns)
