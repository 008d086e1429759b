"""From data points of instruments to the bytes of an ExportMetricsServiceRequest. Pure.

Data points of one metric, those with equal name, kind, unit, description, temporality and monotonicity, leave as one.
Source: opentelemetry-proto, metrics.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from struct import Struct, pack
from typing import Any, Final

from otel_experiments.codec.number import plain_number
from otel_experiments.codec.otlp.attributes import attribute_fields
from otel_experiments.codec.otlp.fields import (
    Piece,
    count_field,
    delimited,
    id_field,
    pack_double,
    pack_fixed64,
    text_field,
    varint,
)
from otel_experiments.codec.otlp.request import RECORD_TAG, Request
from otel_experiments.model.instrument import InstrumentKind, InstrumentPoint

_DATA_TAGS: Final[dict[InstrumentKind, bytes]] = {
    "gauge": b"\x2a",
    "sum": b"\x3a",
    "histogram": b"\x4a",
    "exponential_histogram": b"\x52",
    "summary": b"\x5a",
}
_WITHOUT_TEMPORALITY: Final = ("gauge", "summary")
_CUMULATIVE: Final = 2
_pack_signed: Final = Struct("<q").pack


def instrument_points_to_request(points: Sequence[InstrumentPoint], *, is_exact: bool = False) -> bytes:
    """Return a request with the data points.

    Args:
        points: what is sent.
        is_exact: the start of gauges and an unknown temporality as they are stored, for an export. A sender leaves out the
            one, and says of the other that it is cumulative.

    Raises:
        ValueError, TypeError, struct.error: a point has a number, an id or a value that OTLP has no room for.
    """
    request = Request()
    metrics: dict[object, tuple[list[Piece], list[InstrumentPoint]]] = {}
    for point in points:
        records = request.records_of(point.resource, point.scope)
        metric = (
            id(records), point.name, point.kind, point.unit, point.description, point.temporality, point.is_monotonic,
        )  # fmt: skip
        metrics.setdefault(metric, (records, []))[1].append(point)
    for records, group in metrics.values():
        records.append(delimited(RECORD_TAG, _metric(group, is_exact=is_exact)))
    return request.to_bytes()


def _metric(points: Sequence[InstrumentPoint], *, is_exact: bool) -> bytes:
    first = points[0]
    encode = (
        partial(_number, keeps_start=True) if is_exact and first.kind == "gauge" else _DATA_POINTS[first.kind]
    )
    data = [delimited(b"\x0a", encode(point)) for point in points]
    if first.kind not in _WITHOUT_TEMPORALITY:
        data.append(b"\x10" + varint(first.temporality or (0 if is_exact else _CUMULATIVE)))
    if first.kind == "sum" and first.is_monotonic:
        data.append(b"\x18\x01")
    return b"".join(
        (
            text_field(b"\x0a", first.name),
            text_field(b"\x12", first.description),
            text_field(b"\x1a", first.unit),
            delimited(_DATA_TAGS[first.kind], b"".join(data)),
        )
    )


def _number(point: InstrumentPoint, *, keeps_start: bool = False) -> bytes:
    has_start = point.start_ns and (keeps_start or point.kind != "gauge")
    return b"".join(
        (
            b"\x11" + pack_fixed64(point.start_ns) if has_start else b"",
            b"\x19" + pack_fixed64(point.time_ns),
            _value(b"\x21", b"\x31", point.value),
            _exemplars(b"\x2a", point),
            attribute_fields(b"\x3a", point.attributes),
            count_field(b"\x40", point.flags),
        )
    )


def _histogram(point: InstrumentPoint) -> bytes:
    found: Mapping[str, Any] = point.histogram or {}
    counts, bounds = found.get("bucket_counts") or (), found.get("explicit_bounds") or ()
    return b"".join(
        (
            b"\x11" + pack_fixed64(point.start_ns),
            b"\x19" + pack_fixed64(point.time_ns),
            b"\x21" + pack_fixed64(found["count"]),
            _optional(b"\x29", found.get("sum")),
            delimited(b"\x32", pack(f"<{len(counts)}Q", *counts)) if counts else b"",
            delimited(b"\x3a", pack(f"<{len(bounds)}d", *bounds)) if bounds else b"",
            _exemplars(b"\x42", point),
            attribute_fields(b"\x4a", point.attributes),
            count_field(b"\x50", point.flags),
            _optional(b"\x59", found.get("min")),
            _optional(b"\x61", found.get("max")),
        )
    )


def _exponential_histogram(point: InstrumentPoint) -> bytes:
    found: Mapping[str, Any] = point.histogram or {}
    return b"".join(
        (
            attribute_fields(b"\x0a", point.attributes),
            b"\x11" + pack_fixed64(point.start_ns),
            b"\x19" + pack_fixed64(point.time_ns),
            b"\x21" + pack_fixed64(found["count"]),
            _optional(b"\x29", found.get("sum")),
            b"\x30" + _zigzag(found["scale"]),
            b"\x39" + pack_fixed64(found["zero_count"]),
            _buckets(b"\x42", found.get("positive")),
            _buckets(b"\x4a", found.get("negative")),
            count_field(b"\x50", point.flags),
            _exemplars(b"\x5a", point),
            _optional(b"\x61", found.get("min")),
            _optional(b"\x69", found.get("max")),
        )
    )


def _summary(point: InstrumentPoint) -> bytes:
    found: Mapping[str, Any] = point.histogram or {}
    quantiles = [
        delimited(b"\x32", b"\x09" + pack_double(quantile) + b"\x11" + pack_double(value))
        for quantile, value in found.get("quantiles") or ()
    ]
    return b"".join(
        (
            b"\x11" + pack_fixed64(point.start_ns),
            b"\x19" + pack_fixed64(point.time_ns),
            b"\x21" + pack_fixed64(found["count"]),
            b"\x29" + pack_double(found["sum"]),
            *quantiles,
            attribute_fields(b"\x3a", point.attributes),
            count_field(b"\x40", point.flags),
        )
    )


_DATA_POINTS: Final = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}


def _buckets(tag: bytes, buckets: Mapping[str, Any] | None) -> bytes:
    counts = (buckets or {}).get("bucket_counts")
    if not buckets or not counts:
        return b""
    return delimited(
        tag, b"\x08" + _zigzag(buckets["offset"]) + delimited(b"\x12", b"".join(map(varint, counts)))
    )


def _exemplars(tag: bytes, point: InstrumentPoint) -> bytes:
    return b"".join([delimited(tag, _exemplar(exemplar)) for exemplar in point.exemplars])


def _exemplar(exemplar: Mapping[str, Any]) -> bytes:
    span_id, trace_id = exemplar.get("span_id"), exemplar.get("trace_id")
    return b"".join(
        (
            b"\x11" + pack_fixed64(exemplar["time_ns"]),
            _value(b"\x19", b"\x31", exemplar["value"]),
            id_field(b"\x22", span_id, size=8) if span_id else b"",
            id_field(b"\x2a", trace_id, size=16) if trace_id else b"",
            attribute_fields(b"\x3a", exemplar["attributes"]),
        )
    )


def _value(double_tag: bytes, integer_tag: bytes, value: float | None) -> bytes:
    """Return a number; integers stay integers. None is no value, which a point's flags explain."""
    if value is None:
        return b""
    number = plain_number(value)
    return integer_tag + _pack_signed(number) if isinstance(number, int) else double_tag + pack_double(number)


def _optional(tag: bytes, value: float | None) -> bytes:
    return b"" if value is None else tag + pack_double(value)


def _zigzag(number: int) -> bytes:
    """Return a signed integer so that small ones are short. Source: protobuf.dev, Encoding, Signed Integers."""
    return varint(number * 2 if number >= 0 else -number * 2 - 1)
