"""From the cells of a column to values of one type, which a Parquet file holds; what none holds becomes JSON.

A column has one type: booleans, integers, floats, texts, bytes, dates or times. Cells of several types, lists and mappings
are kept as JSON, cell by cell, and come back as they were.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from otel_experiments.codec.media.library import as_array, is_array, numpy
from otel_experiments.codec.media.media import Media, Tell
from otel_experiments.codec.plain import plain_value
from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import MediaRefusedError

Kind = Literal[
    "bool",
    "int32",
    "int",
    "uint",
    "float32",
    "float",
    "text",
    "json",
    "bytes",
    "date",
    "time",
    "time_utc",
    "time_ns",
]
_INT64: Final = 2**63
_EXACT_IN_FLOATS: Final = 2**53
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - times without a zone are counted from it
_EPOCH_UTC: Final = _EPOCH.replace(tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_OF_ARRAYS: Final[dict[str, tuple[Kind, str]]] = {
    "i1": ("int32", "<i4"),
    "i2": ("int32", "<i4"),
    "i4": ("int32", "<i4"),
    "i8": ("int", "<i8"),
    "u1": ("int32", "<i4"),
    "u2": ("int32", "<i4"),
    "u4": ("int", "<i8"),
    "u8": ("uint", "<u8"),
    "f2": ("float32", "<f4"),
    "f4": ("float32", "<f4"),
    "f8": ("float", "<f8"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as Parquet has it.

    `plain` are the values that are there, one after the other, in Parquet's encoding PLAIN; `is_there` has a 1 or 0 for
    each cell, as text, or is None where none is missing.
    """

    name: str
    kind: Kind
    count: int
    plain: bytes
    is_there: str | None = None
    media_type: str = ""


def column_of(name: str, cells: Any, tell: Tell) -> Column:  # a sequence of anything, or an array
    """Return cells as a column; `tell` hears what of them is not kept as it was.

    Raises:
        MediaRefusedError: an array of more than one dimension.
    """
    if is_array(cells) and (found := _of_array(name, cells)) is not None:
        return found
    listed = cells.tolist() if callable(getattr(cells, "tolist", None)) else list(cells)
    return _of_cells(name, listed, tell)


def _of_array(name: str, cells: Any) -> Column | None:
    np = numpy()
    dtype = getattr(cells, "dtype", None)
    if getattr(dtype, "kind", "") == "M":
        return _of_times(name, cells)
    if getattr(dtype, "kind", "b") in {"O", "U", "S", "m", "c", "V"}:
        return None
    found = as_array(cells)
    if found.ndim != 1:
        raise MediaRefusedError(
            why=f"the column {shown(name)} has the shape {tuple(found.shape)}; a column is a list of cells"
        )
    if found.dtype.kind == "b":
        bits = np.packbits(found, bitorder="little").tobytes()
        return Column(name, "bool", len(found), bits)
    kind, stored = _OF_ARRAYS.get(found.dtype.str[1:], ("float", "<f8"))
    return Column(name, kind, len(found), found.astype(stored).tobytes())


def _of_times(name: str, cells: Any) -> Column:
    np = numpy()
    found = (
        cells.astype("datetime64[ns]") if cells.dtype.str.endswith("[ns]") else cells.astype("datetime64[us]")
    )
    numbers = found.view("<i8")
    is_there = None
    if (missing := np.isnat(found)).any():
        is_there = "".join("01"[there] for there in (~missing).tolist())
        numbers = numbers[~missing]
    return Column(
        name,
        "time_ns" if found.dtype.str.endswith("[ns]") else "time",
        len(found),
        numbers.tobytes(),
        is_there,
    )


def _of_cells(name: str, cells: list[Any], tell: Tell) -> Column:
    types = set(map(type, cells))
    if not types <= _KNOWN:
        cells = [_plain_cell(cell) for cell in cells]
        types = set(map(type, cells))
    is_there = None
    there = cells
    if _NONE in types:
        is_there = "".join(["0" if cell is None else "1" for cell in cells])
        there = [cell for cell in cells if cell is not None]
        types.discard(_NONE)
    if types and all(issubclass(kind, Media) for kind in types):
        return _of_media(name, cells, tell)
    kind = _kind_of(types, there)
    if kind == "json":
        there = _as_json(name, there, tell)
    return Column(name, kind, len(cells), _PLAIN[kind](there), is_there)


_NONE: Final = type(None)
_KNOWN: Final = {bool, int, float, str, bytes, dt.date, dt.datetime, _NONE}


def _plain_cell(cell: Any) -> Any:
    """Return a scalar of an array library as Python's, and a subclass of a plain type as that."""
    if type(cell) in _KNOWN or isinstance(cell, Media):
        return cell
    if is_array(cell) and not getattr(cell, "shape", ()) and callable(getattr(cell, "item", None)):
        return cell.item()
    if isinstance(cell, dt.datetime):
        return _plain_time(cell)
    bases: tuple[Callable[[Any], Any], ...] = (str, int, float, bytes)
    for base in bases:
        if isinstance(cell, cast("type", base)):
            return base(cell)
    return cell


def _plain_time(cell: Any) -> dt.datetime | None:
    """Return a time of pandas, which may have nanoseconds or be none at all, as Python's."""
    if cell != cell:  # noqa: PLR0124 - NaT
        return None
    made = getattr(cell, "to_pydatetime", None)
    return cast("dt.datetime", cell if made is None else made(warn=False))


def _kind_of(types: set[type], cells: Sequence[Any]) -> Kind:
    if not types or types == {str}:
        return "text"
    if types == {int}:
        return "int" if min(cells) >= -_INT64 and max(cells) < _INT64 else "json"
    if types == {float, int}:
        exact = all(type(cell) is float or abs(cell) <= _EXACT_IN_FLOATS for cell in cells)
        return "float" if exact else "json"
    if types == {dt.datetime}:
        zones = {cell.tzinfo is not None for cell in cells}
        return "json" if len(zones) > 1 else "time_utc" if True in zones else "time"
    singles: dict[type, Kind] = {bool: "bool", float: "float", bytes: "bytes", dt.date: "date"}
    (only,) = types if len(types) == 1 else (object,)
    return singles.get(only, "json")


def _as_json(name: str, cells: Sequence[Any], tell: Tell) -> list[str]:
    lost: list[str] = []

    def plain(value: object) -> object:
        found = plain_value(value)
        if isinstance(found, (str, bytes)):
            lost.append(type(value).__name__)
            return text_of(found)
        return found

    texts = []
    for cell in cells:
        try:
            texts.append(json.dumps(cell, default=plain))
        except (TypeError, ValueError, RecursionError):  # keys that are no texts, and what holds itself
            texts.append(json.dumps(plain_value(cell), default=text_of))
            lost.append(type(cell).__name__)
    if lost:
        tell(
            f"{len(lost)} values in its column {shown(name)} are kept as texts: a table cannot hold {lost[0]}"
        )
    return texts


def _of_media(name: str, cells: Sequence[Any], tell: Tell) -> Column:
    """Return the cells as bytes of one media type; a cell that cannot be kept is empty, and told."""
    kept: list[bytes | None] = []
    media_type = ""
    why = ""
    for cell in cells:
        data: bytes | None = None
        if cell is not None:
            try:
                encoded = cell.encode(tell)
            except MediaRefusedError as error:
                why = why or error.why
            else:
                media_type = media_type or encoded.media_type
                if isinstance(encoded.data, bytes) and encoded.media_type == media_type:
                    data = encoded.data
                else:
                    why = (
                        why
                        or f"of {encoded.media_type} in a column of {media_type}, or a file: pass arrays, or images of Pillow"
                    )
        kept.append(data)
    lost = sum(cell is not None and data is None for cell, data in zip(cells, kept, strict=True))
    if lost:
        tell(f"{lost} cells of its column {shown(name)} are left empty: the first is {why}")
    is_there = "".join(["0" if data is None else "1" for data in kept])
    there = [data for data in kept if data is not None]
    return Column(
        name, "bytes", len(kept), _byte_arrays(there), is_there if lost or None in cells else None, media_type
    )


def _numbers(code: str) -> Callable[[Sequence[Any]], bytes]:
    def plain(cells: Sequence[Any]) -> bytes:
        numbers = array(code, cells)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tobytes()

    return plain


def packed_bits(bits: str) -> bytes:
    """Return a text of 0 and 1 as bits, the first one the lowest."""
    return int(bits[::-1] or "0", 2).to_bytes((len(bits) + 7) // 8, "little")


def _byte_arrays(values: Sequence[bytes]) -> bytes:
    lengths = _numbers("I")([len(value) for value in values])
    parts = [b""] * (2 * len(values))
    parts[::2] = [lengths[at : at + 4] for at in range(0, len(lengths), 4)]
    parts[1::2] = values
    return b"".join(parts)


def _texts(cells: Sequence[str]) -> bytes:
    joined = "".join(cells)
    if joined.isascii() and (np := sys.modules.get("numpy")) is not None:
        return _ascii_texts(joined, cells, np)
    try:
        return _byte_arrays([cell.encode() for cell in cells])
    except UnicodeEncodeError:
        return _byte_arrays([clean_text(cell).encode() for cell in cells])


def _ascii_texts(joined: str, cells: Sequence[str], np: Any) -> bytes:
    """Return what `_byte_arrays` does, in a third of the time: where texts are as long as their bytes."""
    lengths = np.fromiter(map(len, cells), "<u4", len(cells))
    starts = np.cumsum(lengths, dtype=np.int64) - lengths + 4 * np.arange(len(cells))
    made = np.empty(len(joined) + 4 * len(cells), np.uint8)
    is_text = np.ones(len(made), np.bool_)
    for place in range(4):
        is_text[starts + place] = False
        made[starts + place] = lengths.view(np.uint8)[place::4]
    made[is_text] = np.frombuffer(joined.encode("ascii"), np.uint8)
    return bytes(made.tobytes())


_PLAIN: Final[dict[Kind, Callable[[Sequence[Any]], bytes]]] = {
    "bool": lambda cells: packed_bits("".join(["1" if cell else "0" for cell in cells])),
    "int": _numbers("q"),
    "float": _numbers("d"),
    "text": _texts,
    "json": _texts,
    "bytes": _byte_arrays,
    "date": lambda cells: _numbers("i")([cell.toordinal() - _EPOCH_DAY for cell in cells]),
    "time": lambda cells: _numbers("q")([(cell - _EPOCH) // _MICROSECOND for cell in cells]),
    "time_utc": lambda cells: _numbers("q")([(cell - _EPOCH_UTC) // _MICROSECOND for cell in cells]),
}
