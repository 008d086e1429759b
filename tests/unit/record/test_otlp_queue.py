"""What waits for OTLP: bounded, in order, in requests that gRPC takes."""

from importlib import metadata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource as SdkResource

from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Event, Link, Span
from otel_experiments.record.base.known_runs import MAX_KNOWN, KnownRun, KnownRuns
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.points import encode_points
from otel_experiments.record.otlp.queue import (
    MAX_REQUEST_BYTES,
    Queue,
    block_bytes,
    block_points,
    log_record_bytes,
    one,
    span_bytes,
    split_block,
)
from otel_experiments.semconv import SCHEMA_URL

RUN = "a" * 32
texts = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    st.one_of(
        texts, st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=40), st.none(), st.booleans()
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
attributes = st.dictionaries(texts, values, max_size=6)


def make_queue(**changes):
    """Return a queue of numbers, each one item of that many bytes."""
    options = {"weight": one, "size": lambda n: n, "max_held": 10, "max_request": 4}
    return Queue("numbers", lambda _: Outcome(is_taken=True), **(options | changes))


def test_requests_are_cut_by_count_and_by_bytes():
    """Four items, or as many as fit; one that is too large by itself goes alone."""
    queue = make_queue()
    large = MAX_REQUEST_BYTES
    queue.put([1, 2, 3, 4, 5, large, 6, large // 2, large // 2, large // 2])

    taken = [queue.take() for _ in range(7)]

    assert taken == [[1, 2, 3, 4], [5], [large], [6, large // 2], [large // 2, large // 2], [], []]
    assert queue.held_count == 0


def test_beyond_its_bound_the_oldest_go():
    """Ten may wait: of twelve the first two go, and whoever keeps count gets them."""
    queue, gone = make_queue(), []
    queue.overflow = gone.extend
    queue.put(range(8))
    assert gone == []
    queue.put(range(8, 12))

    assert gone == [0, 1]
    assert (queue.take(), queue.held_count) == ([2, 3, 4, 5], 6)


def test_beyond_its_bytes_the_oldest_go():
    """Few large items take as much memory as many small ones: the newest stay, one of them however large it is."""
    queue, gone = make_queue(max_held_bytes=100), []
    queue.overflow = gone.extend
    queue.put([40, 30, 20])
    assert (queue.take(), gone) == ([40, 30, 20], [])
    queue.put_back([40, 30, 20])
    queue.land()
    queue.put([30])
    assert gone == [40]
    queue.put([1000])
    assert (gone, queue.held_count) == ([40, 30, 20, 30], 1)
    queue.put([50, 51])

    assert gone == [40, 30, 20, 30, 1000, 50]
    assert queue.take() == [51]


def test_a_page_from_the_store_lets_nothing_go():
    """What was read back is not dropped for being too much: it is the queue's only content."""
    queue, gone = make_queue(), []
    queue.overflow = gone.extend
    queue.put(range(12), is_bounded=False)

    assert (gone, queue.held_count) == ([], 12)


def test_a_queue_of_a_signal_that_nobody_takes_holds_nothing():
    """Closing it lets go of what waits, and of what another thread puts a moment later."""
    queue = make_queue()
    queue.put(range(3))
    queue.close()
    queue.put(range(3))

    assert (queue.take(), queue.held_count) == ([], 0)


def test_what_is_brought_forward_is_sent_first():
    """Roots of traces leave before all other spans; the order stays otherwise."""
    queue = make_queue()
    queue.put([1, 2, 3, 4])
    queue.bring_forward(lambda n: n > 2)

    assert queue.take() == [3, 4, 1, 2]


def test_what_waits_includes_a_request_without_an_answer():
    """What was taken and not answered yet is not sent."""
    queue = make_queue()
    queue.put([1, 2, 3, 4, 5])
    queue.take()

    assert queue.waiting() == [1, 2, 3, 4, 5]
    queue.land()
    assert queue.waiting() == [5]


@given(st.lists(st.one_of(st.integers(1, 5), st.sampled_from(["take", "back"])), max_size=40))
def test_what_is_put_comes_out_once_and_in_order(actions):
    """Whatever is put back and taken again: nothing doubles, nothing is reordered, losses are the oldest."""
    queue, next_item, taken, out, gone = make_queue(), 0, [], [], []
    queue.overflow = gone.extend
    for action in actions:
        if action == "take":
            out += taken
            taken = queue.take()
        elif action == "back":
            queue.put_back(taken)
            taken = []
        else:
            queue.put(range(next_item, next_item + action))
            next_item += action
    out += taken
    while rest := queue.take():
        out += rest

    assert out == sorted(set(out))
    assert sorted(out + gone) == list(range(next_item))


@given(
    st.builds(
        Span,
        trace_id=st.just("1" * 32),
        span_id=st.just("2" * 16),
        name=texts,
        start_ns=st.integers(0, 2**63),
        end_ns=st.integers(0, 2**63),
        parent_span_id=st.just("3" * 16),
        status_message=texts,
        attributes=attributes,
        events=st.lists(st.builds(Event, texts, st.integers(0, 2**63), attributes), max_size=3).map(tuple),
        links=st.lists(st.builds(Link, st.just("4" * 32), st.just("5" * 16), attributes), max_size=3).map(
            tuple
        ),
    )
)
@settings(max_examples=100)
def test_a_spans_size_is_never_estimated_too_small(span):
    """What the estimate says is at least what the encoded span takes."""
    (resource,) = ExportTraceServiceRequest.FromString(spans_to_request([span])).resource_spans
    (scope,) = resource.scope_spans

    assert span_bytes(span) >= scope.spans[0].ByteSize() + 8


@given(
    st.builds(
        LogRecord,
        time_ns=st.integers(0, 2**63),
        observed_time_ns=st.integers(1, 2**63),
        event_name=texts,
        severity_text=texts,
        body=values,
        attributes=attributes,
    )
)
@settings(max_examples=100)
def test_a_log_records_size_is_never_estimated_too_small(record):
    """As for spans."""
    (resource,) = ExportLogsServiceRequest.FromString(log_records_to_request([record])).resource_logs
    (scope,) = resource.scope_logs

    assert log_record_bytes(record) >= scope.log_records[0].ByteSize() + 8


def block(rows, names, phase=""):
    """Return a block of points."""
    steps = [float(i) for i in range(rows)]
    keys = tuple(SeriesKey(name, phase) for name in names)
    return PointBlock(RUN, keys, steps, [2**60 + i for i in range(rows)], tuple(steps for _ in keys))


def points_sent(blocks, known):
    """Return what a receiver reads of a request with the points, by resource."""
    return ExportMetricsServiceRequest.FromString(encode_points(blocks, known)).resource_metrics


@pytest.mark.parametrize(
    "points",
    [
        block(1, ["a"]),
        block(3000, ["a"]),
        block(3, ["n" * 1000, "ü" * 500], "train"),
        block(2500, ["a", "b", "c"]),
    ],
    ids=["one", "long", "long names", "wide"],
)
def test_points_are_split_without_loss_and_never_estimated_too_small(points):
    """The pieces together are the block; each takes at most the bytes that it is said to take."""
    known = KnownRuns()
    known.add(RUN, KnownRun(SdkResource({}), 1, 2))

    pieces = list(split_block(points))

    assert sum(map(block_points, pieces)) == block_points(points)
    assert [step for piece in pieces for step in piece.steps] == points.steps
    assert max(map(block_points, pieces)) <= 1000
    for piece in pieces:
        (resource,) = points_sent([piece], known)
        (metric,) = resource.scope_metrics[0].metrics
        assert block_bytes(piece) >= sum(point.ByteSize() + 8 for point in metric.gauge.data_points)


def test_points_of_a_run_that_nobody_knows_are_left_out():
    """What another process has recorded is not ours to send."""
    assert encode_points([block(3, ["a"])], KnownRuns()) == b""


def test_points_leave_under_the_scope_with_the_version_of_this_package():
    """A backend that tells versions of an instrumentation apart does so for metric points as for everything else."""
    known = KnownRuns()
    known.add(RUN, KnownRun(SdkResource({}), 1, 2))

    (resource,) = points_sent([block(3, ["a"])], known)

    (part,) = resource.scope_metrics
    assert (part.scope.name, part.schema_url) == ("otel_experiments", SCHEMA_URL)
    assert part.scope.version == metadata.version("otel-experiments")


def test_a_series_leaves_in_one_piece():
    """Points of a series that was cut for the queue meet again in a request, in the order of recording."""
    known = KnownRuns()
    known.add(RUN, KnownRun(SdkResource({}), 1, 2))

    (resource,) = points_sent(list(split_block(block(1500, ["a", "b"]))), known)

    points = resource.scope_metrics[0].metrics[0].gauge.data_points
    assert [point.attributes[0].value.string_value for point in points] == ["a"] * 1500 + ["b"] * 1500
    steps = [point.exemplars[0].filtered_attributes[0].value.double_value for point in points]
    assert steps == [*map(float, range(1500))] * 2
    assert {point.exemplars[0].trace_id for point in points} == {bytes(15) + b"\1"}


def test_only_so_many_runs_are_remembered():
    """A process that makes runs for weeks forgets the oldest."""
    known = KnownRuns()
    run = KnownRun(SdkResource({}), 1, 2)
    for number in range(MAX_KNOWN + 5):
        known.add(str(number), run)

    assert (known.get("4"), known.get("5"), known.get(None)) == (None, run, None)
