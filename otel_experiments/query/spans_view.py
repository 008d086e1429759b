"""Spans, narrowed step by step; nothing is read before they are looked at."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from otel_experiments._short_repr import fields_repr
from otel_experiments.errors import QueryError
from otel_experiments.model.search import And, Expression, SpanQuery
from otel_experiments.model.span import Span
from otel_experiments.model.span_summary import SpanSummary
from otel_experiments.model.tree import SpanNode, build_forest
from otel_experiments.query.frames.framed import Framed
from otel_experiments.query.paged_list import PagedList, begin_of, page_of
from otel_experiments.store import Store
from otel_experiments.store.semantics.span_tally import summaries_by_name

if TYPE_CHECKING:
    from otel_experiments.model.page import Page
    from otel_experiments.query.frames.columns import Columns
    from otel_experiments.query.span_analysis import Analysis, Prices, SpanWindow

AttributeFilter = str | bool | int | float
_LONGEST_NS: Final = 2**63 - 1
"""More nanoseconds than any span can take: what a 64-bit number holds, 292 years."""


def _nanoseconds(duration_s: float) -> int:
    if math.isnan(duration_s):
        raise QueryError(
            "No duration is longer or shorter than NaN seconds.\n  Give a number of seconds, such as 0.5."
        )
    if math.isinf(duration_s):
        return _LONGEST_NS if duration_s > 0 else -_LONGEST_NS
    return max(-_LONGEST_NS, min(round(duration_s * 1e9), _LONGEST_NS))


class SpansView(PagedList, Framed):
    """The spans that fulfil every condition named so far, ordered by start.

    Each method returns a narrower view and leaves this one as it is:
    `run.spans.named("ml.*").slower_than(0.5).errors()`. As a table it has one row a span, and a column `attributes.KEY` for each
    attribute; events and links are JSON.

    Attributes:
        query: the conditions named so far.
    """

    def __init__(self, store: Store, query: SpanQuery) -> None:
        self._store = store
        self.query = query

    def named(self, name: str) -> SpansView:
        """Return the spans of this name; `*`, `?` and `[...]` make it a glob.

        Args:
            name: the name, or a glob: `stage *`.
        """
        if any(sign in name for sign in "*?["):
            return self._narrowed(name_glob=name)
        return self._narrowed(name=name)

    def with_attribute(
        self,
        key: str | None = None,
        value: AttributeFilter | None = None,
        /,
        **attributes: AttributeFilter | None,
    ) -> SpansView:
        """Return the spans with exactly these attributes, given as key and value or as keywords.

        A key alone, or None as the value, asks for spans that have the attribute, whatever its value.

        Args:
            key: the name of the attribute.
            value: its value.
            **attributes: further attributes, by name.
        """
        wanted: tuple[tuple[str, AttributeFilter | None], ...] = tuple(attributes.items())
        if key is not None:
            wanted = ((key, value), *wanted)
        return self._narrowed(attributes=self.query.attributes + wanted)

    def slower_than(self, duration_s: float) -> SpansView:
        """Return the ended spans that took at least so many seconds.

        Args:
            duration_s: the least duration, in seconds.

        Raises:
            QueryError: the number of seconds is NaN.
        """
        return self._narrowed(min_duration_ns=_nanoseconds(duration_s))

    def faster_than(self, duration_s: float) -> SpansView:
        """Return the ended spans that took at most so many seconds.

        Args:
            duration_s: the greatest duration, in seconds.

        Raises:
            QueryError: the number of seconds is NaN.
        """
        return self._narrowed(max_duration_ns=_nanoseconds(duration_s))

    def where(self, condition: str | Expression) -> SpansView:
        """Return the spans of which a search expression is true: `attributes["http.status_code"] >= 400 and duration > 0.5`.

        Args:
            condition: an expression over `name`, `duration` (in seconds), `status`, `kind`, `started`, `attributes["key"]`, ...;
                what is not there fulfils no comparison.

        Raises:
            SearchSyntaxError: it cannot be understood; the error points at the place.
        """
        from otel_experiments.query.search.parser import parse_search  # noqa: PLC0415 - few search
        from otel_experiments.query.search.records import SPANS  # noqa: PLC0415 - as above

        wanted = parse_search(condition, subject=SPANS) if isinstance(condition, str) else condition
        known = self.query.where
        return self._narrowed(where=wanted if known is None else And((known, wanted)))

    def ordered(self, order: str | Sequence[str]) -> SpansView:
        """Return the spans in another order than that of their starts: `spans.ordered("-duration")`.

        Args:
            order: sort keys such as `-duration, name`; a minus turns the order round. Spans without the field come last.

        Raises:
            SearchSyntaxError: a key is no field of a span.
        """
        from otel_experiments.query.search.parser import parse_order  # noqa: PLC0415 - few search
        from otel_experiments.query.search.records import SPANS  # noqa: PLC0415 - as above

        return self._narrowed(order=parse_order(order, subject=SPANS))

    def errors(self) -> SpansView:
        """Return the spans whose status is an error."""
        return self._narrowed(is_error=True)

    def first(self, count: int, *, offset: int = 0, after: str | None = None) -> SpansView:
        """Return the first `count` spans from `offset` on.

        Args:
            count: how many at most.
            offset: how many are left out at the start.
            after: the `cursor` of the page before, of the same search.

        Raises:
            PageCursorError: `after` is of another search.
        """
        if after is None:
            return self._narrowed(limit=count, offset=offset)
        begins = begin_of(after, self._search, keys=len(self.query.order), ties=(int, str, str))
        return self._narrowed(limit=count, offset=offset, after=begins)

    def summaries(self) -> list[SpanSummary]:
        """Return count, errors, total and percentiles of the ended spans, by name, for each run of theirs together.

        Of a run's spans that nothing narrows, they are kept in the store, and no span is read.
        """
        query = self.query
        if query.run_id is not None and query == SpanQuery(run_id=query.run_id):
            return self._store.span_summaries([query.run_id])[query.run_id]
        return summaries_by_name(self._spans)

    def analysis(self, *, prices: Prices | None = None, cost_attribute: str | None = None) -> Analysis:
        """Return what these spans say together: latency, reliability, tokens, cost; `run.spans.named("chat *").analysis()`.

        Requests to language models are the spans with the attributes `gen_ai.usage.*` or the model's name.

        Args:
            prices: what models cost: a `PriceTable`, what makes one (`{"gpt-4": (30, 60)}`, for a million tokens), or the path of a file
                that holds one. A model that it lacks is counted, and no price is guessed.
            cost_attribute: the attribute in which the program recorded what a request cost; it counts before the table.

        Raises:
            PriceTableError: the price table cannot be used.
        """
        from otel_experiments.query.span_analysis import analyse  # noqa: PLC0415 - few analyse

        return analyse(self._spans, prices=prices, cost_attribute=cost_attribute)

    def windows(self, width: str, *, step: str | None = None) -> list[SpanWindow]:
        """Return windows that slide over the starts of these spans: `for one in spans.windows("5m", step="1m")`.

        They go on until one holds the last span; those without a span are left out, and short data makes one.

        Args:
            width: how long a window is: a number and a unit, such as `250ms`, `90s`, `5m`, `1.5h`.
            step: how far one begins behind the one before; by default its width, so that each span is in one window.

        Raises:
            AnalysisError: a length of time cannot be understood.
        """
        from otel_experiments.query.span_analysis import windows_of  # noqa: PLC0415 - few analyse

        return windows_of(self._spans, width, step)

    def last(self, last: str | int) -> SpanWindow:
        """Return the spans of the last minutes (`"5m"`, before the last start), or the last so many (`200`).

        Args:
            last: a length of time, or a number of spans.

        Raises:
            AnalysisError: it is neither.
        """
        from otel_experiments.query.span_analysis import last_window  # noqa: PLC0415 - few analyse

        return last_window(self._spans, last)

    def tree(self) -> list[SpanNode]:
        """Return the roots of the trees that these spans form; a span without its parent here is a root."""
        return build_forest(self._spans)

    @property
    def _search(self) -> object:
        return ("spans", dataclasses.replace(self.query, limit=None, offset=0, after=None))

    def _narrowed(self, **changes: object) -> SpansView:
        if self.query.after is not None:
            raise QueryError("A page of spans is narrowed no more.\n  Call first(..., after=...) at last.")
        return SpansView(self._store, dataclasses.replace(self.query, **changes))  # type: ignore[arg-type] # fields by name

    def _columns(self) -> Columns:
        from otel_experiments.query.frames.record_columns import span_columns  # noqa: PLC0415 - few need it

        return span_columns(self._spans, expands=True)

    @cached_property
    def _spans(self) -> Page[Span]:
        found = self._store.spans(self.query)
        page_of(self._search, found.end, self)
        return found

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, a text for `first(..., after=)` of the same search; None where nothing follows."""
        self._spans  # noqa: B018 - it is what says it
        return super().cursor

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, index: int) -> Span:
        return self._spans[index]

    def __repr__(self) -> str:
        return fields_repr(self.query).replace("SpanQuery", "SpansView", 1)
