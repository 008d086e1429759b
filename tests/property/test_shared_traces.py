"""Spans and log records that name no run join one by their trace, whatever comes first and however it is cut into batches."""

import sys
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.model.attachment import Attachment, TelemetryQuery
from otel_experiments.model.batch import SharedTrace, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.span import Span
from otel_experiments.store import open_store

TRACE, RUN, OTHER = "12" * 16, "a" * 32, "b" * 32
SHARED = [SharedTrace(TRACE)]
NUMBERS = st.integers(1, 6)
SPANS = st.lists(
    st.tuples(NUMBERS, st.none() | NUMBERS, st.none() | st.sampled_from([RUN, OTHER])),
    max_size=6,
    unique_by=lambda one: one[0],
)


def span_of(number, parent, run_id):
    """A span of the trace, received, with a parent that may not have come."""
    above = None if parent is None else f"{parent:016x}"
    return Span(
        TRACE,
        f"{number:016x}",
        "s",
        number,
        number + 1,
        parent_span_id=above,
        run_id=run_id,
        is_received=True,
    )


def members(store):
    """Return which run each span and log record is in, and what is attached to it."""
    spans = {span.span_id: (span.run_id, span.given_ns) for span in store.spans(SpanQuery())}
    return spans, {record.body: record.run_id for record in store.log_records()}


def apply_all(store, spans, cuts, *, is_attached):
    """Store the spans in batches that end at the cuts, with a log record of each span in the batch before it."""
    bounds = sorted({0, *cuts, len(spans)})
    for low, high in pairwise(bounds):
        logs = [
            LogRecord(one[0], one[0], body=f"of {one[0]}", trace_id=TRACE, span_id=f"{one[0]:016x}")
            for one in spans[low : high + 1]
        ]
        named = frozenset(run_id for _, _, run_id in spans[low:high] if run_id is not None)
        store.apply(
            WriteBatch(
                spans=[span_of(*one) for one in spans[low:high]],
                log_records=logs,
                shared_traces=[SharedTrace(TRACE, named)],
            )
        )
        if is_attached and not low:
            store.apply(WriteBatch(attach=[Attachment(RUN, TelemetryQuery(trace_id=TRACE), 7)]))


@settings(deadline=None, max_examples=60)
@given(spans=SPANS, cuts=st.lists(st.integers(0, 6), max_size=3), is_attached=st.booleans())
def test_each_store_puts_what_names_no_run_where_the_other_does(spans, cuts, is_attached):
    """Both kinds of store agree, for traces of no run, of one and of two, with parents that are missing, late or in a circle."""
    found = []
    for kind in ("sqlite://:memory:", "memory://"):
        with open_store(kind) as store:
            apply_all(store, spans, [cut for cut in cuts if cut < len(spans)], is_attached=is_attached)
            found.append(members(store))

    assert found[0] == found[1]


@settings(deadline=None, max_examples=40)
@given(spans=SPANS, cuts=st.lists(st.integers(0, 6), max_size=3), order=st.randoms(use_true_random=False))
def test_the_run_of_a_span_does_not_depend_on_what_came_first(spans, cuts, order):
    """The same spans in another order and in other batches are in the same runs."""
    shuffled = list(spans)
    order.shuffle(shuffled)
    found = []
    for given_spans, given_cuts in ((spans, cuts), (shuffled, [])):
        with open_store("sqlite://:memory:") as store:
            apply_all(store, given_spans, [cut for cut in given_cuts if cut < len(spans)], is_attached=False)
            found.append(members(store)[0])

    assert found[0] == found[1]


def calls_of(function):
    """Return how many calls of functions a call makes, which no other program changes."""
    count = 0

    def note(_frame, event, _argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_a_batch_of_a_long_trace_costs_what_one_of_a_short_trace_does(tmp_path):
    """A trace of one run may go on for days: what a batch of it costs does not grow with what came before."""
    with open_store(tmp_path / "runs.db") as store:
        store.apply(WriteBatch(spans=[span_of(1, None, RUN)], shared_traces=SHARED))
        batches = [
            WriteBatch(spans=[span_of(2 + 100 * i + k, 1, None) for k in range(100)], shared_traces=SHARED)
            for i in range(30)
        ]
        counts = [calls_of(lambda batch=batch: store.apply(batch)) for batch in batches]

    assert counts[-1] < 1.5 * counts[1]
