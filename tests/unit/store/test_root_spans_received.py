"""How a run ends of which root spans are received: by their results, the worst of several, in any order."""

import itertools

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from otel_experiments.importers.otlp import unpack
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store

RUN = "0123456789abcdef0123456789abcdef"
SECOND_NS = 1_000_000_000
NOW_NS = 1_790_000_000 * SECOND_NS
UNSET, OK, ERROR = 0, 1, 2
OF_RUN_ID = {"ml.run.id": RUN}
OF_RUN = {"ml.operation.name": "run"}


def key_values(attributes):
    """Attributes as OTLP has them."""
    kinds = {bool: "bool_value", int: "int_value", str: "string_value"}
    return [KeyValue(key=key, value=AnyValue(**{kinds[type(one)]: one})) for key, one in attributes.items()]


def a_span(attributes, *, number=1, at_s=0, parent=0, status=UNSET):
    """A span of a second."""
    return Span(
        trace_id=b"T" * 16,
        span_id=bytes([number]) * 8,
        parent_span_id=bytes([parent]) * 8 if parent else b"",
        name="train",
        start_time_unix_nano=NOW_NS + at_s * SECOND_NS,
        end_time_unix_nano=NOW_NS + (at_s + 1) * SECOND_NS,
        status={"code": status},
        attributes=key_values(attributes),
    )


def a_root(result=None, **fields):
    """A root span with this result."""
    return a_span(OF_RUN if result is None else OF_RUN | {"ml.run.result": result}, **fields)


def run_of(*requests, location="sqlite://:memory:", resource=OF_RUN_ID):
    """The run that a store has after these requests, which are lists of spans of a resource."""
    with open_store(location) as store:
        for spans in requests:
            data = TracesData()
            group = data.resource_spans.add()
            group.resource.attributes.extend(key_values(resource))
            group.scope_spans.add().spans.extend(spans)
            batch = WriteBatch(
                received=[ReceivedRequest("traces", "protobuf", data.SerializeToString(), NOW_NS)]
            )
            assert unpack(batch) == []
            store.apply(batch)
        (run,) = store.find_runs(RunQuery())
        return run


@pytest.mark.parametrize(
    ("result", "status", "state"),
    [
        (None, UNSET, "succeeded"),
        (None, ERROR, "failed"),
        ("", UNSET, "succeeded"),
        ("success", ERROR, "succeeded"),
        ("failure", UNSET, "failed"),
        ("error", UNSET, "failed"),
        ("timeout", UNSET, "failed"),
        ("cancellation", UNSET, "cancelled"),
        ("skip", UNSET, "cancelled"),
        ("purple", UNSET, "failed"),
        (True, UNSET, "failed"),
        ("purple", OK, "succeeded"),
    ],
)
def test_a_run_ends_as_its_root_span_says(result, status, state):
    """Every result of the vocabulary has its state; an unknown one is no success, unless the span's status says so."""
    run = run_of([a_root(result, status=status)])

    assert str(run.state) == state
    assert ("no known result" in run.reason) is (result in {"purple", True} and status == UNSET)


def test_a_root_span_below_a_launchers_span_ends_its_run():
    """A launcher that hands on its context is the parent of the run's root span, and the run ends all the same."""
    run = run_of([a_root("success", parent=99), a_span({}, number=2, parent=1)])

    assert (str(run.state), run.root_span_id) == ("succeeded", "01" * 8)


def test_an_operation_inside_of_the_run_does_not_end_it():
    """A span of operation run whose parent is a span of the run is a part of it."""
    run = run_of([a_span({}, number=1), a_root("success", number=2, parent=1)])

    assert (str(run.state), run.root_span_id) == ("running", None)


@pytest.mark.parametrize("location", ["sqlite://:memory:", "memory://"])
def test_of_several_root_spans_a_failure_wins(location):
    """A job of several processes that each send a root span has failed when one has, whichever comes first."""
    roots = [
        a_root("success", number=1, at_s=5),
        a_root("failure", number=2, at_s=3),
        a_root("cancellation", number=3, at_s=4),
        a_root("purple", number=4, at_s=2),
    ]
    for order in itertools.permutations(roots):
        run = run_of(*([root] for root in (*order, order[0])), location=location)

        assert (str(run.state), run.reason) == (
            "failed", 'ml.run.result is "purple", which is no known result',
        )  # fmt: skip
        assert run.ended_ns == NOW_NS + 6 * SECOND_NS


def test_a_root_span_ends_a_run_that_has_a_name_and_no_id():
    """The run of a resource that names it ends with its root span as any other."""
    run = run_of(
        [a_root("failure")], resource={"service.name": "trainer", "ml.run.id": "", "ml.run.name": "A"}
    )

    assert (run.name, run.experiment, str(run.state)) == ("A", "trainer", "failed")


@pytest.mark.parametrize("name", ["", 7])
def test_a_number_is_the_name_of_a_run(name):
    """A run whose id is a number has that as its name, where it has no name; a name that is a number is one."""
    assert run_of([a_root()], resource={"ml.run.id": 12345, "ml.run.name": name}).name == (
        str(name) or "12345"
    )
