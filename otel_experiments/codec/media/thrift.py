"""Thrift's compact protocol, as far as Parquet needs it: structs as mappings from field number to value.

Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG: Final = 15
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Long:
    """An integer whose field is of 64 bits."""

    value: int


Value = bool | int | Long | str | bytes | Sequence[Any] | Mapping[int, Any]


def write_struct(fields: Mapping[int, Value | None]) -> bytes:
    """Return a struct; fields that are None are left out. Field numbers rise by at most 15."""
    written = bytearray()
    last = 0
    for number, value in fields.items():
        if value is None:
            continue
        kind = _kind(value)
        written.append((number - last) << 4 | kind)
        last = number
        if not isinstance(value, bool):
            written += _written(value)
    written.append(0)
    return bytes(written)


def _kind(value: Value) -> int:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, int):
        return _I32
    if isinstance(value, Long):
        return _I64
    if isinstance(value, (str, bytes)):
        return _BINARY
    return _STRUCT if isinstance(value, Mapping) else _LIST


def _written(value: Value) -> bytes:
    if isinstance(value, Long):
        return varint(value.value << 1 ^ value.value >> 63)
    if isinstance(value, int):
        return varint(value << 1 ^ value >> 31)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(len(value)) + value
    if isinstance(value, Mapping):
        return write_struct(value)
    kind = _kind(value[0]) if value else _STRUCT
    head = (
        bytes([len(value) << 4 | kind])
        if len(value) < _LONG
        else bytes([_LONG << 4 | kind]) + varint(len(value))
    )
    return head + b"".join(map(_written, value))


def varint(number: int) -> bytes:
    """Return a number of no sign, seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


class StructReader:
    """Reads structs out of bytes.

    Attributes:
        at: where the next one begins.
    """

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self._data = data
        self.at = at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the struct that begins here.

        Raises:
            ValueError: these bytes are none.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("structs lie too deep in one another")
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = kind == _TRUE if kind <= _FALSE else self._value(kind, depth)
        return found

    def varint(self) -> int:
        """Return the number of no sign that begins here."""
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a number has too many bytes")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("the bytes end in the middle")
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _signed(self) -> int:
        number = self.varint()
        return number >> 1 ^ -(number & 1)

    def _value(self, kind: int, depth: int) -> Any:  # noqa: PLR0911 - one line a kind
        if kind in {_TRUE, _FALSE}:  # of a list
            return self._byte() == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in {_I16, _I32, _I64}:
            return self._signed()
        if kind == _BINARY:
            return self._bytes(self.varint())
        if kind == _DOUBLE:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in {_LIST, _SET}:
            head = self._byte()
            count = head >> 4 if head >> 4 < _LONG else self.varint()
            if count > len(self._data):
                raise ValueError("a list is longer than the bytes")
            return [self._value(head & 0x0F, depth + 1) for _ in range(count)]
        raise ValueError(f"a value of the unknown kind {kind}")

    def _bytes(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._data):
            raise ValueError("the bytes end in the middle")
        found = bytes(cast("bytes", self._data[self.at : end]))
        self.at = end
        return found
