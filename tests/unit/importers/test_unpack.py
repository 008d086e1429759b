"""Requests that a receiver has journalled become runs for whoever reads the store first, and a bad one costs only itself."""

import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_experiments._opening import open_reader
from otel_experiments.collect.gather import merge_journals
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.errors import IncompleteReadWarning, JournalError
from otel_experiments.importers.otlp import unpack
from otel_experiments.importers.otlp.emitters import Emitters
from otel_experiments.journal.encode import request_pieces
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.search import SpanQuery

RUN = "ab" * 16
NOW_NS = 1_796_000_000_000_000_000


def a_body(*span_ids, run_id=RUN, trace_id=RUN, start_ns=NOW_NS, **resource):
    """The body of a request with spans of one resource."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    names = {"ml.run.id": run_id} if run_id else {}
    for key, value in {**names, **resource}.items():
        group.resource.attributes.add(key=key).value.string_value = value
    spans = group.scope_spans.add().spans
    for span_id in span_ids:
        spans.add(
            trace_id=bytes.fromhex(trace_id), span_id=bytes.fromhex(span_id * 8), name="step",
            start_time_unix_nano=start_ns, end_time_unix_nano=start_ns + 1,
        )  # fmt: skip
    return message.SerializeToString()


def a_request(payload, **given):
    """A request as a receiver keeps it."""
    return ReceivedRequest("traces", "protobuf", payload, **{"received_ns": NOW_NS, **given})


def journalled(store_path, *requests):
    """Write requests into the journals beside a store, as a receiver does that is killed then."""
    writer = JournalWriter(journal_directory(store_path))
    for request in requests:
        writer.append_pieces(request_pieces(request))
    writer.close()


def test_a_reader_stores_what_a_killed_receiver_left(store_path):
    """Requests that were acknowledged and not stored are runs as soon as anybody reads the store."""
    names = {"ml.run.name": "brave-otter", "ml.experiment.name": "digits"}
    journalled(store_path, a_request(a_body("01", "02", **names)), a_request(a_body("02", "03", **names)))

    with open_reader(store_path) as reader:
        run = reader.run("brave-otter")

        assert (run.experiment, len(list(run.spans)), run.record.heartbeat_ns) == ("digits", 3, NOW_NS)
        assert run.record.owner is None


def test_a_run_whose_sender_vanished_is_lost_until_something_comes_again(store_path):
    """Nothing was received for ten minutes: the run is lost. A request heals it, and its root span ends it."""
    now_ns = time.time_ns()
    journalled(store_path, a_request(a_body("01"), received_ns=now_ns - 600 * 10**9))
    with open_reader(store_path) as reader:
        assert str(reader.run(RUN).state) == "lost"

    journalled(store_path, a_request(a_body("02"), received_ns=now_ns))
    with open_reader(store_path) as reader:
        assert str(reader.run(RUN).state) == "running"

    root = ExportTraceServiceRequest.FromString(a_body("03"))
    span = root.resource_spans[0].scope_spans[0].spans[0]
    span.name, span.kind, attributes = "run digits", span.SPAN_KIND_INTERNAL, span.attributes
    attributes.add(key="ml.operation.name").value.string_value = "run"
    attributes.add(key="ml.run.result").value.string_value = "timeout"
    journalled(store_path, a_request(root.SerializeToString(), received_ns=now_ns))
    with open_reader(store_path) as reader:
        run = reader.run(RUN)
        assert (str(run.state), run.ended_ns, run.record.root_span_id) == ("failed", NOW_NS + 1, "03" * 8)


def test_a_request_that_cannot_be_read_costs_itself_only(store_path):
    """Damaged bytes in one request are reported, and the requests around it are stored."""
    journalled(store_path, a_request(a_body("01")), a_request(b"\xff\xff"), a_request(a_body("02")))

    with pytest.warns(IncompleteReadWarning, match=r"request over OTLP \(traces, protobuf, 2 bytes\)"):
        reader = open_reader(store_path)
    with reader:
        assert len(reader.store.spans(SpanQuery(run_id=RUN))) == 2


def test_a_merge_without_a_way_to_read_requests_says_so_and_keeps_them(store_path):
    """Code that merges journals itself learns what it has to pass, and nothing is lost meanwhile."""
    journalled(store_path, a_request(a_body("01")))

    with pytest.raises(JournalError, match=r"1 requests that came over OTLP.*\n.*unpack="):
        merge_journals(store_path)
    assert merge_journals(store_path, unpack=unpack) == []


def test_items_that_the_sender_was_refused_are_left_out():
    """What a receiver answered with a refusal, since this machine records the run itself, is not stored."""
    batch = WriteBatch(received=[a_request(a_body("01"), refused_run_ids=frozenset({RUN}))])

    assert unpack(batch) == []
    assert not batch


def test_telemetry_of_no_run_is_kept():
    """Spans of a program that knows nothing of runs are there, and make no run."""
    batch = WriteBatch(received=[a_request(a_body("01", run_id="", **{"service.name": "shop"}))])

    assert unpack(batch) == []
    assert [span.run_id for span in batch.spans] == [None]
    assert (batch.sightings, batch.heartbeats) == ([], [])


@pytest.mark.parametrize("start_ns", [1_000_000_000, 4_291_747_200_000_000_000], ids=["1970", "2106"])
def test_a_senders_clock_may_be_wrong(start_ns):
    """A run whose machine believes to be in 1970 or 2106 is alive by the receiver's clock."""
    batch = WriteBatch(received=[a_request(a_body("01", start_ns=start_ns))])
    unpack(batch)

    assert [sighting.run.started_ns for sighting in batch.sightings] == [start_ns]
    assert [beat.time_ns for beat in batch.heartbeats] == [NOW_NS]


def test_the_last_request_of_a_batch_is_the_sign_of_life():
    """A merge of many requests knows the run to be alive when the last one came, in whatever order they lie."""
    times_ns = [NOW_NS, NOW_NS + 5, NOW_NS + 3]
    batch = WriteBatch(received=[a_request(a_body("01"), received_ns=one) for one in times_ns])
    unpack(batch)

    assert [beat.time_ns for beat in batch.heartbeats] == [NOW_NS + 5]


def test_an_item_without_a_time_does_not_make_its_run_old():
    """A span whose sender left the time out says nothing of when the run began."""
    message = ExportTraceServiceRequest.FromString(a_body("01", "02", "03"))
    message.resource_spans[0].scope_spans[0].spans[1].start_time_unix_nano = 0
    batch = WriteBatch(received=[a_request(message.SerializeToString())])
    unpack(batch)

    assert [sighting.run.started_ns for sighting in batch.sightings] == [NOW_NS]


@pytest.mark.parametrize(
    ("given", "run_id", "name"),
    [(RUN, RUN, ""), (RUN.upper(), RUN, ""), ("nightly 7", None, "nightly 7")],
    ids=["our own form", "upper case", "any text"],
)
def test_a_run_may_have_any_id(given, run_id, name):
    """A program in another language names its run as it likes: what is no run id is the name of one."""
    batch = WriteBatch(received=[a_request(a_body("01", run_id=given))])
    unpack(batch)

    (sighting,) = batch.sightings
    assert len(sighting.run.run_id) == 32
    assert run_id in {None, sighting.run.run_id}
    assert sighting.run.name == name
    assert [span.run_id for span in batch.spans] == [sighting.run.run_id]


@pytest.mark.parametrize("kind", ["array_value", "kvlist_value"])
def test_a_result_that_is_no_text_costs_no_other_span(kind):
    """A root span whose result is a list or a mapping is stored as every span of its request, and its run has failed."""
    message = ExportTraceServiceRequest.FromString(a_body("01", "02"))
    attributes = message.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.add(key="ml.operation.name").value.string_value = "run"
    getattr(attributes.add(key="ml.run.result").value, kind).SetInParent()
    batch = WriteBatch(received=[a_request(message.SerializeToString())])

    assert unpack(batch) == []
    assert len(batch.spans) == 2
    assert [str(change.state) for change in batch.state_changes] == ["failed"]


def test_an_item_that_cannot_be_read_costs_no_other(monkeypatch):
    """Where our reading of what one span says of its run fails, all spans are stored, and it is reported."""

    def fail(span):
        raise LookupError(f"of {span.span_id}")

    monkeypatch.setattr(Emitters, "points_of_span", lambda _, span: fail(span))
    batch = WriteBatch(received=[a_request(a_body("01", "02"))])

    problems = unpack(batch)

    assert len(batch.spans) == 2
    assert len(batch.sightings) == 1
    (problem,) = problems
    assert problem.endswith(
        "what 2 items say of a run cannot be read, the items themselves are stored "
        f"(the first is the span 'step': LookupError: of {'01' * 8})"
    )
