"""Looking into protobuf's wire format without making objects: which fields a message has, and where. Pure.

It knows what it needs to know, fields of numbers below 16. Whatever else there may be raises `Unusual`, after which the
caller leaves the message to protobuf's parser. Source: protobuf.dev, Encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, int, int]
"""Tag, and where the value begins and ends."""


class Unusual(Exception):  # noqa: N818 - it is no error: protobuf's parser reads what this does not
    """The bytes are in no form that is known here. They may be good all the same."""


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message between `start` and `end`.

    Raises:
        Unusual: a tag has more than one byte, a group is used, or a field ends behind the message.
    """
    at = start
    while at < end:
        tag = data[at]
        at += 1
        kind = tag & 7
        if tag > 127:
            raise Unusual
        if kind == 2:
            size, at = varint(data, at, end)
        elif kind == 1:
            size = 8
        elif kind == 5:
            size = 4
        elif kind == 0:
            size = varint(data, at, end)[1] - at
        else:
            raise Unusual
        if at + size > end:
            raise Unusual
        yield tag, at, at + size
        at += size


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the integer that begins at `at`, and where what follows it begins.

    Raises:
        Unusual: it has more than ten bytes, or ends behind the message.
    """
    number = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise Unusual
