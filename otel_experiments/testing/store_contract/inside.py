"""What happened inside runs: summaries of their spans, and searches for spans, traces, events and the text of log records."""

from __future__ import annotations

import pytest

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.log import LogRecord
from otel_experiments.model.search import (
    AttributeField,
    Comparison,
    EventCountField,
    Expression,
    LogTextField,
    Order,
    RecordField,
    RunQuery,
    SpanQuery,
    SpanStatField,
    TraceQuery,
)
from otel_experiments.model.span import StatusCode
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import OTHER, RUN, a_run, a_span, ids

_DURATION = RecordField("span", "duration", "number")
_SECOND = 1_000_000_000


class InsideContract:
    """What happened inside runs: summaries of their spans, and searches for spans, traces, events and the text of log records."""

    def test_ended_spans_are_summarized_once(self, store: Store) -> None:
        """A span counts with its end, in the form that is stored, however often it comes; a purged run has none."""
        opened = a_span(end_ns=None, status=StatusCode.UNSET)
        longer = a_span("4" * 16, start_ns=0, end_ns=100, status=StatusCode.OK)
        for batch in ([opened], [a_span(), longer], [a_span(), opened]):
            store.apply(WriteBatch(runs=[a_run()], spans=batch))

        ((one,),) = store.span_summaries([RUN]).values()
        assert (one.name, one.count, one.error_count, one.total_ns) == ("train", 2, 1, 120)
        assert (one.minimum_ns, one.maximum_ns) == (20, 100)
        assert one.p50_ns == pytest.approx(60, rel=0.01)
        store.apply(WriteBatch(purges=[RunPurge(RUN, 10**18)]))
        assert store.span_summaries([RUN]) == {RUN: []}

    def test_a_span_that_comes_in_another_form_is_counted_in_that_form(self, store: Store) -> None:
        """The later form of a span takes the place of the former one, also where that was the longest of all."""
        store.apply(WriteBatch(spans=[a_span(end_ns=1_010), a_span("4" * 16, end_ns=110)]))
        store.apply(WriteBatch(spans=[a_span(end_ns=60, status=StatusCode.OK)]))

        ((one,),) = store.span_summaries([RUN]).values()
        assert (one.count, one.error_count, one.total_ns, one.maximum_ns) == (2, 1, 150, 100)

    def test_spans_of_a_refused_batch_are_in_no_summary(self, store: Store) -> None:
        """Spans of a batch that was not stored are not counted, those of the next one are; open ones and others' runs are apart."""
        bad = a_span("8" * 16, attributes={"what": object()})
        with pytest.raises(TypeError):
            store.apply(WriteBatch(spans=[a_span(), bad]))
        before = store.span_summaries([RUN])
        store.apply(
            WriteBatch(spans=[a_span(), a_span("5" * 16, end_ns=None), a_span("6" * 16, run_id=None)])
        )

        ((one,),) = store.span_summaries([RUN]).values()
        assert before == {RUN: []}
        assert (one.name, one.count, one.total_ns) == ("train", 1, 20)

    @pytest.mark.parametrize(
        "where",
        [
            Comparison(SpanStatField("train", "p95"), ">", 2),
            Comparison(SpanStatField("train", "errors"), "==", 1),
            Comparison(EventCountField("lib.event"), ">=", 2),
            Comparison(LogTextField(), "contains", "nan"),
        ],
    )
    def test_runs_are_found_by_what_happened_inside(self, store: Store, where: Expression) -> None:
        """Numbers of spans, counts of events and the text of log records find runs."""
        store.apply(
            WriteBatch(
                runs=[a_run(), a_run(OTHER)],
                spans=[
                    a_span(end_ns=3 * _SECOND),
                    a_span("5" * 16, trace_id=OTHER, run_id=OTHER, status=StatusCode.OK),
                ],
                log_records=[
                    LogRecord(1, 1, "lib.event", body="loss is nan", run_id=RUN),
                    LogRecord(2, 2, "lib.event", run_id=RUN),
                    LogRecord(3, 3, "lib.event", body={"nan": 1}, run_id=OTHER),
                ],
            )
        )

        assert ids(store.find_runs(RunQuery(where))) == [RUN]

    def test_spans_and_traces_are_searched_and_ordered(self, store: Store) -> None:
        """Fields and attributes of spans, and what the spans of a trace come to, are compared and sorted by."""
        store.apply(
            WriteBatch(
                spans=[
                    a_span("6" * 16, end_ns=2 * _SECOND, attributes={"code": 500}),
                    a_span("7" * 16, end_ns=3 * _SECOND, attributes={"code": "500"}),
                    a_span("8" * 16, end_ns=_SECOND, attributes={"code": 404.0}, trace_id=OTHER, run_id=OTHER),
                ]
            )
        )  # fmt: skip
        failed = Comparison(AttributeField("code"), ">=", 400)
        found = store.spans(SpanQuery(where=failed, order=(Order(_DURATION),)))
        traces = store.traces(TraceQuery(order=(Order(RecordField("trace", "spans", "number"), True),)))

        assert [span.span_id for span in found] == ["8" * 16, "6" * 16]
        assert [(one.trace_id, one.name, one.span_count, one.error_count) for one in traces] == [
            (RUN, "train", 2, 2),
            (OTHER, "train", 1, 1),
        ]
