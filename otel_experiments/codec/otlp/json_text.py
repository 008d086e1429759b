"""From the bytes of an export request to the same request as OTLP/JSON. Pure.

The layout of protobuf's messages says how each field is written: ids as hexadecimal digits, integers of 64 bits as texts,
enumerations as numbers, what is no number as a text. protobuf's own JSON does none of that for ids and enumerations.
Source: opentelemetry-proto, docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.model.signal import Signal
from otel_experiments.semconv import attributes as attr

_MESSAGES: Final[dict[Signal, type[Message]]] = {
    "traces": TracesData,
    "logs": LogsData,
    "metrics": MetricsData,
}
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_TEXT_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    }
)
_NUMBER_POINT: Final = NumberDataPoint.DESCRIPTOR.full_name
_USUAL_NAN: Final = struct.pack("<d", math.nan)

Json = Any  # what the standard library makes JSON of


def request_to_json(signal: Signal, payload: bytes) -> bytes:
    """Return the request as one line of OTLP/JSON, without a line end.

    A NaN that is not the usual one has its bits in the point's exemplar, where it has one: JSON has one NaN only.

    Raises:
        ValueError: protobuf cannot read the bytes.
    """
    message = _parsed(signal, payload)
    return json.dumps(_plain(message), ensure_ascii=False, separators=(",", ":")).encode()


def check_readable(signal: Signal, payload: bytes) -> None:
    """Let a request pass that a receiver can read.

    Raises:
        ValueError: protobuf cannot read the bytes.
    """
    _parsed(signal, payload)


def _parsed(signal: Signal, payload: bytes) -> Message:
    """Return the request.

    Raises:
        ValueError: it is none, or has more messages inside each other than protobuf reads.
    """
    try:
        return _MESSAGES[signal].FromString(payload)
    except DecodeError as error:
        raise ValueError(f"protobuf cannot read it: {error}") from error


def _plain(message: Message) -> dict[str, Json]:
    made = {}
    for field, value in message.ListFields():
        name, is_repeated, convert = _rule(field)
        made[name] = [convert(one) for one in value] if is_repeated else convert(value)
    if message.DESCRIPTOR.full_name == _NUMBER_POINT and made.get("asDouble") == "NaN":
        _keep_bits(message, made)
    return made


@lru_cache(maxsize=512)
def _rule(field: FieldDescriptor) -> tuple[str, bool, Callable[[Any], Json]]:
    """Return how a field is called, whether it has several values, and what becomes of one."""
    convert: Callable[[Any], Json] = _same
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        convert = _plain
    elif field.type == FieldDescriptor.TYPE_BYTES:
        convert = bytes.hex if field.name in _IDS else _base64
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        convert = _number
    elif field.type in _TEXT_INTEGERS:
        convert = str
    return field.json_name, field.is_repeated, convert


def _same(value: Json) -> Json:
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _keep_bits(point: Any, made: dict[str, Json]) -> None:  # a data point
    raw = struct.pack("<d", point.as_double)
    if raw != _USUAL_NAN and "exemplars" in made:
        (bits,) = struct.unpack("<q", raw)
        kept = {"key": attr.ML_METRIC_NAN_BITS, "value": {"intValue": str(bits)}}
        made["exemplars"][0].setdefault("filteredAttributes", []).append(kept)
