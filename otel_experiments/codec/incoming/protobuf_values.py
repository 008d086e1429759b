"""What the messages of all signals share: attributes, resources, scopes, ids. Pure.

Source: opentelemetry-proto, common.proto and resource.proto.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.span import AttributeValue, Resource, Scope

SOURCE: Final = "OTLP protobuf"
"""What errors call this encoding."""

_Parsed = TypeVar("_Parsed", bound=Message)


def parse(message: _Parsed, payload: bytes) -> _Parsed:
    """Return the message, filled from its bytes.

    Raises:
        TelemetryDecodeError: the bytes are no such message.
    """
    try:
        message.ParseFromString(payload)
    except DecodeError as exc:
        kind = type(message).__name__
        raise TelemetryDecodeError(
            source=SOURCE, found=f"{len(payload)} bytes that are no {kind}: {exc}"
        ) from exc
    return message


def resource_from_otlp(message: ResourceMessage, schema_url: str) -> Resource:
    """Return the resource."""
    return Resource(attributes_from_otlp(message.attributes), schema_url)


def scope_from_otlp(message: InstrumentationScope, schema_url: str) -> Scope:
    """Return the scope."""
    return Scope(message.name, message.version, schema_url, attributes_from_otlp(message.attributes))


def optional_id(raw: bytes, size: int) -> str | None:
    """Return an id as hex digits; None where there is none, or one that is invalid."""
    return raw.hex() if len(raw) == size and any(raw) else None


def attributes_from_otlp(items: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    """Return attributes by key; of a key that comes twice the last."""
    return {
        item.key: _VALUES[(value := item.value).WhichOneof("value")](value) for item in items
    }  # `value_from_otlp`, without a call for each of a span's attributes


def value_from_otlp(value: AnyValue) -> AttributeValue:
    """Return a value; None for one that is not set."""
    return _VALUES[value.WhichOneof("value")](value)


def _no_value(_: AnyValue) -> None:
    """Return nothing, for a value that is not set or of a kind that this version does not know."""


def _array(value: AnyValue) -> AttributeValue:
    return [value_from_otlp(inner) for inner in value.array_value.values]


def _mapping(value: AnyValue) -> AttributeValue:
    return attributes_from_otlp(value.kvlist_value.values)


_VALUES: Final[defaultdict[str | None, Callable[[AnyValue], AttributeValue]]] = defaultdict(
    lambda: _no_value,
    {
        "string_value": attrgetter("string_value"),
        "bool_value": attrgetter("bool_value"),
        "int_value": attrgetter("int_value"),
        "double_value": attrgetter("double_value"),
        "bytes_value": attrgetter("bytes_value"),
        "array_value": _array,
        "kvlist_value": _mapping,
    },
)
