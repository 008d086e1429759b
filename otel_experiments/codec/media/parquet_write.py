"""A Parquet file of plain columns, without a library: one row group, one page a column, not compressed.

Format: https://parquet.apache.org/docs/file-format/. Every reader of Parquet takes it, and `parquet_read` without a library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from otel_experiments.codec.media.columns import Column, Kind, packed_bits
from otel_experiments.codec.media.thrift import Long, Value, varint, write_struct
from otel_experiments.errors import MediaRefusedError

MAGIC: Final = b"PAR1"
_MADE_BY: Final = "otel-experiments"
_PLAIN, _RLE = 0, 3
_UNCOMPRESSED: Final = 0
_DATA_PAGE: Final = 0
_REQUIRED, _OPTIONAL = 0, 1
_MAX_PAGE_BYTES: Final = 2**31 - 2**20
_PHYSICAL: Final[dict[Kind, int]] = {
    "bool": 0,
    "int32": 1,
    "date": 1,
    "int": 2,
    "uint": 2,
    "time": 2,
    "time_utc": 2,
    "time_ns": 2,
    "float32": 4,
    "float": 5,
    "text": 6,
    "json": 6,
    "bytes": 6,
}
_CONVERTED: Final[dict[Kind, int]] = {"text": 0, "json": 0, "date": 6, "uint": 14}
_LOGICAL: Final[dict[Kind, Mapping[int, Value]]] = {
    "text": {1: {}},
    "json": {1: {}},
    "date": {6: {}},
    "time": {8: {1: False, 2: {2: {}}}},
    "time_utc": {8: {1: True, 2: {2: {}}}},
    "time_ns": {8: {1: False, 2: {3: {}}}},
}


def parquet_bytes(columns: Sequence[Column], facts: Mapping[str, str]) -> bytes:
    """Return the file; all columns have as many cells. `facts` are texts that it carries for its readers.

    Raises:
        MediaRefusedError: a column is too large for a page.
    """
    count = columns[0].count
    parts = [MAGIC]
    at = len(MAGIC)
    chunks: list[Mapping[int, Value]] = []
    for column in columns:
        page = _page(column)
        head = write_struct(
            {1: _DATA_PAGE, 2: len(page), 3: len(page), 5: {1: column.count, 2: _PLAIN, 3: _RLE, 4: _RLE}}
        )
        size = Long(len(head) + len(page))
        chunk: Mapping[int, Value] = {
            1: _PHYSICAL[column.kind],
            2: [_PLAIN, _RLE],
            3: [column.name],
            4: _UNCOMPRESSED,
            5: Long(column.count),
            6: size,
            7: size,
            9: Long(at),
        }
        chunks.append({2: Long(at), 3: chunk})
        parts += (head, page)
        at += size.value
    schema: list[Mapping[int, Value]] = [{4: "table", 5: len(columns)}, *map(_element, columns)]
    group: Mapping[int, Value] = {1: chunks, 2: Long(at - len(MAGIC)), 3: Long(count)}
    footer = write_struct(
        {
            1: 1,
            2: schema,
            3: Long(count),
            4: [group],
            5: [{1: key, 2: text} for key, text in facts.items()],
            6: _MADE_BY,
        }
    )
    return b"".join((*parts, footer, len(footer).to_bytes(4, "little"), MAGIC))


def _page(column: Column) -> bytes:
    page = column.plain
    if column.is_there is not None:
        bits = packed_bits(column.is_there)
        run = varint(len(bits) << 1 | 1) + bits  # one run of bits, in groups of eight
        page = len(run).to_bytes(4, "little") + run + page
    if len(page) > _MAX_PAGE_BYTES:
        raise MediaRefusedError(
            why=f"its column {column.name!r} has {len(page):,} bytes, more than a table holds; write a file and keep it with "
            "run.log_artifact"
        )
    return page


def _element(column: Column) -> dict[int, Value]:
    found: dict[int, Value] = {
        1: _PHYSICAL[column.kind],
        3: _REQUIRED if column.is_there is None else _OPTIONAL,
        4: column.name,
    }
    if column.kind in _CONVERTED:
        found[6] = _CONVERTED[column.kind]
    if column.kind in _LOGICAL:
        found[10] = _LOGICAL[column.kind]
    return found
