"""Finding traces by what their spans come to."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.model.search import Expression, TraceQuery
from otel_experiments.query.paged_list import TraceList, begin_of, page_of
from otel_experiments.query.search.parser import parse_order, parse_search
from otel_experiments.query.search.records import TRACES
from otel_experiments.store import Store


def find_traces(
    store: Store,
    where: str | Expression | None,
    *,
    order: str | Sequence[str] | None,
    limit: int | None,
    offset: int,
    after: str | None,
) -> TraceList:
    """Return the traces of a store for which an expression is true.

    Raises:
        SearchSyntaxError: `where` or `order` cannot be understood.
        PageCursorError: `after` is of another search.
    """
    expression = parse_search(where, subject=TRACES) if isinstance(where, str) else where
    orders = () if order is None else parse_order(order, subject=TRACES)
    search = ("traces", expression, orders)
    begins = None if after is None else begin_of(after, search, keys=len(orders), ties=(int, str))
    found = store.traces(TraceQuery(expression, orders, limit, offset, begins))
    return page_of(search, found.end, TraceList(found))
