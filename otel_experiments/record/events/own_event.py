"""Events that this package records of a run by itself, straight into the journal: no provider is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.trace import format_span_id, format_trace_id

from otel_experiments.codec.artifact_event import INFO, SAMPLED
from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.journal.encode import encode_artifact, encode_log_record
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import AttributeValue
from otel_experiments.record.base.scope import stored_scope
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from otel_experiments.journal.writer import JournalWriter
    from otel_experiments.model.artifact import ArtifactLogged
    from otel_experiments.record.base.declared import References
    from otel_experiments.record.base.known_runs import KnownRun

_WARN: Final = (13, "WARN")
"""As INFO."""


class OwnEvents:
    """Writes events about runs to the journal of this process."""

    def __init__(self, journal: JournalWriter, references: References) -> None:
        self._journal = journal
        self._references = references

    def write(
        self,
        run_id: str,
        run: KnownRun,
        event_name: str,
        attributes: Mapping[str, AttributeValue],
        *,
        time_ns: int,
        observed_ns: int,
        body: Mapping[str, object] | None = None,
        is_warning: bool = True,
    ) -> bool:
        """Write one event; False when no disk takes it."""
        scope_value = stored_scope()
        resource = self._references.resource(run.resource, lambda: resource_from_sdk(run.resource))
        scope = self._references.scope(scope_value, lambda: scope_value)
        severity_number, severity_text = _WARN if is_warning else INFO
        record = LogRecord(
            time_ns=time_ns,
            observed_time_ns=observed_ns,
            event_name=event_name,
            severity_number=severity_number,
            severity_text=severity_text,
            body=cast("AttributeValue", body),
            attributes=attributes,
            trace_id=format_trace_id(run.trace_id),
            span_id=format_span_id(run.span_id),
            flags=SAMPLED,
            resource=resource.value,
            scope=scope_value,
            run_id=run_id,
        )
        return self._journal.append(
            encode_log_record(record, resource.number, scope.number),
            (resource.declaration, scope.declaration),
        )

    def write_definition(
        self, made_of: Resource, body: Mapping[str, object], *, time_ns: int
    ) -> tuple[LogRecord, bool]:
        """Write what an experiment's runs share, as an event of no run; return it, and False when no disk takes it."""
        scope_value = stored_scope()
        resource = self._references.resource(made_of, lambda: resource_from_sdk(made_of))
        scope = self._references.scope(scope_value, lambda: scope_value)
        severity_number, severity_text = INFO
        record = LogRecord(
            time_ns=time_ns,
            observed_time_ns=time_ns,
            event_name=ML_EXPERIMENT_DEFINITION.name,
            severity_number=severity_number,
            severity_text=severity_text,
            body=cast("AttributeValue", body),
            resource=resource.value,
            scope=scope_value,
        )
        is_written = self._journal.append(
            encode_log_record(record, resource.number, scope.number),
            (resource.declaration, scope.declaration),
        )
        return record, is_written

    def write_artifact(self, logged: ArtifactLogged, run: KnownRun | None) -> bool:
        """Write the record of an artifact, and with it what its event is made of; False when no disk takes it.

        `run` is whose event it is; without one there is none.
        """
        if run is None:
            return self._journal.append(encode_artifact(logged))
        scope_value = stored_scope()
        resource = self._references.resource(run.resource, lambda: resource_from_sdk(run.resource))
        scope = self._references.scope(scope_value, lambda: scope_value)
        span_id = "" if logged.span_id else format_span_id(run.span_id)
        return self._journal.append(
            encode_artifact(logged, (resource.number, scope.number, span_id)),
            (resource.declaration, scope.declaration),
        )
