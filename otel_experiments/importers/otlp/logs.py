"""Log records that came over OTLP: to which run they belong, and what a run's events say of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Final

from otel_experiments.codec.incoming.read import read_logs
from otel_experiments.importers.otlp.artifacts import add_alias, add_artifact, add_use
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.importers.otlp.origin import Origins, own_run
from otel_experiments.model.batch import (
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import TEXTS, RunEdit
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import Direction
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import FACT_ATTRIBUTES, ParamValue, Run, RunFacts, RunState
from otel_experiments.model.span import AttributeValue
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events


def add_logs(batch: WriteBatch, request: ReceivedRequest, origins: Origins) -> None:
    """Add the log records of a request, and what the events among them say of their runs."""
    for record in read_logs(request.encoding, request.payload):
        try:
            if origins.replayed.take_run_record(record, batch):
                continue
        except Exception as error:  # noqa: BLE001 - raised again where it is not about the record
            origins.pass_over(error, f"the log record {record.event_name!r}")
        if origins.replayed.take_log_record(record, batch):
            continue
        identity = origins.emitters.identify(record.resource.attributes, record.attributes, origins.hints)
        if origins.is_refused(identity):
            continue
        run_id = None if identity is None else identity.run_id
        batch.log_records.append(record if record.run_id == run_id else replace(record, run_id=run_id))
        if identity is None:
            if record.trace_id is not None:
                origins.note_trace(record.trace_id, None)
            continue
        origins.see(identity, record.resource, record.attributes, record.time_ns)
        if identity.is_own:
            _read_event(batch, record, identity, origins)


def _read_event(batch: WriteBatch, record: LogRecord, identity: Identity, origins: Origins) -> None:
    """Add what a log record says of its run, if it is an event that does."""
    try:
        if record.event_name == events.ML_RUN_STATE.name:
            _add_state(batch, record, identity, origins.host)
        elif record.event_name in _EVENTS:
            _EVENTS[record.event_name](batch, record, identity)
    except Exception as error:  # noqa: BLE001 - raised again where it is not about the record
        origins.pass_over(error, f"the log record {record.event_name!r}")


def _add_start(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    """Add the record of a run whose owner has started it; another process that joins it names no state."""
    state = _state(record)
    if state is None or attr.ML_RUN_ID not in record.resource.attributes:
        return
    run = own_run(identity, record.resource)
    started_ns = _count(record, attr.ML_RUN_STARTED_TIME, record.time_ns)
    batch.runs.append(
        replace(
            run,
            state=state,
            created_ns=_count(record, attr.ML_RUN_CREATED_TIME, record.time_ns),
            started_ns=None if state is RunState.PENDING else started_ns,
            paused_total_ns=_count(record, attr.ML_RUN_PAUSED_TIME),
            root_span_id=record.span_id,
            **asdict(_facts(record, run)),
        )
    )


def _add_state(batch: WriteBatch, record: LogRecord, identity: Identity, host: str) -> None:
    state = _state(record)
    if state is None:
        return
    attempt = record.resource.attributes.get(attr.ML_RUN_ATTEMPT)
    batch.state_changes.append(
        RunStateChange(
            run_id=identity.run_id,
            state=state,
            time_ns=record.time_ns,
            reason=_whole(record, "reason") or _text(record, attr.ML_RUN_REASON),
            error_type=_text(record, attr.ERROR_TYPE),
            paused_total_ns=_count(record, attr.ML_RUN_PAUSED_TIME),
            paused_count=_count(record, attr.ML_RUN_PAUSE_COUNT),
            paused_dropped_count=_count(record, attr.ML_RUN_PAUSE_DROPPED),
            attempt=attempt if isinstance(attempt, int) and attempt >= 1 else 1,
            received_on=host,
        )
    )


def _add_tags(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    if isinstance(record.body, Mapping):
        batch.tags += _tags(record.body, identity, record.time_ns)


def _add_edit(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    if isinstance(record.body, Mapping):
        given = {field: value for field in TEXTS if isinstance(value := record.body.get(field), str)}
        batch.edits += [
            RunEdit(identity.run_id, field, value, record.time_ns) for field, value in given.items()
        ]


def _add_definition(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    pattern, direction = _text(record, attr.ML_METRIC_PATTERN), _text(record, attr.ML_METRIC_DIRECTION)
    is_hidden = record.attributes.get(attr.ML_METRIC_HIDDEN)
    if pattern:
        known = _DIRECTIONS.get(direction)
        batch.metric_definitions.append(
            MetricDefinition(
                identity.run_id,
                pattern,
                known,
                _text(record, attr.ML_METRIC_STEP_METRIC),
                _text(record, attr.ML_METRIC_SUMMARY),
                is_hidden if isinstance(is_hidden, bool) else None,
            )
        )


def _add_config(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    if isinstance(record.body, Mapping):
        for key, value in _flat(record.body, ""):
            batch.params.append(ParamSet(identity.run_id, key, value, record.time_ns))


def _add_summary(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    if isinstance(record.body, Mapping):
        for key, value in _flat(record.body, ""):
            batch.summaries.append(SummarySet(identity.run_id, key, value, record.time_ns))


def _add_rank_config(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    """Add what a rank was given: the run's where no lower rank was given another value."""
    rank, body = record.attributes.get(attr.ML_DISTRIBUTED_RANK), record.body
    if not isinstance(rank, int) or rank < 1 or not isinstance(body, Mapping):
        return
    params, tags = body.get("params"), body.get("tags")
    if isinstance(params, Mapping):
        for key, value in _flat(params, ""):
            batch.params.append(ParamSet(identity.run_id, key, value, -rank))
    if isinstance(tags, Mapping):
        batch.tags += _tags(tags, identity, -rank)


_DIRECTIONS: Final[Mapping[str, Direction]] = {"min": "min", "max": "max"}
_EVENTS: Final[Mapping[str, Callable[[WriteBatch, LogRecord, Identity], None]]] = {
    events.ML_RUN_START.name: _add_start,
    events.ML_RUN_CONFIG.name: _add_config,
    events.ML_RUN_PARAMS.name: _add_config,
    events.ML_RUN_SUMMARY.name: _add_summary,
    events.ML_RUN_TAGS.name: _add_tags,
    events.ML_RUN_EDIT.name: _add_edit,
    events.ML_METRIC_DEFINITION.name: _add_definition,
    events.ML_RANK_CONFIG.name: _add_rank_config,
    events.ML_ARTIFACT_LOGGED.name: add_artifact,
    events.ML_ARTIFACT_USED.name: add_use,
    events.ML_ARTIFACT_ALIAS.name: add_alias,
}


def _state(record: LogRecord) -> RunState | None:
    """Return the state that an event names; None where it names none that a run says of itself."""
    try:
        state = RunState(_text(record, attr.ML_RUN_STATE))
    except ValueError:
        return None
    return None if state is RunState.LOST else state


def _text(record: LogRecord, key: str) -> str:
    found = record.attributes.get(key)
    return found if isinstance(found, str) else ""


def _facts(record: LogRecord, run: Run) -> RunFacts:
    """Return the texts about the experiment: whole ones of the body, where the resource has only their beginnings."""
    return RunFacts(**{name: _whole(record, name) or getattr(run, name) for name in FACT_ATTRIBUTES})


def _whole(record: LogRecord, name: str) -> str:
    """Return a text of the body, which has those that are too long for an attribute."""
    found = record.body.get(name) if isinstance(record.body, Mapping) else None
    return found if isinstance(found, str) else ""


def _count(record: LogRecord, key: str, default: int = 0) -> int:
    found = record.attributes.get(key)
    return found if isinstance(found, int) and 0 <= found < 2**63 else default


def _tags(values: Mapping[str, AttributeValue], identity: Identity, time_ns: int) -> list[TagSet]:
    return [
        TagSet(identity.run_id, key, value, time_ns)
        for key, value in values.items()
        if value is None or isinstance(value, str)
    ]


def _flat(values: Mapping[str, ParamValue], prefix: str) -> list[tuple[str, ParamValue]]:
    """Return params by their dotted keys; an empty mapping keeps its key."""
    found: list[tuple[str, ParamValue]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
