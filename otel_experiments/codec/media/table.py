"""A table: rows, columns, or a frame of pandas, polars or Arrow. Stored as Parquet, whatever it comes from.

Rows and frames of pandas are written by us, those of polars and Arrow by their own libraries, which keep types that only they
have. Every reader takes them: `parquet_read` needs no library.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence, Sized
from importlib import import_module
from typing import Any, ClassVar, Final

from otel_experiments._short_repr import short
from otel_experiments.codec.media.columns import Column, column_of
from otel_experiments.codec.media.library import is_array, is_of
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell
from otel_experiments.codec.media.pandas_frame import Form, columns_of_frame, frame_of
from otel_experiments.codec.media.parquet_read import UnreadableTableError, read_parquet
from otel_experiments.codec.media.parquet_write import parquet_bytes
from otel_experiments.codec.media.polars_cells import for_polars
from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import MediaRefusedError, MissingPackageError
from otel_experiments.model.run import ParamValue

PARQUET: Final = "application/vnd.apache.parquet"
_FACTS: Final = "otel_experiments"
_EXTRA: Final = "frames"
_ROWS: Final = frozenset({list, tuple})


class Table(Media):
    """A table. `run.log({"wrong": ox.Table(columns=["truth", "said"], data=rows)}, step=3)`.

    Attributes:
        columns: the names of the columns.
        data: the rows, each a list of cells.
    """

    type: ClassVar[str] = "table"

    def __init__(
        self,
        columns: Any = None,  # names; alone, it may be what `data` is
        data: Any = None,  # rows, columns, an array or a frame
        rows: Iterable[Sequence[Any]] | None = None,
        *,
        dataframe: Any = None,  # a frame of pandas, polars or Arrow
        caption: str | None = None,
        **without_effect: object,
    ) -> None:
        """Take a table.

        Args:
            columns: names; without them those of the data, or 0, 1, ... What is no list of texts is taken for the data
                where it is given alone: `ox.Table(frame)`.
            data: rows of cells, rows as mappings, a mapping of columns, an array of two dimensions, or a frame.
            rows: the same, as other trackers call it.
            dataframe: the same, as other trackers call it.
            caption: a text that is shown with it.
            without_effect: arguments of other trackers (dtype, optional, ...): told, and not kept.
        """
        super().__init__(caption, without_effect)
        self._problems: list[str] = []
        self._given: Any = next((part for part in (dataframe, data, rows) if part is not None), None)
        if self._given is None and columns is not None and not _are_names(columns):
            columns, self._given = None, columns
        self._names = self._names_of(columns)
        self._given = () if self._given is None else self._given
        self._cells: dict[str, Any] | None = None
        self._more: list[Sequence[Any]] = []
        self._is_as_given = True
        self._stored: bytes | None = None
        self._form: Form = {}

    def __repr__(self) -> str:
        try:
            return f"Table({short(self.columns)}, {self._count()} rows)"
        except ValueError as error:  # what it was given is no table, which is said when it is logged
            return f"Table({shown(str(error))})"

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns())

    @property
    def data(self) -> list[list[Any]]:
        """The rows, each a list of cells."""
        return [list(row) for row in zip(*map(_listed, self._columns().values()), strict=False)]

    def add_data(self, *row: Any) -> None:
        """Add a row: a cell for each column.

        Args:
            row: the cells, in the order of the columns.
        """
        given = self._given
        if type(given) in _ROWS and len(given) == len(row) and self._is_as_given and _are_numbers(given):
            self._names, self._given = (
                self._names_of(given),
                (),
            )  # `Table(columns=[0, 1])`, which is filled row by row
        self._is_as_given = False
        self._more.append(row)

    def add_column(self, name: str, data: Any) -> None:
        """Add a column, or replace the one of that name: a list of cells or an array.

        Args:
            data: the cells, in the order of the rows.
            name: what the column is called.
        """
        self._columns()[clean_text(text_of(name))] = data
        self._is_as_given = False

    def get_column(self, name: str) -> list[Any]:
        """Return the cells of a column.

        Raises:
            KeyError: there is none of that name.
        """
        return list(_listed(self._columns()[name]))

    def to_pandas(self) -> Any:  # a DataFrame; pandas is no requirement of this package
        """Return the table as a frame of pandas.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        if is_pandas(self._given) and self._is_frame_as_given():
            return self._given
        pandas = _package("pandas", "table.to_pandas()")
        return frame_of(pandas, {name: _listed(cells) for name, cells in self._columns().items()}, self._form)

    def to_polars(self) -> Any:  # a DataFrame; as above
        """Return the table as a frame of polars.

        A column with integers that no double holds, beside doubles, is one of texts, as it is in Arrow.

        Raises:
            MissingPackageError: polars is not installed.
        """
        if is_polars(self._given) and self._is_frame_as_given():
            return self._given
        polars = _package("polars", "table.to_polars()")
        return polars.DataFrame(
            {name: for_polars(_listed(cells)) for name, cells in self._columns().items()}, strict=False
        )

    def to_arrow(self) -> Any:  # a Table; as above
        """Return the table as one of Arrow.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        pyarrow = _package("pyarrow", "table.to_arrow()")
        if is_arrow(self._given) and self._is_frame_as_given():
            return self._given
        parquet = import_module("pyarrow.parquet")
        is_stored = self._stored is not None and self._is_as_given
        data = self._stored if is_stored else self.encode(lambda _: None).data
        return parquet.read_table(pyarrow.BufferReader(data))

    def encode(self, tell: Tell) -> Encoded:
        """Return the table as it is stored: a Parquet file."""
        given = self._given
        if self._is_frame_as_given():
            if is_arrow(given):
                return self._encoded(_of_arrow(given), given.num_rows, given.num_columns, "arrow")
            if is_polars(given):
                if not hasattr(given, "write_parquet"):
                    raise MediaRefusedError(
                        why="a lazy frame of polars has no rows yet; pass frame.collect()"
                    )
                return self._encoded(_of_polars(given), given.height, given.width, "polars")
        cells = self._columns()
        if not cells:
            raise MediaRefusedError(why="the table has no columns; pass columns=[names], or rows")
        for problem in self._problems:
            tell(problem)
        columns = [column_of(name, column, tell) for name, column in cells.items()]
        lengths = {column.count for column in columns}
        if len(lengths) > 1:
            found = ", ".join(f"{column.name!r} has {column.count}" for column in columns[:4])
            raise MediaRefusedError(why=f"its columns have different numbers of cells: {found}")
        source = "pandas" if is_pandas(given) else "rows"
        return self._encoded(
            parquet_bytes(columns, _facts(columns, source, self._form)),
            columns[0].count,
            len(columns),
            source,
        )

    def _encoded(self, data: bytes, rows: int, columns: int, source: str) -> Encoded:
        facts: dict[str, ParamValue] = {SOURCE: source, "rows": rows, "columns": columns}
        return Encoded(self.type, PARQUET, ".parquet", data, facts, self.caption)

    def _is_frame_as_given(self) -> bool:
        return self._is_as_given and self._names is None and not self._problems

    def _names_of(self, columns: Any) -> list[str] | None:
        if columns is None:
            return None
        if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
            self._problems.append(
                f"columns={shown(columns)} is no list of names: the columns are named as those of its data"
            )
            return None
        return [clean_text(text_of(name)) for name in columns]

    def _count(self) -> int:
        return min((len(_listed(cells)) for cells in self._columns().values()), default=0)

    def _columns(self) -> dict[str, Any]:
        if self._cells is None:
            self._cells = self._read()
        if self._more:
            more, self._more = self._more, []
            self._append(self._cells, more)
        return self._cells

    def _read(self) -> dict[str, Any]:
        given = self._given
        found: dict[str, Any] | None
        if self._stored is not None:
            found, self._form = _stored_columns(self._stored)
            return found
        if is_pandas(given):
            found, self._form = columns_of_frame(given, self._problems.append)
        else:
            found = _frame_columns(given)
        if found is None:
            found = self._of_rows(given)
        if self._names is not None and found and len(self._names) == len(found):
            found = dict(zip(self._names, found.values(), strict=True))
        elif self._names is not None and found and self._names != [*found]:
            wanted = {name: found[name] for name in self._names if name in found}
            if len(wanted) < len(self._names):
                raise MediaRefusedError(
                    why=f"{len(self._names)} names were given for {len(found)} columns; pass as many, or names of columns"
                )
            found = wanted
        return found

    def _of_rows(self, rows: Any) -> dict[str, Any]:
        if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
            raise MediaRefusedError(why=f"a table is rows, columns or a frame, not {type(rows).__name__}")
        listed = list(rows)
        if listed and all(isinstance(row, Mapping) for row in listed):
            keys = dict.fromkeys(key for row in listed for key in row)
            return {clean_text(text_of(key)): [row.get(key) for row in listed] for key in keys}
        width = len(self._names) if self._names is not None else _widest(listed)
        names = self._names or [str(index) for index in range(width)]
        cells: dict[str, Any] = {name: [] for name in names}
        if len(cells) != len(names):
            raise MediaRefusedError(why=f"two columns have one name: {shown(names)}")
        self._append(cells, listed)
        return cells

    def _append(self, cells: dict[str, Any], rows: Sequence[Sequence[Any]]) -> None:
        if not cells:
            cells |= {str(index): [] for index in range(_widest(rows))}
        width = len(cells)
        if not all(type(row) in _ROWS for row in rows) or set(map(len, rows)) != {width}:
            rows = [_row(row) for row in rows]
            odd = [len(row) for row in rows if len(row) != width]
            if odd:
                self._problems.append(
                    f"{len(odd)} of its rows have not {width} cells, the first has {odd[0]}: what is missing is empty, "
                    "what is too much is left out"
                )
                rows = [[*row[:width], *[None] * (width - len(row))] for row in rows]
        if not rows:
            return
        for name, more in zip([*cells], zip(*rows, strict=True), strict=True):
            before = cells[name]
            cells[name] = [*_listed(before), *more] if len(before) else list(more)


def table_of(data: bytes, caption: str = "") -> Table:
    """Return the table that a Parquet file holds; it is read when it is looked at."""
    table = Table(caption=caption)
    table._stored = data  # noqa: SLF001 - its second constructor
    return table


def is_frame(value: object) -> bool:
    """Tell whether it is a frame of pandas, polars or Arrow."""
    return is_pandas(value) or is_polars(value) or is_arrow(value)


def is_pandas(value: object) -> bool:
    """Tell whether it is a frame of pandas."""
    return is_of(value, "pandas", "DataFrame")


def is_polars(value: object) -> bool:
    """Tell whether it is a frame of polars, lazy or not."""
    return is_of(value, "polars", "DataFrame", "LazyFrame")


def is_arrow(value: object) -> bool:
    """Tell whether it is a table or batch of Arrow."""
    return is_of(value, "pyarrow", "Table", "RecordBatch")


def _are_names(columns: Any) -> bool:
    """Tell whether they name columns; frames, mappings, rows and the like are the data of a table."""
    if isinstance(columns, (str, bytes, Mapping)) or is_frame(columns) or not isinstance(columns, Iterable):
        return False
    if is_of(columns, "pandas", "Series") or is_of(columns, "polars", "Series"):
        return False
    return isinstance(columns, Sized) and all(isinstance(name, str) for name in columns)


def _are_numbers(cells: Sequence[Any]) -> bool:
    return all(type(cell) is int for cell in cells)


def _package(name: str, purpose: str) -> Any:  # a module
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(package=name, purpose=purpose, extra=_EXTRA) from error


def _facts(columns: Sequence[Column], source: str, form: Form) -> dict[str, str]:
    kinds = {
        column.name: column.media_type or column.kind
        for column in columns
        if column.kind == "json" or column.media_type
    }
    return {_FACTS: json.dumps({"source": source, "columns": kinds} | ({"frame": form} if form else {}))}


def _stored_columns(data: bytes) -> tuple[dict[str, Any], Form]:
    try:
        columns, texts = read_parquet(data)
    except UnreadableTableError as error:
        try:
            parquet, pyarrow = import_module("pyarrow.parquet"), import_module("pyarrow")
        except ImportError:
            raise error from None
        found = parquet.read_table(pyarrow.BufferReader(data))
        columns = {name: found.column(name).to_pylist() for name in found.column_names}
        texts = {}
    facts = json.loads(texts.get(_FACTS, "{}"))
    for name, kind in facts.get("columns", {}).items():
        if kind == "json":
            columns[name] = [None if cell is None else json.loads(cell) for cell in columns[name]]
    return dict(columns), facts.get("frame", {})


def _frame_columns(given: Any) -> dict[str, Any] | None:
    """Return the columns of a frame of polars or Arrow, a mapping of columns or an array; None for rows."""
    if is_polars(given):
        return {series.name: series.to_list() for series in given.get_columns()}
    if is_arrow(given):
        return {name: given.column(name).to_pylist() for name in given.schema.names}
    if isinstance(given, Mapping):
        return {clean_text(text_of(name)): column for name, column in given.items()}
    if is_array(given):
        if len(given.shape) != 2:
            raise MediaRefusedError(
                why=f"an array of shape {tuple(given.shape)} is no table; pass rows x columns"
            )
        return {str(index): given[:, index] for index in range(given.shape[1])}
    return None


def _of_polars(frame: Any) -> bytes:
    written = io.BytesIO()
    frame.write_parquet(written, compression="uncompressed")
    return written.getvalue()


def _of_arrow(table: Any) -> bytes:
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    if is_of(table, "pyarrow", "RecordBatch"):
        table = pyarrow.Table.from_batches([table])
    written = io.BytesIO()
    parquet.write_table(table, written, compression="none", use_dictionary=False, data_page_version="1.0")
    return written.getvalue()


def _listed(cells: Any) -> list[Any]:
    if isinstance(cells, list):
        return cells
    method = getattr(cells, "tolist", None)
    return list(method()) if callable(method) else list(cells)


def _row(row: Any) -> list[Any]:
    return list(row) if isinstance(row, Iterable) and not isinstance(row, (str, bytes)) else [row]


def _widest(rows: Sequence[Any]) -> int:
    return max((len(_row(row)) for row in rows), default=0)
