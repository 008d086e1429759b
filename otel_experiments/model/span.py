"""The one row contract for spans: what an exporter hands over and what OTLP brings is the same thing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from otel_experiments._short_repr import repr_pretty
from otel_experiments.semconv import attributes as attr

AttributeValue = (
    str | bool | int | float | bytes | None | Sequence["AttributeValue"] | Mapping[str, "AttributeValue"]
)
"""An OpenTelemetry AnyValue. Source: opentelemetry-proto, common.proto, AnyValue."""

Attributes = Mapping[str, AttributeValue]
"""Attributes by key, in the order in which they were set."""


def service_of(resource: Attributes) -> str:
    """Return the name of the service that a resource is, with its namespace; empty where it has none."""
    parts = (resource.get(attr.SERVICE_NAMESPACE), resource.get(attr.SERVICE_NAME))
    return "/".join(part for part in parts if isinstance(part, str) and part)


class SpanKind(IntEnum):
    """Span kinds with the numbers of OTLP (the SDK counts from INTERNAL = 0). Source: trace.proto, SpanKind."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """Status codes with the numbers of OTLP. Source: trace.proto, Status.StatusCode."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Resource:
    """Who made the telemetry: the identity of experiment, run, service, host and process."""

    attributes: Attributes = field(default_factory=dict)
    schema_url: str = ""


SCOPE_NAME = "otel_experiments"
"""The instrumentation scope under which this package records."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope: which library made the telemetry."""

    name: str = ""
    version: str = ""
    schema_url: str = ""
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A point in time inside a span."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A pointer from a span to a span of this or another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)
    trace_state: str = ""
    dropped_attributes_count: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """One span, ended or still open.

    Units: `start_ns` and `end_ns` are nanoseconds since the Unix epoch; ids are lower-case hex (32 and 16
    digits). `end_ns` is None while the span is open. `run_id` names the run that was current when the span
    started; None for spans of no run.

    `given_ns` is set where the item has its run from elsewhere than its attributes: when it was attached to it, 0 where it joined it
    by its trace. Only `Store.whole_run` says it; what is written with it stays the item that came without a run.

    `is_received` is set for what came by OTLP, which anybody may send: a store keeps the form that it has. It is no part of
    what the span is.

    Source: opentelemetry-proto, trace.proto, Span.
    """

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int | None = None
    parent_span_id: str | None = None
    kind: SpanKind = SpanKind.INTERNAL
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    trace_state: str = ""
    flags: int = 0
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0
    run_id: str | None = None
    given_ns: int | None = None
    is_received: bool = field(default=False, compare=False, repr=False)

    _repr_pretty_ = repr_pretty

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from start to end; None while the span is open."""
        return None if self.end_ns is None else self.end_ns - self.start_ns
