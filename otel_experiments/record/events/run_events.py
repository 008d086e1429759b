"""The events by which a backend follows a run before its root span arrives, which leaves only when the run ends.

The run's record says the same to readers of the store. What the journal has no room for is not counted as lost here:
the run's record has a larger claim on the room that is left, and holds the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments.model.run import RunState
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_START, ML_RUN_STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_experiments.model.batch import RunStateChange
    from otel_experiments.model.span import AttributeValue
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.events.own_event import OwnEvents

_MAX_REASON_CHARS: Final = 1000
"""As on the run's span: OpenTelemetry advises against longer attributes. The run's record has the whole reason."""
_RESOURCE_KEYS: Final = (attr.ML_DISTRIBUTED_RANK, attr.ML_DISTRIBUTED_WORLD_SIZE)


class RunEvents:
    """Writes the events about the life of the runs of one process. A run that has not started has none."""

    def __init__(self, events: OwnEvents, known: KnownRuns, *, is_on: bool) -> None:
        self._events = events
        self._known = known
        self._is_on = is_on

    def write_start(
        self, run_id: str, time_ns: int, *, state: RunState | None = None, seed: int | None = None
    ) -> None:
        """Write that this process has started, resumed or joined a run; `state` where the process owns it."""
        run = self._known.get(run_id) if self._is_on else None
        if run is None:
            return
        found = run.resource.attributes
        attributes: dict[str, AttributeValue] = {
            key: value for key in _RESOURCE_KEYS if isinstance(value := found.get(key), int)
        }
        if state is not None:
            attributes[attr.ML_RUN_STATE] = str(state)
        if seed is not None:
            attributes[attr.ML_RANDOM_SEED] = seed
        self._write(run_id, ML_RUN_START.name, attributes, time_ns)

    def write_state(self, change: RunStateChange) -> None:
        """Write that a run has taken another state."""
        attributes: dict[str, AttributeValue] = {attr.ML_RUN_STATE: str(change.state)}
        if change.reason:
            attributes[attr.ML_RUN_REASON] = change.reason[:_MAX_REASON_CHARS]
        if change.error_type:
            attributes[attr.ERROR_TYPE] = change.error_type
        is_warning = change.state is RunState.FAILED
        self._write(change.run_id, ML_RUN_STATE.name, attributes, change.time_ns, is_warning=is_warning)

    def _write(
        self,
        run_id: str,
        name: str,
        attributes: Mapping[str, AttributeValue],
        time_ns: int,
        *,
        is_warning: bool = False,
    ) -> None:
        run = self._known.get(run_id) if self._is_on else None
        if run is not None:
            self._events.write(
                run_id, run, name, attributes, time_ns=time_ns, observed_ns=time_ns, is_warning=is_warning
            )
