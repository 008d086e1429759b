"""The metrics of a run as a table: one row a point, or one row a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from otel_experiments.query.frames.columns import Columns
    from otel_experiments.query.frames.point_columns import Duplicates, Labeled


class FramedMetrics:
    """The three ways to have the metrics of a run as a table."""

    __slots__ = ()

    def to_pandas(
        self,
        *,
        wide: bool = False,
        glob: str = "*",
        rank: int | Literal["all"] | None = None,
        duplicates: Duplicates = "last",
    ) -> pd.DataFrame:
        """Return the points as a table of pandas: one row a point, or one row a step.

        Args:
            wide: one row a step, which is the index, and one column a metric (`loss[validation]` where it has a phase). Else
                one row a point, with the columns metric, phase, rank, step, time and value; that leaves nothing out.
            glob: only metrics of such a name.
            rank: of another rank than the lowest, or of `"all"`.
            duplicates: which value of several at one step a wide table has: the `last` that was recorded, the `first`, or
                their `mean`, `min` or `max`.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        columns = self._columns(wide=wide, glob=glob, rank=rank, duplicates=duplicates)
        table = libraries.to_pandas(columns, "run.metrics.to_pandas()")
        return table.set_index("step") if wide else table

    def to_polars(
        self,
        *,
        wide: bool = False,
        glob: str = "*",
        rank: int | Literal["all"] | None = None,
        duplicates: Duplicates = "last",
    ) -> pl.DataFrame:
        """Return the points as a table of polars; the arguments are those of `to_pandas`, and the step is a column.

        Raises:
            MissingPackageError: polars is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        columns = self._columns(wide=wide, glob=glob, rank=rank, duplicates=duplicates)
        return libraries.to_polars(columns, "run.metrics.to_polars()")

    def to_arrow(
        self,
        *,
        wide: bool = False,
        glob: str = "*",
        rank: int | Literal["all"] | None = None,
        duplicates: Duplicates = "last",
    ) -> pa.Table:
        """Return the points as an Arrow table; the arguments are those of `to_pandas`, and the step is a column.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        from otel_experiments.query.frames import libraries  # noqa: PLC0415 - few need it

        columns = self._columns(wide=wide, glob=glob, rank=rank, duplicates=duplicates)
        return libraries.to_arrow(columns, "run.metrics.to_arrow()")

    def _columns(
        self, *, wide: bool, glob: str, rank: int | Literal["all"] | None, duplicates: Duplicates
    ) -> Columns:
        from otel_experiments.query.frames.point_columns import long_columns, wide_columns  # noqa: PLC0415 - few need it

        series = self._chosen(glob, rank)
        return wide_columns(series, duplicates=duplicates) if wide else long_columns(series)

    def _chosen(self, glob: str, rank: int | Literal["all"] | None) -> Sequence[Labeled]:
        raise NotImplementedError
