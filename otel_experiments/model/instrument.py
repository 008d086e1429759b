"""Data points of OpenTelemetry's instruments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from otel_experiments.model.span import Resource, Scope

if TYPE_CHECKING:
    from otel_experiments.model.span import Attributes

InstrumentKind = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
TEMPORALITIES: Final = {1: "delta", 2: "cumulative"}
"""By the number of OTLP. Source: opentelemetry-proto, metrics.proto, AggregationTemporality."""


@dataclass(frozen=True, slots=True)
class InstrumentPoint:
    """One data point of an OpenTelemetry instrument, as an exporter or OTLP brought it.

    `value` holds the number of a gauge or sum (None for histograms); `histogram` the histogram's fields as
    plain JSON-able values (`count`, `sum`, `min`, `max`, `bucket_counts`, `explicit_bounds`, or the
    exponential ones; of a summary `count`, `sum`, `quantiles` as pairs). Units: times are nanoseconds since the Unix epoch; `unit` is UCUM.

    Source: opentelemetry-proto, metrics.proto.
    """

    name: str
    kind: InstrumentKind
    time_ns: int
    start_ns: int = 0
    unit: str = ""
    description: str = ""
    value: float | int | None = None
    histogram: Attributes | None = None
    is_monotonic: bool = False
    temporality: int = 0
    flags: int = 0
    attributes: Attributes = field(default_factory=dict)
    exemplars: tuple[Attributes, ...] = ()
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    run_id: str | None = None
    given_ns: int | None = None
