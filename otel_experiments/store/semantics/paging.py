"""Where a page begins and ends, in plain Python; `sqlite/paging.py` says the same in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from otel_experiments.model.page import Page
from otel_experiments.model.position import Position
from otel_experiments.model.search import Order
from otel_experiments.store.semantics.search import Lookup, sort_key

_Item = TypeVar("_Item")


class Paged(Protocol):
    """What each query has that says which part of its results is wanted."""

    @property
    def order(self) -> tuple[Order, ...]:
        """The sort keys."""
        ...

    @property
    def limit(self) -> int | None:
        """How many at most."""
        ...

    @property
    def offset(self) -> int:
        """How many are left out."""
        ...

    @property
    def after(self) -> Position | None:
        """After which position."""
        ...


def position_of(values: Lookup, orders: Sequence[Order], ties: tuple[int | str, ...]) -> Position:
    """Return the position of an item whose fields `values` finds."""
    return Position(tuple(sort_key(values(order.field)) for order in orders), ties)


def page_of(
    items: Sequence[_Item],
    query: Paged,
    position: Callable[[_Item], Position],
    *,
    tie: Callable[[tuple[Any, ...]], Any],
) -> Page[_Item]:
    """Return the part of the items that a query wants.

    Args:
        items: all that it finds, in its order.
        query: the query.
        position: returns the position of an item.
        tie: returns what ties are sorted by.
    """
    after = query.after
    if after is not None:
        items = [one for one in items if _follows(position(one), after, query.order, tie)]
    if query.limit is None or query.limit < 0:
        return Page(items[query.offset :])
    stop = query.offset + query.limit
    found = Page(items[query.offset : stop])
    if found and len(items) > stop:
        found.end = position(found[-1])
    return found


def _follows(
    one: Position, after: Position, orders: Sequence[Order], tie: Callable[[tuple[Any, ...]], Any]
) -> bool:
    for key, passed, order in zip(one.keys, after.keys, orders, strict=True):
        if key == passed:
            continue
        if key is None or passed is None:
            return key is None
        return bool(key < passed if order.is_descending else key > passed)
    return bool(tie(one.ties) > tie(after.ties))
