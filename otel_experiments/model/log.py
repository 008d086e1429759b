"""Log records and events, as OpenTelemetry means them: an event is a log record with an `event_name`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_experiments._short_repr import repr_pretty
from otel_experiments.model.span import Resource, Scope

if TYPE_CHECKING:
    from otel_experiments.model.span import Attributes, AttributeValue


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record. Source: opentelemetry-proto, logs.proto, LogRecord.

    Units: times are nanoseconds since the Unix epoch. `body` is any value, unlimited in size.
    `given_ns` is as in `Span`.
    """

    time_ns: int
    observed_time_ns: int
    event_name: str = ""
    severity_number: int = 0
    severity_text: str = ""
    body: AttributeValue = None
    attributes: Attributes = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    flags: int = 0
    dropped_attributes_count: int = 0
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    run_id: str | None = None
    given_ns: int | None = None

    _repr_pretty_ = repr_pretty
