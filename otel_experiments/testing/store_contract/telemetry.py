"""Spans, log records and data points of instruments."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from otel_experiments.model.batch import (
    SharedTrace,
    WriteBatch,
)
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.model.search import (
    SpanQuery,
)
from otel_experiments.model.span import AttributeValue, Event, Resource, Scope, StatusCode
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import OTHER, RUN, a_span


class TelemetryContract:
    """Spans, log records and data points of instruments."""

    def test_a_span_comes_back_as_it_was_written(self, store: Store) -> None:
        """Every field of a span, its events, links, resource and scope survive."""
        span = a_span()

        store.apply(WriteBatch(spans=[span]))

        assert store.spans(SpanQuery()) == [span]

    def test_an_ended_span_is_never_overwritten_by_its_open_form(self, store: Store) -> None:
        """The start of a span that arrives after its end changes nothing, in one batch or in two."""
        opened = a_span(end_ns=None, status=StatusCode.UNSET, events=(), links=(), attributes={})

        store.apply(WriteBatch(spans=[a_span(), opened]))
        store.apply(WriteBatch(spans=[opened]))

        assert store.spans(SpanQuery()) == [a_span()]

    def test_an_open_span_is_completed_by_its_end(self, store: Store) -> None:
        """The ended form replaces attributes, events and links of the open one."""
        opened = a_span(
            end_ns=None, events=(Event("a", 1), Event("b", 2), Event("c", 3)), attributes={"old": 1}
        )

        store.apply(WriteBatch(spans=[opened]))
        before = store.spans(SpanQuery())
        store.apply(WriteBatch(spans=[a_span()]))

        assert before == [opened]
        assert store.spans(SpanQuery()) == [a_span()]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (SpanQuery(), ["1", "2", "3", "4"]),
            (SpanQuery(run_id=RUN), ["1", "2", "3"]),
            (SpanQuery(trace_id=OTHER), ["4"]),
            (SpanQuery(name="step"), ["2"]),
            (SpanQuery(name_glob="st*"), ["2", "3"]),
            (SpanQuery(name_glob="s[!x]ep"), ["2"]),
            (SpanQuery(name_glob="?ag*"), []),
            (SpanQuery(min_duration_ns=20), ["1", "4"]),
            (SpanQuery(max_duration_ns=19), ["2"]),
            (SpanQuery(is_error=True), ["1"]),
            (SpanQuery(is_error=False), ["2", "3", "4"]),
            (SpanQuery(attributes=(("rate", 0.1),)), ["1"]),
            (SpanQuery(attributes=(("batch", 32.0), ("amp", True))), ["1"]),
            (SpanQuery(attributes=(("amp", 1),)), []),
            (SpanQuery(attributes=(("odd", math.inf),)), ["1"]),
            (SpanQuery(attributes=(("a.b \"c'", "x"),)), ["4"]),
            (SpanQuery(limit=2, offset=1), ["2", "3"]),
            (SpanQuery(limit=0), []),
        ],
    )
    def test_spans_are_found_by_what_is_asked(
        self, store: Store, query: SpanQuery, expected: list[str]
    ) -> None:
        """All conditions of a span query must hold; spans come by start."""
        store.apply(
            WriteBatch(
                spans=[
                    a_span("4" * 16, trace_id=OTHER, run_id=None, name="x", start_ns=40, end_ns=70,
                           attributes={"a.b \"c'": "x"}, status=StatusCode.OK, events=(), links=()),
                    a_span("1" * 16),
                    a_span("2" * 16, name="step", start_ns=20, attributes={}, status=StatusCode.OK),
                    a_span("3" * 16, name="stage", start_ns=30, end_ns=None, attributes={}, status=StatusCode.UNSET),
                ]
            )
        )  # fmt: skip

        found = store.spans(query)

        assert [span.span_id[0] for span in found] == expected

    @pytest.mark.parametrize("first", ["adopted", "sent", "at once"])
    @pytest.mark.parametrize("trace_id", [RUN, "c" * 32])
    def test_a_record_that_was_adopted_and_sent_is_one(self, store: Store, first: str, trace_id: str) -> None:
        """The application's exporter sends what the run adopted without the run's id: the run has it once."""
        sent = LogRecord(10, 20, body="hello", attributes={"a": 1}, trace_id=trace_id)
        adopted = replace(sent, attributes={"a": 1, attr.ML_RUN_ID: RUN}, run_id=RUN)
        other = replace(adopted, attributes={"a": 1, attr.ML_RUN_ID: OTHER}, run_id=OTHER, time_ns=11)
        batches = {"adopted": [[adopted], [sent]], "sent": [[sent], [adopted]], "at once": [[sent, adopted]]}
        for records in batches[first]:
            store.apply(WriteBatch(log_records=records, shared_traces=[SharedTrace(trace_id)]))
        store.apply(WriteBatch(log_records=[other]))

        (record,) = store.log_records(run_id=RUN)
        assert (record.body, record.attributes["a"]) == ("hello", 1)
        assert len(store.log_records()) == 2

    def test_log_records_are_kept_once_and_come_by_time(self, store: Store) -> None:
        """A record that is delivered twice is stored once."""
        event = LogRecord(
            time_ns=20, observed_time_ns=21, event_name="evaluated", severity_number=9, severity_text="INFO",
            body={"config": {"lr": [0.1, math.nan]}, "raw": b"\x01"}, attributes={"k": 1.0}, trace_id=RUN,
            span_id="1" * 16, flags=1, dropped_attributes_count=2, resource=Resource({"a": 1}), scope=Scope("s"),
            run_id=RUN,
        )  # fmt: skip
        line = LogRecord(time_ns=10, observed_time_ns=11, body="hello")

        store.apply(WriteBatch(log_records=[event, line, event]))
        store.apply(WriteBatch(log_records=[event]))

        assert [record.time_ns for record in store.log_records()] == [10, 20]
        assert store.log_records(run_id=OTHER) == []
        assert repr(store.log_records(run_id=RUN, event_name="evaluated")) == repr([event])

    def test_losses_add_up_over_whoever_had_them(self, store: Store) -> None:
        """Two processes of a run count apart; the store gives the sum by kind and name, the largest first."""

        def lost(time_ns: int, run_id: str | None, **said: AttributeValue) -> LogRecord:
            keys = {
                "kind": attr.ML_LOSS_KIND,
                "name": attr.ML_LOSS_NAME,
                "reason": attr.ML_LOSS_REASON,
                "count": attr.ML_LOSS_COUNT,
            }
            attributes = {keys[key]: value for key, value in said.items()}
            return LogRecord(
                time_ns, time_ns, event_name=ML_TELEMETRY_LOSS.name, attributes=attributes, run_id=run_id
            )

        store.apply(
            WriteBatch(
                log_records=[
                    lost(1, RUN, kind="tag", name="a", reason="changed", count=2),
                    lost(2, RUN, kind="metric value", name="b", reason="not_encodable", count=5),
                    lost(3, RUN, kind="tag", name="a", reason="changed", count=40),
                    lost(4, OTHER, reason="queue_full", count=3),
                    lost(5, None, kind="tag", name="of no run", reason="changed", count=1),
                    LogRecord(6, 6, event_name="other", attributes={attr.ML_LOSS_COUNT: 9}, run_id=RUN),
                ]
            )
        )

        of_run = [Loss("tag", "a", 42), Loss("metric value", "b", 5)]
        of_other = [Loss("queue_full", "", 3)]
        assert store.losses([RUN]) == {RUN: of_run}
        assert store.losses([]) == {}
        assert store.losses() == {RUN: of_run, OTHER: of_other}
        assert store.losses([OTHER, "c" * 32]) == {OTHER: of_other}

    def test_instrument_points_are_kept_once_and_come_by_time(self, store: Store) -> None:
        """Gauges, sums and histograms of instruments survive with all they say."""
        gauge = InstrumentPoint(
            "step.duration", "gauge", 20, 10, "s", "how long", 0.5, attributes={"a": "b"},
            exemplars=({"value": 1, "span_id": "1" * 16},), run_id=RUN, resource=Resource({"a": 1}),
        )  # fmt: skip
        histogram = InstrumentPoint(
            "latency", "histogram", 10, value=None, histogram={"count": 3, "bucket_counts": [1, 2], "min": math.inf},
            temporality=2, flags=1,
        )  # fmt: skip
        counter = InstrumentPoint("samples", "sum", 15, value=2**40, is_monotonic=True)
        odd = InstrumentPoint("odd", "gauge", 30, value=math.nan)

        store.apply(WriteBatch(instrument_points=[gauge, histogram, counter, odd, gauge]))
        store.apply(WriteBatch(instrument_points=[gauge]))

        assert repr(store.instrument_points()) == repr([histogram, counter, gauge, odd])
        assert store.instrument_points(run_id=RUN, name="step.duration") == [gauge]
