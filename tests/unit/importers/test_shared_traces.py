"""Traces of several runs, and of programs that name their run in one span only: what comes first decides nothing."""

import itertools
import random

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_experiments.importers.otlp import unpack
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.search import SpanQuery
from otel_experiments.store import open_store

ONE, TWO, TRACE = "1" * 32, "2" * 32, "e" * 32
SECOND_NS = 1_000_000_000


def pairs(attributes):
    """Return attributes as OTLP has them."""
    return [
        KeyValue(
            key=key,
            value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(double_value=value),
        )
        for key, value in attributes.items()
    ]


def span_request(number, parent=None, run_id=None, loss=None):
    """Return a request with one span, which may name a run and have an event that carries a number."""
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=number.to_bytes(8, "big"), name=f"span {number}",
        start_time_unix_nano=number * SECOND_NS, end_time_unix_nano=(number + 1) * SECOND_NS,
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        attributes=pairs({"ml.run.id": run_id} if run_id else {}),
    )  # fmt: skip
    if loss is not None:
        span.events.add(
            name="nv.dl.training.objective",
            time_unix_nano=number * SECOND_NS,
            attributes=pairs(
                {
                    "nv.dl.training.objective.name": "loss",
                    "nv.dl.training.objective.value": loss,
                    "nv.dl.training.step": float(number),
                }
            ),
        )
    return ReceivedRequest("traces", "protobuf", message.SerializeToString(), SECOND_NS)


def log_request(text, span_number):
    """Return a request with a log record of a span."""
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=SECOND_NS, body=AnyValue(string_value=text), trace_id=bytes.fromhex(TRACE),
        span_id=span_number.to_bytes(8, "big"),
    )  # fmt: skip
    return ReceivedRequest("logs", "protobuf", message.SerializeToString(), SECOND_NS)


def stored(requests, path, *, at_once):
    """Return what a store holds after it got requests in this order, in one batch or one by one."""
    with open_store(path) as store:
        for received in [requests] if at_once else [[one] for one in requests]:
            batch = WriteBatch(received=list(received))
            assert unpack(batch) == []
            store.apply(batch)
        spans = {span.name: span.run_id for span in store.spans(SpanQuery())}
        logs = {record.body: record.run_id for record in store.log_records()}
        points = {}
        for run_id, series in store.series([ONE, TWO]).items():
            for one in series:
                found = store.points(run_id, one.key)
                points[run_id, one.key.name] = sorted(
                    zip(found.steps, found.times_ns, found.values, strict=True)
                )
        return spans, logs, points


CALLS = (
    span_request(1),
    span_request(2, parent=1, run_id=ONE),
    span_request(3, parent=2, loss=0.5),
    span_request(4, parent=1, run_id=TWO),
    span_request(5, parent=4, loss=0.25),
    span_request(6, parent=5),
    log_request("of the first", 3),
    log_request("of the second", 6),
    log_request("of neither", 1),
)
EXPECTED = (
    {"span 1": None, "span 2": ONE, "span 3": ONE, "span 4": TWO, "span 5": TWO, "span 6": TWO},
    {"of the first": ONE, "of the second": TWO, "of neither": None},
    {(ONE, "loss"): [(3.0, 3 * SECOND_NS, 0.5)], (TWO, "loss"): [(5.0, 5 * SECOND_NS, 0.25)]},
)


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_a_trace_of_two_runs_is_divided_the_same_whatever_comes_first(tmp_path, kind, at_once):
    """Each span is in the run that it is under, with the points of its events, in every order and when all comes twice."""
    orders = [list(CALLS), list(reversed(CALLS))]
    orders += [random.Random(seed).sample(CALLS * 2, len(CALLS) * 2) for seed in range(12)]
    for number, order in enumerate(orders):
        path = ":memory:" if kind == "memory" else tmp_path / f"{number}.db"

        assert stored(order, path, at_once=at_once) == EXPECTED


ONLY_ONE = (
    span_request(1),
    span_request(2, run_id=ONE),
    span_request(3, parent=1, loss=0.5),
    log_request("text", 9),
)


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_a_trace_with_one_run_is_that_runs(tmp_path, kind):
    """What names no run, and is under no span that does, goes with the only run of its trace, and its numbers are points."""
    for number, order in enumerate(itertools.permutations(ONLY_ONE)):
        path = ":memory:" if kind == "memory" else tmp_path / f"{number}.db"

        spans, logs, points = stored(order, path, at_once=False)

        assert (set(spans.values()), logs) == ({ONE}, {"text": ONE})
        assert points == {(ONE, "loss"): [(3.0, 3 * SECOND_NS, 0.5)]}


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_a_span_that_names_its_run_later_moves_to_it(tmp_path, kind):
    """A second request with the same span may say more: the span was in the only run of its trace till then."""
    path = ":memory:" if kind == "memory" else tmp_path / "moved.db"
    order = (span_request(2, run_id=ONE), span_request(3, loss=0.5), span_request(3, run_id=TWO, loss=0.5))

    spans, _, points = stored(order, path, at_once=False)

    assert spans == {"span 2": ONE, "span 3": TWO}
    assert points[TWO, "loss"] == [(3.0, 3 * SECOND_NS, 0.5)]
