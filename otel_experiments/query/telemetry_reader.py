"""What a reader says of spans and traces, whatever run they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otel_experiments.model.search import SpanQuery

if TYPE_CHECKING:
    from otel_experiments.model.attachment import TelemetryGroup
    from otel_experiments.model.search import Expression
    from otel_experiments.query.paged_list import TraceList
    from otel_experiments.query.spans_view import SpansView
    from otel_experiments.store import Store


class TelemetryReader:
    """The part of a reader that is of spans and traces."""

    _store: Store

    @property
    def spans(self) -> SpansView:
        """The spans of all runs and of none, to be narrowed, listed or made into trees."""
        from otel_experiments.query.spans_view import SpansView  # noqa: PLC0415 - 4 ms that few need

        return SpansView(self._store, SpanQuery(hides_removed=True))

    def traces(
        self,
        where: str | Expression | None = None,
        *,
        order: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        after: str | None = None,
    ) -> TraceList:
        """Return the traces that are stored, of runs and of none, the one that began last first.

        Args:
            where: a search expression over `name` (of the root), `duration` (in seconds), `spans`, `errors`, `started`, `run_id`
                and `trace_id`.
            order: sort keys such as `-duration`; a minus turns the order round.
            limit: at most so many.
            offset: leave out so many at the start.
            after: the `cursor` of the page before, of the same search.

        Raises:
            SearchSyntaxError: `where` or `order` cannot be understood.
            PageCursorError: `after` is of another search.
        """
        from otel_experiments.query.traces import find_traces  # noqa: PLC0415 - few ask

        return find_traces(self._store, where, order=order, limit=limit, offset=offset, after=after)

    def unattached(self, *, by_trace: bool = False, limit: int | None = None) -> list[TelemetryGroup]:
        """Return what telemetry belongs to no run, by service or by trace, the newest first; `ox.attach` gives it to one."""
        from otel_experiments.model.attachment import TelemetryQuery  # noqa: PLC0415 - few need it

        return self._store.telemetry_groups(TelemetryQuery(), by_trace=by_trace, limit=limit)
