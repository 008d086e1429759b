"""Points of metric histories as columns: the data points of the gauge `ml.metric.value`, each series in one piece. Pure."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Attributes, Resource, Scope
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

_UINT64: Final = 2**64 - 1
STEP_KEY: Final = attr.ML_METRIC_STEP
"""Of the step among the attributes of a point's exemplar."""


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """The points of one series in one request.

    Points of `ml.metric.value` that name a metric and have a value come so; all other data points are `InstrumentPoint`s.
    A series whose points have a step in their exemplar and lack it in turns comes in two pieces.

    Attributes:
        attributes: what all of the points have: the metric's name, its phase, and whatever else was sent.
        steps: of each point its step, which the first exemplar with one has; None where the points have none.
        times_ns: of each point its time, in nanoseconds since 1970.
        values: of each point its value; integers have become floats.
    """

    resource: Resource
    scope: Scope
    name: str
    unit: str
    attributes: Attributes
    steps: Sequence[float] | None
    times_ns: Sequence[int]
    values: Sequence[float]


@dataclass(slots=True)
class Columns:
    """Columns that grow. `steps` stays empty where points have none."""

    attributes: Attributes
    has_steps: bool
    steps: array[float] = field(default_factory=lambda: array("d"))
    times_ns: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


class Gauge:
    """The columns of one gauge, a resource and scope."""

    def __init__(self, resource: Resource, scope: Scope, unit: str) -> None:
        self._resource, self._scope, self._unit = resource, scope, unit
        self._columns: dict[tuple[str, bool], Columns] = {}

    def columns_of(self, attributes: Attributes, *, has_steps: bool) -> Columns:
        """Return the columns to which points with these attributes are added."""
        key = repr(attributes), has_steps
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = Columns(attributes, has_steps)
        return found

    def add(self, attributes: Attributes, step: float | None, time_ns: int, value: float) -> None:
        """Add one point."""
        columns = self.columns_of(attributes, has_steps=step is not None)
        columns.times_ns.append(time_ns)
        columns.values.append(value)
        if step is not None:
            columns.steps.append(step)

    def pieces(self) -> Iterator[SeriesPoints]:
        """Yield the series, in the order in which they came."""
        for columns in self._columns.values():
            yield SeriesPoints(
                self._resource,
                self._scope,
                ML_METRIC_VALUE.name,
                self._unit,
                columns.attributes,
                columns.steps if columns.has_steps else None,
                columns.times_ns,
                columns.values,
            )


class Histories:
    """The gauges of a request, each once for a resource and scope."""

    def __init__(self) -> None:
        self._gauges: dict[tuple[int, int, str], Gauge] = {}
        self._kept: list[object] = []  # what is known by its identity has to live as long as this

    def gauge_of(self, resource: Resource, scope: Scope, unit: str) -> Gauge:
        """Return the gauge to which points of the resource and scope are added."""
        key = id(resource), id(scope), unit
        found = self._gauges.get(key)
        if found is None:
            self._kept += (resource, scope)
            found = self._gauges[key] = Gauge(resource, scope, unit)
        return found

    def pieces(self) -> list[SeriesPoints]:
        """Return all series, in the order in which they came."""
        return [piece for gauge in self._gauges.values() for piece in gauge.pieces()]


def names_metric(attributes: Attributes) -> bool:
    """Tell whether the attributes of a point say of which metric it is."""
    name = attributes.get(attr.ML_METRIC_NAME)
    return isinstance(name, str) and bool(name)


def is_step(value: object) -> bool:
    """Tell whether the value of an attribute can be a step."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def split_histories(points: Iterable[InstrumentPoint]) -> tuple[list[SeriesPoints], list[InstrumentPoint]]:
    """Return the points of histories as columns, and the others as they are."""
    histories, others = Histories(), []
    for point in points:
        is_history = point.name == ML_METRIC_VALUE.name and point.kind == "gauge" and not point.flags
        if is_history and point.value is not None and names_metric(point.attributes):
            gauge = histories.gauge_of(point.resource, point.scope, point.unit)
            gauge.add(
                point.attributes, _step(point.exemplars), point.time_ns, _value(point.value, point.exemplars)
            )
        else:
            others.append(point)
    return histories.pieces(), others


def _value(value: float, exemplars: Iterable[Attributes]) -> float:
    """Return the value as a float: a NaN of JSON, which has only one, as the one that its bits beside it say."""
    found = float(value)
    if not math.isnan(found):
        return found
    for exemplar in exemplars:
        held = exemplar["attributes"]
        bits = held.get(attr.ML_METRIC_NAN_BITS) if isinstance(held, Mapping) else None
        if isinstance(bits, int):
            (odd,) = struct.unpack("<d", struct.pack("<Q", bits & _UINT64))
            return odd if math.isnan(odd) else found
    return found


def _step(exemplars: Iterable[Attributes]) -> float | None:
    for exemplar in exemplars:
        held = exemplar["attributes"]
        step = held.get(STEP_KEY) if isinstance(held, Mapping) else None
        if isinstance(step, int | float) and is_step(step):
            return float(step)
    return None
