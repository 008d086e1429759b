"""The order of a search in SQL, and where a page of it begins and ends; the meaning is that of `semantics/paging.py`.

A page begins after a position, which is what the last item of the page before had when it was read. So nothing that is
recorded, edited or removed meanwhile moves what follows, as it does where a number of items is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.store.sqlite.schema import LARGEST_INTEGER

if TYPE_CHECKING:
    import sqlite3

    from otel_experiments.model.position import Position, SortKey
    from otel_experiments.model.search import Order
    from otel_experiments.store.semantics.paging import Paged
    from otel_experiments.store.sqlite.search import Bound, Statement, Tie

_NUMBER: Final = 1
_TEXT: Final = 2
"""Kinds of a sort key."""


class Sorting:
    """The order of one statement.

    Attributes:
        joins: what the sort keys need beside the table.
        terms: what stands behind `order by`.
        columns: what has to be selected, at the end of each row, for its position.
        width: how many columns that is.
    """

    def __init__(self, statement: Statement, orders: Sequence[Order]) -> None:
        self._statement = statement
        self._orders = orders
        self._ties: tuple[Tie, ...] = statement.places.ties()
        found = [
            statement.places.sorted_by(order.field, f"sort{number}", statement)
            for number, order in enumerate(orders)
        ]
        self._keys = [columns for columns, _ in found]
        self.joins = " ".join(join for _, join in found)
        kept = [column for tie in self._ties for column in tie.columns]
        selected = [*(column for columns in self._keys for column in columns), *kept]
        self.columns, self.width, self._tie_width = ", ".join(selected), len(selected), len(kept)
        self.terms = ", ".join([*self._terms(), *(tie.term for tie in self._ties)])

    def after(self, position: Position | None) -> str:
        """Return the condition that an item comes after a position; without one that all do."""
        if position is None:
            return "1"
        steps = list(self._steps(position))
        condition = "0"
        for column, is_descending, bound in reversed(steps):
            beyond = f"({column}) {'<' if is_descending else '>'} {bound}"
            condition = f"({beyond} or (({column}) is {bound} and {condition}))"
        column, is_descending, bound = steps[0]
        # So that SQLite enters the index at the position.
        return f"(({column}) {'<=' if is_descending else '>='} {bound} and {condition})"

    def position(self, row: Sequence[Any]) -> Position:
        """Return the position of an item, of the columns at the end of its row."""
        from otel_experiments.model.position import Position  # noqa: PLC0415 - few turn pages

        values = list(row[-self.width :])
        keys: list[SortKey] = []
        for columns in self._keys:
            *kind, value = values[: len(columns)]
            del values[: len(columns)]
            keys.append(_sort_key(kind[0] if kind else None, value))
        return Position(tuple(keys), tuple(values))

    def _terms(self) -> Iterable[str]:
        for columns, order in zip(self._keys, self._orders, strict=True):
            yield f"{columns[0]} is null"
            yield from (f"{column}{' desc' if order.is_descending else ''}" for column in columns)

    def _steps(self, position: Position) -> Iterable[tuple[str, bool, str]]:
        """Yield each column that sorts, its direction, and what the position has of it."""
        for columns, order, key in zip(self._keys, self._orders, position.keys, strict=True):
            yield f"{columns[0]} is null", False, str(int(key is None))
            if key is not None:
                for column, value in zip(columns, key[-len(columns) :], strict=True):
                    yield column, order.is_descending, self._bound(value)
        kept = list(position.ties)
        for tie in self._ties:
            bound = [self._bound(kept.pop(0)) for _ in tie.columns]
            yield tie.column, tie.is_descending, tie.found.format(*bound)

    def _bound(self, value: float | str | bytes) -> str:
        if isinstance(value, bytes):  # a text that is not UTF-8
            return f"cast(x'{value.hex()}' as text)"
        return self._statement.bind(value)


class PageStatement:
    """The statement of one page.

    Attributes:
        sql: the text.
        parameters: its bound values.
        sorting: its order.
        limit: how many items are wanted; the statement asks for one more, which says whether more follows.
    """

    def __init__(
        self, sql: str, parameters: Mapping[str, Bound], sorting: Sorting, limit: int | None
    ) -> None:
        self.sql, self.parameters, self.sorting, self.limit = sql, parameters, sorting, limit

    def rows(self, connection: sqlite3.Connection) -> tuple[list[Any], Position | None]:
        """Return the rows of the page, and the position of the last one where more follow."""
        found = connection.execute(self.sql, self.parameters).fetchall()
        if self.limit is None or len(found) <= self.limit:
            return found, None
        kept = found[: self.limit]
        return kept, self.sorting.position(kept[-1]) if kept else None


def page_statement(
    made: Statement, query: Paged, *, columns: str, rows: str, conditions: Sequence[str], above: str = ""
) -> PageStatement:
    """Return the statement of the part of its results that a query wants.

    Args:
        made: has bound what the conditions compare with.
        query: the query.
        columns: what is selected.
        rows: what stands behind `from`.
        conditions: all that has to hold.
        above: what stands before it all.
    """
    limit = None if query.limit is None or query.limit < 0 else min(query.limit, LARGEST_INTEGER - 1)
    sorting = Sorting(made, query.order)
    selected = columns if limit is None else f"{columns}, {sorting.columns}"
    where = " and ".join([*conditions, sorting.after(query.after)])
    most = made.bind(-1 if limit is None else limit + 1)
    offset = made.bind(min(query.offset, LARGEST_INTEGER))
    sql = (
        f"{above} select {selected} from {rows} {sorting.joins} where {where} "
        f"order by {sorting.terms} limit {most} offset {offset}"
    )
    return PageStatement(sql, made.parameters, sorting, limit)


def _sort_key(kind: int | None, value: float | str | bytes | None) -> SortKey:
    if value is None:
        return None
    if kind is None:
        kind = _NUMBER if isinstance(value, int | float) else _TEXT
    return kind, value
