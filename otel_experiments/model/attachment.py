"""Telemetry of no run, and what was attached to a run afterwards: which is meant, and how much there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_experiments.model.span import service_of
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.model.metric import PointBlock
    from otel_experiments.model.span import Attributes, AttributeValue


@dataclass(frozen=True, slots=True)
class TelemetryQuery:
    """Which spans, log records and data points of instruments. All given conditions must hold.

    `run_id` None asks for telemetry of no run, an id for what was attached to that run. `service` is a service's name,
    with or without its namespace. `resource` compares attributes of the resource exactly; a None asks only whether it
    has the attribute. A data point belongs to no trace.
    Units: nanoseconds since the Unix epoch, of a span's start; `until_ns` itself is outside.
    """

    run_id: str | None = None
    trace_id: str | None = None
    service: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    resource: tuple[tuple[str, AttributeValue], ...] = ()

    @property
    def is_of_resources(self) -> bool:
        """Whether the resource decides."""
        return self.service is not None or bool(self.resource)

    def takes_resource(self, attributes: Attributes) -> bool:
        """Tell whether telemetry of a resource can be meant."""
        if self.service is not None and self.service not in {
            service_of(attributes),
            attributes.get(attr.SERVICE_NAME),
        }:
            return False
        return all(
            key in attributes and (value is None or _is_same(attributes[key], value))
            for key, value in self.resource
        )

    def takes_time(self, time_ns: int) -> bool:
        """Tell whether telemetry of this time can be meant."""
        return (self.since_ns is None or time_ns >= self.since_ns) and (
            self.until_ns is None or time_ns < self.until_ns
        )


def _is_same(found: AttributeValue, wanted: AttributeValue) -> bool:
    """Tell whether a value is the wanted one; a text is also what a number or truth value is written as."""
    if isinstance(wanted, str) and isinstance(found, (bool, int, float)):
        return str(found).lower() == wanted.lower()
    return type(found) is type(wanted) and found == wanted


@dataclass(frozen=True, slots=True)
class TelemetryGroup:
    """How much telemetry of one service there is, or of one trace.

    `name` is the name of the trace's first span, empty for a service. Units: nanoseconds since the Unix epoch.
    """

    service: str
    trace_id: str | None
    name: str
    span_count: int
    log_record_count: int
    data_point_count: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """What `query` asks for becomes the run's, at `time_ns`. Telemetry that has a run stays as it is."""

    run_id: str
    query: TelemetryQuery
    time_ns: int


@dataclass(frozen=True, slots=True)
class Detachment:
    """What `query` asks for of what was attached to its run has no run again, and `points` leave their series."""

    query: TelemetryQuery
    points: tuple[PointBlock, ...] = ()
