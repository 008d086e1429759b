"""Columns out of a Parquet file, without a library: those that `parquet_write` makes, and flat ones of polars and pyarrow.

Read are plain and dictionary pages of columns without nesting, not compressed or with gzip. What else a file holds is
refused with its column's name; pyarrow reads it.
"""

from __future__ import annotations

import datetime as dt
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_experiments.codec.media.thrift import StructReader
from otel_experiments.process.interruption import is_interruption

MAGIC: Final = b"PAR1"
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_GZIP: Final = 2
_MAX_CELLS: Final = 2**24
_MAX_BYTES: Final = 2**28
_PER_BYTE: Final = 64
"""A few bytes may claim to be columns that fill the memory: so many cells and bytes are read of any file, and more of a
larger one, so many for each of its bytes."""
_OF_WORDS: Final = {_PLAIN_DICTIONARY, _RLE_DICTIONARY}
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _BYTE_ARRAY = 0, 1, 2, 4, 5, 6
_CODES: Final = {_INT32: "i", _INT64: "q", _FLOAT: "f", _DOUBLE: "d"}
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - times without a zone are counted from it
_OF_TEXTS: Final = {0, 4, 19}
_OF_SMALL: Final = {None, 11, 12, 13, 14, 15, 16, 17, 18}
_DATE, _TIME_MILLIS, _TIME_MICROS, _UINT64 = 6, 9, 10, 14


class UnreadableTableError(ValueError):
    """The bytes are no Parquet, or of a form that is not read here."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    physical: int
    is_optional: bool
    converted: int | None
    logical: Mapping[int, Any]


class _Budget:
    """How much of a file is still read."""

    def __init__(self, size_bytes: int) -> None:
        self._cells = _MAX_CELLS + _PER_BYTE * size_bytes
        self._bytes = _MAX_BYTES + _PER_BYTE * size_bytes

    def take(self, field: _Field, *, cells: int = 0, size_bytes: int = 0) -> None:
        """Let a column have these.

        Raises:
            UnreadableTableError: it is too much, or less than nothing.
        """
        if cells < 0 or size_bytes < 0:
            raise UnreadableTableError(f"The column {field.name!r} has a page of a size below 0")
        self._cells -= cells
        self._bytes -= size_bytes
        if self._cells < 0:
            raise UnreadableTableError(
                f"The column {field.name!r} has more cells than are read without pyarrow"
            )
        if self._bytes < 0:
            raise UnreadableTableError(
                f"The column {field.name!r} is of more bytes than are read without pyarrow"
            )


def read_parquet(data: bytes) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return the columns of a file as lists of cells, None where one is missing, and the texts that it carries.

    Raises:
        UnreadableTableError: these bytes are no Parquet, are damaged, or hold what is not read here.
    """
    try:
        return _read(data)
    except UnreadableTableError:
        raise
    except Exception as error:  # whatever damaged bytes lead to
        if is_interruption(error):
            raise
        raise UnreadableTableError(f"The Parquet file is damaged: {error}") from error


def _read(data: bytes) -> tuple[dict[str, list[Any]], dict[str, str]]:
    if len(data) < 12 or not data.startswith(MAGIC) or not data.endswith(MAGIC):
        raise UnreadableTableError("These bytes are no Parquet file")
    length = int.from_bytes(data[-8:-4], "little")
    if length > len(data) - 12:
        raise UnreadableTableError("The Parquet file is cut")
    footer = StructReader(data[-8 - length : -8]).struct()
    fields = list(_fields(footer[2]))
    budget = _Budget(len(data))
    columns: dict[str, list[Any]] = {field.name: [] for field in fields}
    for group in footer.get(4, ()):
        for field, chunk in zip(fields, group[1], strict=True):
            columns[field.name] += _cells(data, field, chunk[3], budget)
    return columns, {pair[1].decode(): pair.get(2, b"").decode() for pair in footer.get(5, ())}


def _fields(schema: list[dict[int, Any]]) -> Iterator[_Field]:
    for element in schema[1:]:
        name = element[4].decode()
        if element.get(5) or element.get(3, 0) == 2 or element.get(1) not in {*_CODES, _BOOLEAN, _BYTE_ARRAY}:
            raise UnreadableTableError(
                f"The column {name!r} is nested, or of a type that is not read without pyarrow"
            )
        yield _Field(name, element[1], element.get(3, 0) == 1, element.get(6), element.get(10) or {})


def _cells(data: bytes, field: _Field, chunk: Mapping[int, Any], budget: _Budget) -> Iterator[Any]:
    if chunk[4] not in {0, _GZIP}:
        raise UnreadableTableError(
            f"The column {field.name!r} is compressed in a way that is not read without pyarrow"
        )
    reader = StructReader(data, min(chunk[9], chunk.get(11) or chunk[9]))
    left = chunk[5]
    budget.take(field, cells=left)
    words: list[Any] = []
    to_cell = _converter(field)
    while left > 0:
        head = reader.struct()
        budget.take(field, size_bytes=head[3])
        budget.take(field, size_bytes=head[2])
        page = data[reader.at : reader.at + head[3]]
        reader.at += head[3]
        if head[1] == _DICTIONARY:
            words = _plain(_unpacked(page, chunk[4], head[2]), field, head[7][1])
            if to_cell is not None:  # once a word: a long one may stand in many cells
                words = [to_cell(word) for word in words]
        elif head[1] in {_DATA, _DATA_V2}:
            is_v2 = head[1] == _DATA_V2
            facts = head[8 if is_v2 else 5]
            count = facts[1]
            if not 0 <= count <= left:
                raise UnreadableTableError(f"The column {field.name!r} has other cells than it says")
            left -= count
            levels, body = (
                _split(page, head, field, chunk[4])
                if is_v2
                else _split_v1(_unpacked(page, chunk[4], head[2]), field)
            )
            is_there = None if levels is None else _bits_of_runs(levels, 1, count)
            encoding = facts[4 if is_v2 else 2]
            values = _values(body, field, encoding, sum(is_there) if is_there else count, words)
            if to_cell is not None and encoding not in _OF_WORDS:
                values = [to_cell(value) for value in values]
            if is_there is None:
                yield from values
            else:
                found = iter(values)
                yield from (next(found) if there else None for there in is_there)


def _unpacked(page: bytes, codec: int, size: int) -> bytes:
    """Return a page as it was before it was compressed; no more of it than it claims to be."""
    return zlib.decompressobj(31).decompress(page, size) if codec == _GZIP and page and size else page


def _split(page: bytes, head: Mapping[int, Any], field: _Field, codec: int) -> tuple[bytes | None, bytes]:
    facts = head[8]
    levels = facts[5]
    body = page[levels + facts[6] :]
    if facts.get(7, True) and body:
        body = _unpacked(body, codec, head[2])
    return page[:levels] if field.is_optional else None, body


def _split_v1(page: bytes, field: _Field) -> tuple[bytes | None, bytes]:
    if not field.is_optional:
        return None, page
    length = int.from_bytes(page[:4], "little")
    return page[4 : 4 + length], page[4 + length :]


def _values(body: bytes, field: _Field, encoding: int, count: int, words: list[Any]) -> list[Any]:
    if encoding == _PLAIN:
        return _plain(body, field, count)
    if encoding in _OF_WORDS:
        return [words[index] for index in _bits_of_runs(body[1:], body[0], count)] if count else []
    if encoding == _RLE and field.physical == _BOOLEAN:
        return [bool(bit) for bit in _bits_of_runs(body[4:], 1, count)]
    raise UnreadableTableError(
        f"The column {field.name!r} is encoded in a way that is not read without pyarrow"
    )


def _plain(body: bytes, field: _Field, count: int) -> list[Any]:
    if field.physical == _BOOLEAN:
        bits = bin(int.from_bytes(body, "little") | 1 << 8 * len(body))[:2:-1]
        return [bit == "1" for bit in bits[:count]]
    if field.physical == _BYTE_ARRAY:
        return _byte_arrays(body, count)
    numbers = array(_CODES[field.physical])
    numbers.frombytes(body[: count * numbers.itemsize])
    if sys.byteorder == "big":
        numbers.byteswap()
    if len(numbers) != count:
        raise UnreadableTableError(f"The column {field.name!r} is cut")
    return numbers.tolist()


def _byte_arrays(body: bytes, count: int) -> list[bytes]:
    found = []
    at = 0
    for _ in range(count):
        start = at + 4
        at = start + int.from_bytes(body[at:start], "little")
        if at > len(body):
            raise UnreadableTableError("A text is longer than its page")
        found.append(body[start:at])
    return found


def _bits_of_runs(data: bytes, width: int, count: int) -> list[int]:
    """Return numbers of `width` bits, written as runs of one number and as bits one after the other."""
    found: list[int] = []
    reader = StructReader(data)
    size = (width + 7) // 8
    mask = (1 << width) - 1
    while len(found) < count:
        if not width:
            return [0] * count
        head = reader.varint()
        if head & 1:
            groups = min(head >> 1, (count - len(found) + 7) // 8)
            end = reader.at + groups * width
            if end > len(data):
                raise UnreadableTableError("Numbers are cut")
            bits = int.from_bytes(data[reader.at : end], "little")
            reader.at = end
            if width == 1:
                text = bin(bits | 1 << 8 * groups)[:2:-1]
                found += map(int, text)
            else:
                found += _numbers_of(data[end - groups * width : end], width, mask)
        else:
            number = int.from_bytes(data[reader.at : reader.at + size], "little")
            reader.at += size
            found += [number] * min(head >> 1, count - len(found))
    return found[:count]


def _numbers_of(data: bytes, width: int, mask: int) -> Iterator[int]:
    for at in range(0, len(data), width):  # eight numbers take `width` bytes
        bits = int.from_bytes(data[at : at + width], "little")
        for place in range(8):
            yield bits >> place * width & mask


def _converter(field: _Field) -> Callable[[Any], Any] | None:
    """Return what makes a cell of a stored value; None where they are the same."""
    if field.physical == _BYTE_ARRAY:
        is_text = field.converted in _OF_TEXTS or not field.logical.keys().isdisjoint({1, 4, 12})
        return bytes.decode if is_text else None
    if field.physical == _BOOLEAN or field.physical in {_FLOAT, _DOUBLE}:
        return None
    if field.converted == _DATE or 6 in field.logical:
        return lambda days: dt.date.fromordinal(days + _EPOCH_DAY)
    if 8 in field.logical or field.converted in {_TIME_MILLIS, _TIME_MICROS}:
        stamp = field.logical.get(8, {1: True, 2: {1 if field.converted == _TIME_MILLIS else 2: {}}})
        (unit,) = stamp[2]
        factor = {1: 1e3, 2: 1, 3: 1e-3}[unit]
        epoch = _EPOCH.replace(tzinfo=dt.UTC) if stamp[1] else _EPOCH
        return lambda number: (
            epoch + dt.timedelta(microseconds=number // 1000 if unit == 3 else number * factor)
        )
    if field.converted == _UINT64:
        return lambda number: number & (1 << 64) - 1
    if field.converted in _OF_SMALL:
        return None
    raise UnreadableTableError(f"The column {field.name!r} is of a type that is not read without pyarrow")
