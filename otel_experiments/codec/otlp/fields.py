"""The wire format of protobuf: tags, lengths and the few kinds of fields that OTLP uses.

A field is its tag (the number of the field, and how its value is laid out), then the value. Texts, bytes and messages
have their length first. A caller writes tags as constants. Source: protobuf.dev, Encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

Piece = bytes | bytearray
"""A part of a message; what follows is in the next one."""

pack_fixed64: Final = Struct("<Q").pack
pack_fixed32: Final = Struct("<I").pack
pack_double: Final = Struct("<d").pack

_ONE_BYTE: Final = tuple(bytes((number,)) for number in range(128))
_UINT32: Final = 2**32
_UINT64: Final = 2**64


def varint(number: int) -> bytes:
    """Return an unsigned integer: seven bits a byte, the least significant first.

    Raises:
        ValueError: the number is negative, or has more than 64 bits.
    """
    if 0 <= number < 128:
        return _ONE_BYTE[number]
    if not 0 <= number < _UINT64:
        raise ValueError(f"{number} is no unsigned integer of 64 bits")
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def signed_varint(number: int) -> bytes:
    """Return an integer of 64 bits; negative ones as two's complement, in ten bytes."""
    return varint(number if number >= 0 else number + _UINT64)


def delimited(tag: bytes, content: bytes) -> bytes:
    """Return a field with a text, bytes or a message."""
    size = len(content)
    return b"%b%b%b" % (tag, _ONE_BYTE[size] if size < 128 else varint(size), content)


def delimited_pieces(tag: bytes, pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces of a field with a message, given in pieces: nothing is copied."""
    return [tag + varint(sum(map(len, pieces))), *pieces]


def text_field(tag: bytes, text: str) -> bytes:
    """Return a field with a text; nothing for an empty one, which is what a reader makes of nothing."""
    return delimited(tag, utf8(text)) if text else b""


def count_field(tag: bytes, count: int) -> bytes:
    """Return a field with a count of 32 bits; nothing for 0."""
    return tag + varint(min(count, _UINT32 - 1)) if count else b""


def id_field(tag: bytes, digits: str, *, size: int) -> bytes:
    """Return a field with an id, given as hex digits.

    Raises:
        ValueError: it is no id of `size` bytes.
    """
    content = bytes.fromhex(digits)
    if len(content) != size:
        raise ValueError(f"{digits!r} is no id of {size} bytes")
    return delimited(tag, content)


def utf8(text: str) -> bytes:
    """Return the text as UTF-8; lone surrogates, which it has no room for, become `?`."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
