"""Pages of what is found: where one ends, and what the next one has when the store has changed meanwhile."""

from __future__ import annotations

from dataclasses import replace

from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.run import Run
from otel_experiments.model.search import Order, ParamField, RecordField, RunQuery, SpanQuery, TraceQuery
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import a_run, a_span

_NEXT = "9"


class PageContract:
    """Pages of what is found: where one ends, and what the next one has when the store has changed meanwhile."""

    def test_a_page_says_where_the_next_one_begins(self, store: Store) -> None:
        """Only where a limit cut something off; whatever sorts, with ties and with what is missing."""
        for digit in "12345":
            store.apply(WriteBatch(runs=[a_run(digit * 32, created_ns=int(digit) // 2)]))
        store.apply(WriteBatch(params=[ParamSet(digit * 32, "p", 1.5, 1) for digit in "135"]))

        by_param = RunQuery(order=(Order(ParamField("p"), is_descending=True),), limit=2)
        assert _turned(store, by_param) == ["53", "14", "2"]
        assert _turned(store, replace(by_param, limit=4)) == ["5314", "2"]
        assert _turned(store, RunQuery(limit=3)) == ["452", "31"]
        for whole in (RunQuery(), RunQuery(limit=5), RunQuery(limit=0)):
            assert store.find_runs(whole).end is None

    def test_what_comes_or_goes_between_two_pages_moves_nothing(self, store: Store) -> None:
        """A new run, one that is purged and one that changes its place neither hide nor double another one."""
        for digit in "12345":
            store.apply(WriteBatch(runs=[a_run(digit * 32, created_ns=int(digit))]))
        query = RunQuery(order=(Order(ParamField("p")),), limit=2)
        first = store.find_runs(query)

        store.apply(
            WriteBatch(
                runs=[a_run(_NEXT * 32, created_ns=10)],
                purges=[RunPurge("5" * 32, 10**18)],
                params=[ParamSet("4" * 32, "p", 1, 1)],
            )
        )

        assert _digits(first) == "54"
        assert _digits(store.find_runs(replace(query, after=first.end))) == "32"

    def test_spans_and_traces_have_pages(self, store: Store) -> None:
        """Of spans that began at once each comes once; so do traces."""
        for digit in "12345":
            span = a_span(digit * 16, trace_id=digit * 32, start_ns=int(digit) // 2, parent_span_id=None)
            store.apply(WriteBatch(spans=[span]))
        by_name = (Order(RecordField("span", "name")),)

        found = []
        for order in ((), by_name):
            query = SpanQuery(order=order, limit=2)
            page = store.spans(query)
            while page.end is not None:
                found.append(page)
                page = store.spans(replace(query, after=page.end))
            found.append(page)
        assert ["".join(span.span_id[0] for span in page) for page in found] == ["12", "34", "5"] * 2

        traces = TraceQuery(limit=3)
        first = store.traces(traces)
        rest = store.traces(replace(traces, after=first.end))
        assert [one.trace_id[0] for one in (*first, *rest)] == list("45231")
        assert rest.end is None


def _turned(store: Store, query: RunQuery) -> list[str]:
    """Return the first digits of the ids of each page."""
    pages = []
    page = store.find_runs(query)
    while page.end is not None:
        pages.append(_digits(page))
        page = store.find_runs(replace(query, after=page.end))
    return [*pages, _digits(page)]


def _digits(page: list[Run]) -> str:
    return "".join(run.run_id[0] for run in page)
