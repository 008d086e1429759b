"""The attempts of a run: when each started, how it ended, and from which step it went on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from otel_experiments.model.past import past_of
from otel_experiments.model.run import RunState
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_STATE

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.run import Run
    from otel_experiments.store import Store


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a run was started or resumed.

    `state` is LOST where nothing says how the attempt ended. `rewound_to` is the last step of earlier attempts that counts
    since; None where all do. Units: nanoseconds since the Unix epoch; None where it is not known.
    """

    number: int
    started_ns: int | None
    ended_ns: int | None
    state: RunState
    reason: str = ""
    rewound_to: float | None = None


def attempts_of(store: Store, run: Run, state: RunState) -> list[Attempt]:
    """Return the attempts of a run, the first one first; `state` is that of the latest."""
    past = past_of(run)
    count = max(1, run.attempt)  # 0: only what a rank knows of it
    first_known = count - len(past.starts_ns) + 1
    starts = {number: past.starts_ns[number - first_known] for number in range(first_known, count + 1)}
    if run.started_ns is not None:
        starts.setdefault(1, run.started_ns)
    found = {
        number: Attempt(number, starts.get(number), None, RunState.LOST, rewound_to=past.rewinds.get(number))
        for number in range(1, count + 1)
    }
    if count > 1:
        for record in store.log_records(run_id=run.run_id, event_name=ML_RUN_STATE.name):
            ended = _end_of(record)
            number = record.resource.attributes.get(attr.ML_RUN_ATTEMPT)
            if ended is not None and isinstance(number, int) and number in found:
                found[number] = replace(
                    found[number], ended_ns=record.time_ns, state=ended, reason=_reason_of(record)
                )
    found[count] = replace(found[count], ended_ns=run.ended_ns, state=state, reason=run.reason)
    return list(found.values())


def _end_of(record: LogRecord) -> RunState | None:
    state = record.attributes.get(attr.ML_RUN_STATE)
    known = {str(one): one for one in RunState if one.is_terminal}
    return known.get(state) if isinstance(state, str) else None


def _reason_of(record: LogRecord) -> str:
    reason = record.attributes.get(attr.ML_RUN_REASON)
    return reason if isinstance(reason, str) else ""
