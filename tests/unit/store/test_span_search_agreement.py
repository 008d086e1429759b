"""A search for spans or traces finds the same in every store, whatever is asked."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.errors import QueryError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.search import (
    And,
    Arithmetic,
    AttributeField,
    Calculated,
    Comparison,
    Exists,
    IsNan,
    Not,
    Or,
    Order,
    ParamField,
    RunQuery,
    SpanQuery,
    TraceQuery,
)
from otel_experiments.model.span import Span, SpanKind, StatusCode
from otel_experiments.query.search.records import SPANS, TRACES
from otel_experiments.store import open_store

numbers = st.sampled_from([0, 1, -1, 2**53 + 1, 2**63, 0.5, 1e-9, math.inf, math.nan]) | st.integers(-3, 3)
texts = st.sampled_from(["", "a", "b", "ab", "ok", "error", "server", "ä", "a\0b", "\U0001f9ea"])
scalars = st.one_of(numbers, texts, st.booleans(), st.none())
values = scalars | st.lists(scalars, max_size=3) | st.just({"a": 1}) | st.just(b"ab")
keys = st.sampled_from(["k", "http.status_code", "a b", 'quo"ted', "ä", "missing", "$k"])


def expressions(fields):
    """Any search over these fields."""
    comparisons = st.one_of(
        st.builds(
            Comparison,
            fields,
            st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "endswith"]),
            scalars,
        ),
        st.builds(Comparison, fields, st.sampled_from(["in", "not in"]), st.lists(scalars, max_size=3).map(tuple)),
        st.builds(Comparison, fields, st.just("matches"), st.sampled_from(["", "^a", "[ab]$"])),
        st.builds(
            Calculated,
            st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/"]), fields, fields | st.integers(-2, 2)),
            st.sampled_from(["<", ">=", "==", "!="]),
            fields | st.sampled_from([0, 0.5, 2]),
        ),
    )  # fmt: skip
    return st.recursive(
        comparisons | st.builds(IsNan, fields) | st.builds(Exists, fields),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, max_size=3).map(lambda those: And(tuple(those))),
            st.lists(inner, max_size=3).map(lambda those: Or(tuple(those))),
        ),
        max_leaves=5,
    )


def orders(fields):
    """Up to two sort keys."""
    return st.lists(st.builds(Order, fields, st.booleans()), max_size=2).map(tuple)


span_fields = st.sampled_from(list(SPANS.fields.values())) | st.builds(AttributeField, keys)
trace_fields = st.sampled_from(list(TRACES.fields.values()))


@st.composite
def batches(draw):
    """A few spans of two traces, with attributes of every type."""
    spans = [
        Span(
            draw(st.sampled_from(["1" * 32, "2" * 32])),
            f"{number + 1:016x}",
            draw(texts),
            start_ns := draw(st.integers(1, 3)) * 10**9,
            draw(st.none() | st.sampled_from([-1, 0, 5 * 10**8, 10**9]).map(lambda one: start_ns + one)),
            parent_span_id=draw(st.none() | st.just("f" * 16)),
            kind=draw(st.sampled_from(SpanKind)),
            status=draw(st.sampled_from(StatusCode)),
            status_message=draw(texts),
            attributes=draw(st.dictionaries(keys, values, max_size=3)),
            run_id=draw(st.none() | st.sampled_from(["a" * 32, "b" * 32])),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    return WriteBatch(spans=spans)


@settings(max_examples=200)
@given(batch=batches(), where=expressions(span_fields), order=orders(span_fields))
def test_both_stores_find_the_same_spans(batch, where, order):
    """Whatever is asked of spans, SQL finds what plain Python finds, in the same order."""
    with open_store("sqlite://:memory:") as sqlite, open_store("memory://") as memory:
        sqlite.apply(batch)
        memory.apply(batch)
        for query in (SpanQuery(where=where, order=order), SpanQuery(order=order, limit=2, offset=1)):
            found, expected = ([one.span_id for one in store.spans(query)] for store in (sqlite, memory))
            assert found == expected


def pages(find, query):
    """What a query finds, page by page."""
    found = find(query)
    yield found
    while found.end is not None:
        found = find(replace(query, after=found.end))
        yield found


@settings(max_examples=200)
@given(batch=batches(), order=orders(span_fields), by_trace=orders(trace_fields), limit=st.integers(1, 3))
def test_pages_of_spans_and_traces_are_together_the_whole(batch, order, by_trace, limit):
    """Nothing is missing between two pages and nothing comes twice, whatever sorts them, in each store."""
    for address in ("sqlite://:memory:", "memory://"):
        with open_store(address) as store:
            store.apply(batch)
            for find, query in (
                (store.spans, SpanQuery(order=order)),
                (store.traces, TraceQuery(order=by_trace)),
            ):
                found = list(pages(find, replace(query, limit=limit)))
                assert repr([one for page in found for one in page]) == repr(list(find(query)))
                assert all(len(page) == limit for page in found[:-1])
                assert len(found[-1]) > 0 or len(found) == 1


@settings(max_examples=100)
@given(batch=batches(), where=expressions(trace_fields), order=orders(trace_fields))
def test_both_stores_find_the_same_traces(batch, where, order):
    """Whatever is asked of traces, SQL finds what plain Python finds, in the same order."""
    with open_store("sqlite://:memory:") as sqlite, open_store("memory://") as memory:
        sqlite.apply(batch)
        memory.apply(batch)
        for query in (TraceQuery(where, order), TraceQuery(order=order, limit=1, offset=1)):
            assert sqlite.traces(query) == memory.traces(query)


def test_what_is_no_field_of_it_is_refused(store):
    """A search made in code that asks a span for a param, or a run for an attribute, is an error that says so."""
    store.apply(WriteBatch(spans=[Span("1" * 32, "2" * 16, "fit", 1, 2, run_id="a" * 32)]))
    with pytest.raises(QueryError, match="no field of a run"):
        store.find_runs(RunQuery(Exists(AttributeField("k"))))
    with pytest.raises(QueryError, match="no field of a span"):
        store.spans(SpanQuery(where=Exists(ParamField("lr"))))
    with pytest.raises(QueryError, match="no field of a trace"):
        store.traces(TraceQuery(Exists(ParamField("lr"))))
