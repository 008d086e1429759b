"""A run's own events, written to the journal without the SDK.

The SDK's way takes locks, imports modules at the first event and swallows exceptions of signal handlers; so an event
could hang a forked child, a signal handler that records, or a program that stops by an exception. What is written is
the same, and the run's `LoggerProvider` still makes loggers for whoever wants one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_experiments.codec.from_sdk import resource_from_sdk, run_id_of, scope_from_sdk
from otel_experiments.codec.plain import plain_value
from otel_experiments.journal.encode import encode_log_record
from otel_experiments.model.log import LogRecord

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanLimits

    from otel_experiments.model.span import AttributeValue
    from otel_experiments.record.base.ports import PipelinePort


class EventWriter:
    """Writes the events of one run."""

    def __init__(self, pipeline: PipelinePort, resource: Resource, scope: InstrumentationScope) -> None:
        self._pipeline = pipeline
        self._resource = resource
        self._scope = scope
        pipeline.references.scope(
            scope, lambda: scope_from_sdk(scope)
        )  # before a fork: reading it takes a lock

    def write(
        self,
        event_name: str,
        *,
        time_ns: int,
        context: Context,
        body: object = None,
        attributes: Mapping[str, Any] | None = None,
        observed_ns: int | None = None,
        severity_number: int = 0,
        severity_text: str = "",
    ) -> bool:
        """Append one event, with the span that is current in `context`; False when the journal does not take it."""
        if not self._pipeline.has_telemetry:
            return True
        references = self._pipeline.references
        resource = references.resource(self._resource, lambda: resource_from_sdk(self._resource))
        scope = references.scope(self._scope, lambda: scope_from_sdk(self._scope))
        kept, dropped = kept_attributes(attributes or {}, self._pipeline.span_limits)
        span = trace.get_current_span(context).get_span_context()
        record = LogRecord(
            time_ns=time_ns,
            observed_time_ns=time_ns if observed_ns is None else observed_ns,
            event_name=event_name,
            severity_number=severity_number,
            severity_text=severity_text,
            body=plain_value(body),
            attributes=kept,
            trace_id=trace.format_trace_id(span.trace_id) if span.trace_id else None,
            span_id=trace.format_span_id(span.span_id) if span.span_id else None,
            flags=int(span.trace_flags),
            dropped_attributes_count=dropped,
            resource=resource.value,
            scope=scope.value,
            run_id=run_id_of(kept, resource.value),
        )
        return self._pipeline.journal.append(
            encode_log_record(record, resource.number, scope.number),
            (resource.declaration, scope.declaration),
        )


def kept_attributes(
    attributes: Mapping[str, Any], limits: SpanLimits
) -> tuple[dict[str, AttributeValue], int]:
    """Return the attributes as they are recorded, within the limits of a run's spans, and how many were dropped."""
    kept: dict[str, AttributeValue] = {}
    for key, value in dict(attributes).items():
        if isinstance(key, str) and key and len(kept) < (limits.max_attributes or 0):
            kept[key] = _cut(plain_value(value), limits.max_attribute_length)
    return kept, len(attributes) - len(kept)


def _cut(value: AttributeValue, most_chars: int | None) -> AttributeValue:
    if most_chars is None:
        return value
    if isinstance(value, str):
        return value[:most_chars]
    return [_cut(part, most_chars) for part in value] if isinstance(value, list) else value
