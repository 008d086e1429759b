"""Lists that are one page of what a search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from otel_experiments.model.position import Position
    from otel_experiments.model.trace import Trace


_Page = TypeVar("_Page", bound="PagedList")


def begin_of(cursor: str, search: object, *, keys: int, ties: tuple[type[int | str], ...]) -> Position:
    """Return after which position a page begins.

    Args:
        cursor: the cursor of the page before.
        search: what is searched and how it is sorted.
        keys: how many sort keys there are.
        ties: the types of what a position has of ties.

    Raises:
        PageCursorError: it is none, or of another search.
    """
    from otel_experiments.query.cursor import position_of  # noqa: PLC0415 - few turn pages

    return position_of(cursor, search, keys=keys, ties=ties)


class PagedList:
    """What a page of results knows of the next one."""

    _continues: tuple[object, Position] | None = None

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, a text for `after=` of the same search; None where nothing follows.

        A page follows the last item of this one, as it was sorted then: what is recorded or removed meanwhile moves nothing.
        """
        if self._continues is None:
            return None
        from otel_experiments.query.cursor import cursor_of  # noqa: PLC0415 - few turn pages

        return cursor_of(*self._continues)


def page_of(search: object, end: Position | None, page: _Page) -> _Page:
    """Return the page, which now knows of which search it is, and where it ends."""
    page._continues = None if end is None else (search, end)  # noqa: SLF001 - of this module
    return page


class TraceList(PagedList, list["Trace"]):
    """Traces in the order that was asked for."""

    def __repr__(self) -> str:
        return f"TraceList({len(self)})"
