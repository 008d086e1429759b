"""Values of attributes and bodies of log records as OTLP's AnyValue, and attributes as its KeyValue.

Source: opentelemetry-proto, common.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from otel_experiments.codec.number import is_plain_number, plain_number
from otel_experiments.codec.otlp.fields import delimited, pack_double, signed_varint, utf8, varint
from otel_experiments.model.span import Attributes, AttributeValue


def attribute_fields(tag: bytes, attributes: Attributes) -> bytes:
    """Return a field for each attribute.

    Raises:
        TypeError: a value, or one inside it, is none that OTLP knows.
    """
    made = []
    for key, value in attributes.items():
        content = any_value(value)
        pair = _key_fields(key) + varint(len(content)) + content
        made.append(tag + varint(len(pair)) + pair)
    return b"".join(made)


def any_value(value: AttributeValue) -> bytes:
    """Return the content of an AnyValue; nothing for None.

    Integers beyond 64 bits, for which OTLP has no room, become the nearest float.

    Raises:
        TypeError: the value, or one inside it, is none that OTLP knows.
    """
    return (_CONTENTS.get(type(value)) or _content_of_kind(value))(value)


def _text(value: str) -> bytes:
    return delimited(b"\x0a", utf8(value))


def _flag(value: bool) -> bytes:  # noqa: FBT001 - the value
    return b"\x10\x01" if value else b"\x10\x00"


def _integer(value: int) -> bytes:
    number = value if is_plain_number(value) else plain_number(value)
    return b"\x18" + signed_varint(number) if isinstance(number, int) else _double(number)


def _double(value: float) -> bytes:
    return b"\x21" + pack_double(value)


def _bytes(value: bytes) -> bytes:
    return delimited(b"\x3a", value)


def _sequence(values: Sequence[AttributeValue]) -> bytes:
    return delimited(b"\x2a", b"".join([delimited(b"\x0a", any_value(value)) for value in values]))


def _mapping(values: Attributes) -> bytes:
    return delimited(b"\x32", attribute_fields(b"\x0a", {str(key): value for key, value in values.items()}))


def _nothing(_: None) -> bytes:
    return b""


_CONTENTS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _text,
    bool: _flag,
    int: _integer,
    float: _double,
    bytes: _bytes,
    list: _sequence,
    tuple: _sequence,
    dict: _mapping,
    type(None): _nothing,
}
_KINDS: Final = (str, bool, int, float, bytes)


def _content_of_kind(value: AttributeValue) -> Callable[[Any], bytes]:
    """Return what encodes a value whose class is derived from one that OTLP knows."""
    for kind in _KINDS:
        if isinstance(value, kind):
            return _CONTENTS[kind]
    if isinstance(value, Mapping):
        return _mapping
    if isinstance(value, Sequence):
        return _sequence
    raise TypeError(f"a value of an attribute is of type {type(value).__name__}, for which OTLP has no room")


@lru_cache(maxsize=1024)
def _key_fields(key: str) -> bytes:
    """Return what comes before the length of a KeyValue's value. A program uses few keys, and each many times."""
    return delimited(b"\x0a", utf8(key)) + b"\x12"
