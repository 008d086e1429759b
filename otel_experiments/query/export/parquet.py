"""Tables into a Parquet file, a part at a time: whatever the file's size, a row group is in memory.

Times are timestamps of nanoseconds in UTC, numbers what they are, nested values JSON. NaN is a value, what is missing null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, BinaryIO, Final

from otel_experiments.errors import MissingPackageError, QueryError
from otel_experiments.query.frames.columns import Column, Columns, Kind
from otel_experiments.query.frames.libraries import EXTRA, arrow_array, arrow_type

ROW_GROUP: Final = 100_000
"""Rows of a row group: readers take one at a time."""
_GROUP_BYTES: Final = 64 << 20
"""More than so much does not wait for the rows that a group lacks."""


def write_parquet(sink: BinaryIO, kinds: Mapping[str, Kind], parts: Iterable[Columns]) -> int:
    """Write parts of a table, which have the columns of `kinds`; returns the rows.

    Raises:
        MissingPackageError: pyarrow is not installed.
        QueryError: a value is not of its column's kind, since the run was changed meanwhile.
    """
    try:
        import pyarrow as arrow  # noqa: ICN001, PLC0415 - optional
        import pyarrow.parquet as files  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingPackageError(package="pyarrow", purpose="Parquet", extra=EXTRA) from error
    schema = arrow.schema([(name, arrow_type(arrow, kind)) for name, kind in kinds.items()])
    texts = [name for name, kind in kinds.items() if kind == "text"]
    count = 0
    # A dictionary pays for texts, which repeat; numbers mostly do not.
    with files.ParquetWriter(sink, schema, use_dictionary=texts) as writer:
        for table in _groups(arrow, schema, parts):
            writer.write_table(table, row_group_size=ROW_GROUP)
            count += table.num_rows
    return count


# Any: Arrow's types have no stubs.
def _groups(arrow: ModuleType, schema: Any, parts: Iterable[Columns]) -> Iterator[Any]:
    """Yield tables of about a row group."""
    held, rows, size = [], 0, 0
    for part in parts:
        if not part.length:
            continue
        arrays = [_array(arrow, name, part.by_name[name], schema) for name in schema.names]
        table = arrow.Table.from_arrays(arrays, schema=schema)
        held.append(table)
        rows += table.num_rows
        size += table.nbytes
        if rows >= ROW_GROUP or size >= _GROUP_BYTES:
            yield arrow.concat_tables(held)
            held, rows, size = [], 0, 0
    if held:
        yield arrow.concat_tables(held)


def _array(arrow: ModuleType, name: str, column: Column, schema: Any) -> Any:
    try:
        return arrow_array(arrow, column).cast(schema.field(name).type)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError, ValueError) as error:
        raise QueryError(
            f"The column {name!r} cannot be written as {schema.field(name).type}: {error}.\n"
            "  Its values were others when the export began; export once more."
        ) from error
