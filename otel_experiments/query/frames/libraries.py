"""Plain columns as a table of pandas, of polars, of Arrow. Each way needs its own library, and none of the others.

Arrays become columns without a copy in Arrow; pandas copies once, so that a change of the table never reaches what was read.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.errors import MissingPackageError
from otel_experiments.query.frames.columns import Column, Columns, Repeated

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

EXTRA: Final = "frames"
_NOT_A_TIME: Final = -(2**63)
"""NaT of NumPy."""


def to_arrow(columns: Columns, purpose: str) -> pa.Table:
    """Return an Arrow table; `purpose` is the call to name where pyarrow is missing.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow  # noqa: ICN001, PLC0415 - optional
    except ImportError as error:
        raise _missing("pyarrow", purpose) from error
    return arrow.table({name: arrow_array(arrow, column) for name, column in columns.by_name.items()})


def arrow_array(arrow: ModuleType, column: Column) -> pa.Array:
    """Return a column as an Arrow array: NaN is a number, what is missing is null."""
    kind, values = column
    made = arrow_type(arrow, column.kind)
    if isinstance(values, array):
        return arrow.Array.from_buffers(made, len(values), [None, arrow.py_buffer(values)])
    if isinstance(values, Repeated):
        return arrow.repeat(arrow.scalar(values.value, made), values.length)
    if kind == "time":
        return arrow.array(values, arrow.int64()).cast(made)
    return arrow.array(values, made, from_pandas=False)


def arrow_type(arrow: ModuleType, kind: str) -> pa.DataType:
    """Return the type of Arrow that a kind of column has."""
    if kind == "time":
        return arrow.timestamp("ns", tz="UTC")
    names = {
        "text": "string",
        "int": "int64",
        "uint": "uint64",
        "float": "float64",
        "bool": "bool_",
        "bytes": "binary",
    }
    return getattr(arrow, names[kind])()


def to_pandas(columns: Columns, purpose: str) -> pd.DataFrame:
    """Return a table of pandas; a missing float is NaN there, a missing integer or boolean is NA.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import numpy as np  # noqa: PLC0415 - comes with pandas
        import pandas  # noqa: ICN001, PLC0415 - optional
    except ImportError as error:
        raise _missing("pandas", purpose) from error
    made = {name: _for_pandas(pandas, np, column) for name, column in columns.by_name.items()}
    return pandas.DataFrame(made, index=pandas.RangeIndex(columns.length), copy=True)


def _for_pandas(pandas: ModuleType, np: ModuleType, column: Column) -> Any:  # noqa: PLR0911 - one a kind
    kind, values = column
    if isinstance(values, Repeated):
        values = list(values)
    match kind:
        case "float":
            return _numpy(np, values, "float64")
        case "time":
            if not isinstance(values, array):
                values = [_NOT_A_TIME if value is None else value for value in values]
            return pandas.DatetimeIndex(_numpy(np, values, "int64").view("M8[ns]"), tz="UTC")
        case "int" | "uint" if isinstance(values, array) or not _lacks_some(values):
            return _numpy(np, values, f"{kind}64")
        case "int" | "uint":
            return pandas.array(values, dtype="Int64" if kind == "int" else "UInt64")
        case "bool":
            return pandas.array(values, dtype="boolean") if _lacks_some(values) else np.array(values, bool)
        case "text" if int(pandas.__version__.split(".")[0]) >= 3:
            return pandas.array(values, dtype="str")
    made = np.empty(len(values), object)  # bytes, and texts before pandas 3
    made[:] = values
    return made


def _numpy(np: ModuleType, values: Sequence[Any], dtype: str) -> Any:
    if isinstance(values, array) and values:
        return np.frombuffer(values, dtype)
    return np.array(values, dtype)


def _lacks_some(values: Sequence[Any]) -> bool:
    return any(value is None for value in values)


def to_polars(columns: Columns, purpose: str) -> pl.DataFrame:
    """Return a table of polars: NaN is a number, what is missing is null.

    Raises:
        MissingPackageError: polars is not installed.
    """
    try:
        import polars  # noqa: ICN001, PLC0415 - optional
    except ImportError as error:
        raise _missing("polars", purpose) from error
    return polars.DataFrame(
        [_for_polars(polars, name, column) for name, column in columns.by_name.items()], nan_to_null=False
    )


def _for_polars(polars: ModuleType, name: str, column: Column) -> Any:
    kind, values = column
    types = {
        "text": polars.String,
        "int": polars.Int64,
        "uint": polars.UInt64,
        "float": polars.Float64,
        "bool": polars.Boolean,
        "bytes": polars.Binary,
        "time": polars.Int64,
    }
    if isinstance(values, array):
        values = _shared(values)
    elif isinstance(values, Repeated):
        values = list(values)
    series = polars.Series(name, values, dtype=types[kind], nan_to_null=False)
    return series.cast(polars.Datetime("ns", "UTC")) if kind == "time" else series


def _shared(values: array[Any]) -> Any:
    """Return an array as NumPy's, which polars reads at once; as it is where NumPy is missing."""
    try:
        import numpy as np  # noqa: PLC0415 - optional
    except ImportError:
        return values.tolist()
    return np.frombuffer(values, values.typecode) if values else values.tolist()


def _missing(package: str, purpose: str) -> MissingPackageError:
    return MissingPackageError(package=package, purpose=purpose, extra=EXTRA)
