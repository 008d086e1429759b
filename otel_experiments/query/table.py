"""The answer to an SQL statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_experiments._short_repr import cut
from otel_experiments.query.frames.framed import Framed

if TYPE_CHECKING:
    from otel_experiments.query.frames.columns import Columns
    from otel_experiments.store import Row


@dataclass(frozen=True, slots=True)
class Table(Framed):
    """The answer to an SQL statement: its rows, and a table of pandas, polars or Arrow.

    Attributes:
        columns: the names of the columns.
        rows: the rows, each a tuple.
    """

    columns: tuple[str, ...]
    rows: list[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.html import table_html  # noqa: PLC0415 - only notebooks ask

        return table_html(self.columns, self.rows)

    def __repr__(self) -> str:
        names = ", ".join(cut(one, 60) for one in self.columns[:6]) + (
            ", ..." if len(self.columns) > 6 else ""
        )
        return f"Table({len(self.rows)} rows x {len(self.columns)} columns: {names})"

    def _columns(self) -> Columns:
        from otel_experiments.query.frames.columns import row_columns  # noqa: PLC0415 - few need it

        return row_columns(self.columns, self.rows)
