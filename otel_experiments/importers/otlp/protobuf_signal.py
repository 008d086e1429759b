"""Which signal a message of OTLP is of: its bytes do not say it, but how its items are laid out does.

The three signals number resources, scopes and items alike. A span has times of fixed width in its seventh and eighth field; a
log record has one in its first or its eleventh, or a severity in its second; a metric has none of these.
Source: opentelemetry-proto, trace.proto, logs.proto and metrics.proto; protobuf.dev, Encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_experiments.model.signal import Signal

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_GROUPS: Final = 1
_PARTS: Final = 2
"""Of a message its resources, of a resource its scopes, and of a scope its items: the numbers of the fields."""
_TIMES_OF_SPAN: Final = frozenset({(7, _FIXED64), (8, _FIXED64)})
_OF_LOG: Final = frozenset({(1, _FIXED64), (11, _FIXED64), (2, _VARINT)})

_Field = tuple[int, int, memoryview]


def signal_of(payload: bytes) -> Signal | None:
    """Return the signal of a message; None where it has no item.

    Raises:
        ValueError: the bytes are no message of protobuf.
    """
    for group in _inside(memoryview(payload), _GROUPS):
        for part in _inside(group, _PARTS):
            for item in _inside(part, _PARTS):
                return _signal_of_item(item)
    return None


def _inside(message: memoryview, number: int) -> Iterator[memoryview]:
    for found, kind, content in _fields(message):
        if found == number and kind == _DELIMITED:
            yield content


def _signal_of_item(item: memoryview) -> Signal:
    kinds = {(number, kind) for number, kind, _ in _fields(item)}
    if kinds & _OF_LOG:
        return "logs"
    return "traces" if kinds & _TIMES_OF_SPAN else "metrics"


def _fields(message: memoryview) -> Iterator[_Field]:
    """Yield number, kind and content of each field."""
    offset = 0
    while offset < len(message):
        tag, offset = _varint(message, offset)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            end = _varint(message, offset)[1]
        elif kind == _DELIMITED:
            size, offset = _varint(message, offset)
            end = offset + size
        elif kind in {_FIXED64, _FIXED32}:
            end = offset + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"a field of the kind {kind}")
        if end > len(message) or not number:
            raise ValueError("it ends within a field")
        yield number, kind, message[offset:end]
        offset = end


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(message):
            raise ValueError("it ends within a number")
        byte = message[offset]
        offset += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, offset
    raise ValueError("a number of more than 64 bits")
