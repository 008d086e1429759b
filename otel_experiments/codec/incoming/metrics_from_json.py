"""From OTLP/JSON documents to data points of instruments. Pure. Source: opentelemetry-proto, metrics.proto."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from otel_experiments.codec.from_sdk import run_id_of
from otel_experiments.codec.incoming.json_items import items_of, read_item
from otel_experiments.codec.incoming.json_values import (
    FILES,
    Dialect,
    Document,
    attributes,
    count,
    double,
    enumerated,
    flag,
    integer,
    items,
    message,
    text,
    time_ns,
    valid_id,
)
from otel_experiments.codec.incoming.refusals import NAMELESS, Refusals, RefusedItem, named
from otel_experiments.model.instrument import InstrumentKind, InstrumentPoint
from otel_experiments.model.span import Attributes, AttributeValue, Resource, Scope

_DATA: Final[tuple[tuple[str, InstrumentKind], ...]] = (
    ("gauge", "gauge"),
    ("sum", "sum"),
    ("histogram", "histogram"),
    ("exponentialHistogram", "exponential_histogram"),
    ("summary", "summary"),
)
_TEMPORALITIES: Final = {
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
}


def instrument_points_from_json(
    document: Document, dialect: Dialect = FILES, refusals: Refusals | None = None
) -> Iterator[InstrumentPoint]:
    """Yield the data points of a MetricsData document or metric export request.

    Raises:
        TelemetryDecodeError: a metric is not what OTLP says, or a point cannot be kept while `refusals` is None.
    """
    for item, resource, scope in items_of(document, "metrics", dialect):
        metric = read_item(
            "metric", item, partial(_Metric, resource=resource, scope=scope, dialect=dialect), None
        )
        if metric is None:
            continue
        for point in metric.points:
            made = read_item(metric.kind_of_points, point, metric.read, refusals)
            if made is not None:
                yield made


class _Metric:
    """What the data points of a metric share."""

    def __init__(self, item: Document, resource: Resource, scope: Scope, dialect: Dialect) -> None:
        self._resource, self._scope, self._dialect = resource, scope, dialect
        self._name, self._unit, self._description = (
            text(item, key) for key in ("name", "unit", "description")
        )
        field, self._kind = next((pair for pair in _DATA if item.get(pair[0]) is not None), ("", "gauge"))
        data = message(item, field)
        self._is_monotonic = flag(data, "isMonotonic")
        self._temporality = enumerated(
            data.get("aggregationTemporality"), "aggregationTemporality", _TEMPORALITIES, dialect
        )
        self.points = items(data, "dataPoints")
        self.kind_of_points = f"data point of {named('metric', self._name)}"

    def read(self, point: Document) -> InstrumentPoint:
        """Return one data point.

        Raises:
            RefusedItem: its metric has no name.
        """
        if not self._name:
            raise RefusedItem(NAMELESS)
        held = attributes(point.get("attributes"))
        is_number = self._kind in {"gauge", "sum"}
        return InstrumentPoint(
            name=self._name,
            kind=self._kind,
            time_ns=time_ns(point, "timeUnixNano"),
            start_ns=time_ns(point, "startTimeUnixNano"),
            unit=self._unit,
            description=self._description,
            value=_number(point) if is_number else None,
            histogram=None if is_number else _distribution(point, self._kind),
            is_monotonic=self._is_monotonic,
            temporality=self._temporality,
            flags=count(point, "flags"),
            attributes=held,
            exemplars=tuple(_exemplar(exemplar, self._dialect) for exemplar in items(point, "exemplars")),
            resource=self._resource,
            scope=self._scope,
            run_id=run_id_of(held, self._resource),
        )


def _number(point: Document) -> float | int | None:
    given = point.get("asInt")
    if given is not None:
        return integer(given, "asInt", is_signed=True)
    given = point.get("asDouble")
    return None if given is None else double(given, "asDouble")


def _exemplar(exemplar: Document, dialect: Dialect) -> Attributes:
    return {
        "time_ns": integer(exemplar.get("timeUnixNano"), "timeUnixNano"),
        "value": _number(exemplar),
        "trace_id": valid_id(exemplar, "traceId", "trace", dialect) or "",
        "span_id": valid_id(exemplar, "spanId", "span", dialect) or "",
        "attributes": attributes(exemplar.get("filteredAttributes")),
    }


def _distribution(point: Document, kind: InstrumentKind) -> Attributes:
    common: dict[str, AttributeValue] = {"count": integer(point.get("count"), "count")}
    if kind == "summary":
        quantiles: list[AttributeValue] = [
            [_double(one, "quantile"), _double(one, "value")] for one in items(point, "quantileValues")
        ]
        return common | {"sum": _double(point, "sum"), "quantiles": quantiles}
    for field in ("sum", "min", "max"):
        common[field] = None if point.get(field) is None else double(point[field], field)
    if kind == "histogram":
        return common | {
            "bucket_counts": _counts(point),
            "explicit_bounds": [double(bound, "explicitBounds") for bound in items(point, "explicitBounds")],
        }
    return common | {
        "scale": integer(point.get("scale"), "scale", bits=32, is_signed=True),
        "zero_count": integer(point.get("zeroCount"), "zeroCount"),
        "positive": _buckets(message(point, "positive")),
        "negative": _buckets(message(point, "negative")),
    }


def _double(holder: Document, key: str) -> float:
    found = holder.get(key)
    return 0.0 if found is None else double(found, key)


def _buckets(buckets: Document) -> Attributes:
    return {
        "offset": integer(buckets.get("offset"), "offset", bits=32, is_signed=True),
        "bucket_counts": _counts(buckets),
    }


def _counts(holder: Document) -> list[AttributeValue]:
    return [integer(one, "bucketCounts") for one in items(holder, "bucketCounts")]
