"""From metric points to the bytes of an ExportMetricsServiceRequest. Pure.

One gauge a run, one data point for every recorded point: its time and value, and in its exemplar the step and the
run's root span. All points of a series have the same length, since the numbers in them are of fixed width. So one is
laid out, repeated, and the columns are written into it eight strides a number: no object is made for a point
(decision 0001 says why the history leaves so, decision 0023 why no library encodes it).
Source: opentelemetry-proto, metrics.proto.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.codec.otlp.attributes import attribute_fields
from otel_experiments.codec.otlp.fields import (
    Piece,
    delimited,
    delimited_pieces,
    id_field,
    text_field,
    varint,
)
from otel_experiments.codec.otlp.request import RECORD_TAG, Request
from otel_experiments.model.metric import PointBlock
from otel_experiments.model.span import Resource, Scope
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

_EIGHT: Final = bytes(8)


@dataclass(frozen=True, slots=True)
class PointOrigin:
    """Whose points they are: the run's resource, and the ids of its root span as hex digits."""

    resource: Resource
    trace_id: str
    span_id: str


def of_rank(resource: Resource, rank: int) -> Resource:
    """Return the resource of a run's process with this number: each rank's points leave under its own."""
    if resource.attributes.get(attr.ML_DISTRIBUTED_RANK, 0) == rank:
        return resource
    return Resource({**resource.attributes, attr.ML_DISTRIBUTED_RANK: rank}, resource.schema_url)


@dataclass(slots=True)
class _Columns:
    """One series: times, steps and values as little-endian numbers of eight bytes."""

    times_ns: list[bytes] = field(default_factory=list)
    steps: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)


def points_to_request(runs: Iterable[tuple[PointOrigin, Sequence[PointBlock]]], scope: Scope) -> bytes:
    """Return a request with the blocks' points, each series in one piece, in the order of recording.

    Raises:
        ValueError, OverflowError: a run has an id, or a point a time, that OTLP has no room for.
    """
    request = Request()
    for origin, blocks in runs:
        request.records_of(origin.resource, scope).extend(
            delimited_pieces(RECORD_TAG, _gauge(origin, blocks))
        )
    return request.to_bytes()


def _gauge(origin: PointOrigin, blocks: Sequence[PointBlock]) -> list[Piece]:
    all_series: dict[tuple[str, str], _Columns] = {}
    for block in blocks:
        times_ns, steps = _times(block.times_ns), _little_endian("d", block.steps)
        for key, values in zip(block.keys, block.values, strict=True):
            series = all_series.setdefault((key.name, key.phase), _Columns())
            series.times_ns.append(times_ns)
            series.steps.append(steps)
            series.values.append(_little_endian("d", values))
    data_points = [_data_points(origin, *key, series) for key, series in all_series.items()]
    return [
        text_field(b"\x0a", ML_METRIC_VALUE.name),
        text_field(b"\x12", ML_METRIC_VALUE.brief),
        text_field(b"\x1a", ML_METRIC_VALUE.unit),
        *delimited_pieces(b"\x2a", data_points),
    ]


def _data_points(origin: PointOrigin, name: str, phase: str, series: _Columns) -> bytearray:
    attributes = {attr.ML_METRIC_NAME: name} | ({attr.ML_PHASE: phase} if phase else {})
    exemplar = b"".join(
        (
            b"\x11" + _EIGHT + b"\x19" + _EIGHT,  # time and value
            id_field(b"\x22", origin.span_id, size=8),
            id_field(b"\x2a", origin.trace_id, size=16),
            attribute_fields(b"\x3a", {attr.ML_METRIC_STEP: 0.0}),
        )
    )
    before = b"\x19" + _EIGHT + b"\x21" + _EIGHT + b"\x2a" + varint(len(exemplar))
    content = before + exemplar + attribute_fields(b"\x3a", attributes)
    point = delimited(b"\x0a", content)
    start = len(point) - len(content)
    exemplar_start = start + len(before)
    times_ns, values = b"".join(series.times_ns), b"".join(series.values)
    count = len(times_ns) // 8
    made = bytearray(point) * count
    _write(made, times_ns, len(point), (start + 1, exemplar_start + 1))
    _write(made, values, len(point), (start + 10, exemplar_start + 10))
    _write(made, b"".join(series.steps), len(point), (exemplar_start + len(exemplar) - 8,))
    return made


def _write(points: bytearray, column: bytes, size: int, offsets: tuple[int, ...]) -> None:
    """Write a column of eight-byte numbers into points of `size` bytes each, at each of the offsets in a point."""
    for index in range(8):
        stride = column[index::8]
        for offset in offsets:
            points[offset + index :: size] = stride


def _times(times_ns: Sequence[int]) -> bytes:
    if times_ns and min(times_ns) < 0:
        raise ValueError(f"a point has the time {min(times_ns)} ns, and OTLP has none before 1970")
    return _little_endian("q", times_ns)


def _little_endian(code: str, column: Sequence[float]) -> bytes:
    numbers = column if isinstance(column, array) and column.typecode == code else array(code, column)
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
