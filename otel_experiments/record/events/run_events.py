"""The events by which a backend follows a run before its root span arrives, which leaves only when the run ends.

With the run's resource they hold all that the run's record says to readers of the store, so that a store elsewhere which
receives them has the same run. What the journal has no room for is not counted as lost here:
the run's record has a larger claim on the room that is left, and holds the same.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from otel_experiments.codec.artifact_event import MAX_EVENT_CHARS
from otel_experiments.model.run import RunState
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import (
    ML_ARTIFACT_ALIAS,
    ML_ARTIFACT_USED,
    ML_METRIC_DEFINITION,
    ML_RUN_EDIT,
    ML_RUN_PARAMS,
    ML_RUN_START,
    ML_RUN_STATE,
    ML_RUN_SUMMARY,
    ML_RUN_TAGS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
    from otel_experiments.model.batch import MetricDefinition, RunStateChange
    from otel_experiments.model.edit import RunEdit
    from otel_experiments.model.run import ParamValue, RunFacts
    from otel_experiments.model.span import AttributeValue
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.events.own_event import OwnEvents

_RESOURCE_KEYS: Final = (attr.ML_DISTRIBUTED_RANK, attr.ML_DISTRIBUTED_WORLD_SIZE)


class RunEvents:
    """Writes the events about the life of the runs of one process. A run that has not started has none."""

    def __init__(self, events: OwnEvents, known: KnownRuns, *, is_on: bool) -> None:
        self._events = events
        self._known = known
        self._is_on = is_on

    def write_start(
        self,
        run_id: str,
        time_ns: int,
        *,
        state: RunState | None = None,
        seed: int | None = None,
        times: Mapping[str, int] | None = None,
        facts: RunFacts | None = None,
        environment_run_id: str = "",
    ) -> None:
        """Write that this process has started, resumed or joined a run.

        `state`, `times` (attributes of the event that are times) and `facts` come from the process that owns the run.
        `environment_run_id` is the run that has the event about code, packages and machine, where it is another.
        """
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
        if environment_run_id:
            attributes[attr.ML_ENVIRONMENT_RUN_ID] = environment_run_id
        attributes |= times or {}
        long = (
            {}
            if facts is None
            else {k: text for k, text in asdict(facts).items() if len(text) > MAX_EVENT_CHARS}
        )
        self._write(run_id, ML_RUN_START.name, attributes, time_ns, body=long or None)

    def write_state(self, change: RunStateChange) -> None:
        """Write that a run has taken another state."""
        attributes: dict[str, AttributeValue] = {attr.ML_RUN_STATE: str(change.state)}
        if change.reason:
            attributes[attr.ML_RUN_REASON] = change.reason[:MAX_EVENT_CHARS]
        if change.error_type:
            attributes[attr.ERROR_TYPE] = change.error_type
        counts = {
            attr.ML_RUN_PAUSED_TIME: change.paused_total_ns,
            attr.ML_RUN_PAUSE_COUNT: change.paused_count,
            attr.ML_RUN_PAUSE_DROPPED: change.paused_dropped_count,
        }
        self._write(
            change.run_id,
            ML_RUN_STATE.name,
            attributes | {key: count for key, count in counts.items() if count},
            change.time_ns,
            body={"reason": change.reason} if len(change.reason) > MAX_EVENT_CHARS else None,
            is_warning=change.state is RunState.FAILED,
        )

    def write_params(self, run_id: str, params: Mapping[str, ParamValue], time_ns: int) -> None:
        """Write that a run was given params; those that it starts with are in the event with its config."""
        self._write(run_id, ML_RUN_PARAMS.name, {}, time_ns, body=params)

    def write_summary(self, run_id: str, values: Mapping[str, ParamValue], time_ns: int) -> None:
        """Write that the program set values in the summary of its run."""
        self._write(run_id, ML_RUN_SUMMARY.name, {}, time_ns, body=values)

    def write_tags(self, run_id: str, tags: Mapping[str, str | None], time_ns: int) -> None:
        """Write that a run was given tags."""
        self._write(run_id, ML_RUN_TAGS.name, {}, time_ns, body=tags)

    def write_edit(self, edit: RunEdit) -> None:
        """Write that the name, the group or the note of a run has changed."""
        self._write(edit.run_id, ML_RUN_EDIT.name, {}, edit.time_ns, body={edit.field: edit.value})

    def write_definition(self, definition: MetricDefinition, time_ns: int) -> None:
        """Write how a metric is to be read."""
        attributes: dict[str, AttributeValue] = {attr.ML_METRIC_PATTERN: definition.pattern}
        if definition.direction is not None:
            attributes[attr.ML_METRIC_DIRECTION] = definition.direction
        if definition.step_metric:
            attributes[attr.ML_METRIC_STEP_METRIC] = definition.step_metric[:MAX_EVENT_CHARS]
        if definition.summary:
            attributes[attr.ML_METRIC_SUMMARY] = definition.summary
        if definition.is_hidden is not None:
            attributes[attr.ML_METRIC_HIDDEN] = definition.is_hidden
        self._write(definition.run_id, ML_METRIC_DEFINITION.name, attributes, time_ns)

    def write_artifact(self, logged: ArtifactLogged) -> bool:
        """Write that a run has kept bytes under a name, with the event about it; False when no disk takes it."""
        return self._events.write_artifact(logged, self._known.get(logged.run_id) if self._is_on else None)

    def write_artifact_use(self, used: ArtifactUsed) -> None:
        """Write that a run uses an artifact."""
        attributes: dict[str, AttributeValue] = {attr.ARTIFACT_HASH: used.digest}
        if used.name:
            attributes[attr.ML_ARTIFACT_NAME] = used.name
            attributes[attr.ML_ARTIFACT_EXPERIMENT] = used.experiment
        self._write(used.run_id, ML_ARTIFACT_USED.name, attributes, used.time_ns)

    def write_artifact_alias(self, alias: AliasSet, run_id: str) -> None:
        """Write that a run has set an alias, or taken it away."""
        attributes: dict[str, AttributeValue] = {
            attr.ML_ARTIFACT_NAME: alias.name,
            attr.ML_ARTIFACT_EXPERIMENT: alias.experiment,
            attr.ML_ARTIFACT_ALIAS: alias.alias,
        }
        if alias.digest is not None:
            attributes[attr.ARTIFACT_HASH] = alias.digest
        self._write(run_id, ML_ARTIFACT_ALIAS.name, attributes, alias.time_ns)

    def _write(
        self,
        run_id: str,
        name: str,
        attributes: Mapping[str, AttributeValue],
        time_ns: int,
        *,
        body: Mapping[str, object] | None = None,
        is_warning: bool = False,
    ) -> None:
        run = self._known.get(run_id) if self._is_on else None
        if run is not None:
            self._events.write(
                run_id,
                run,
                name,
                attributes,
                time_ns=time_ns,
                observed_ns=time_ns,
                body=body,
                is_warning=is_warning,
            )
