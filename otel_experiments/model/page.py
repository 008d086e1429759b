"""A page of what was found, and where the next one begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_experiments.model.position import Position

_Item = TypeVar("_Item")


class Page(list[_Item]):
    """What was found, in its order.

    Attributes:
        end: the position of the last item where the query had a limit and more follows; else None.
    """

    __slots__ = ("end",)

    def __init__(self, items: Iterable[_Item] = (), end: Position | None = None) -> None:
        super().__init__(items)
        self.end = end
