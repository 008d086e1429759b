"""What can be had as a table: three methods, the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from otel_experiments.query.frames.columns import Columns


class Framed:
    """What can be had as a table of pandas, polars or Arrow."""

    __slots__ = ()

    def _columns(self) -> Columns:
        raise NotImplementedError

    def to_pandas(self) -> pd.DataFrame:
        """Return a table of pandas: numbers as numbers, times in UTC to the nanosecond, texts as texts.

        A missing float is NaN, a missing integer or boolean NA.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_pandas(self._columns(), "to_pandas()")

    def to_polars(self) -> pl.DataFrame:
        """Return a table of polars: numbers as numbers, times in UTC to the nanosecond; what is missing is null, NaN a number.

        Raises:
            MissingPackageError: polars is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_polars(self._columns(), "to_polars()")

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table: numbers as numbers, times in UTC to the nanosecond; what is missing is null, NaN a number.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        return libraries.to_arrow(self._columns(), "to_arrow()")
