"""Telemetry of a run that a process of this machine records into the same store comes back to it: it is not taken twice."""

import json
import math
from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

import otel_experiments as ox
from otel_experiments.journal.owner import current_owner
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import SpanQuery
from otel_experiments.store import open_store


@pytest.fixture
def local_run(receiver):
    """Return the id of a run of this process, which still records into the receiver's store."""
    ox.configure(store=receiver.store_path, capture_git=False, system_metrics_s=0.0)
    try:
        with ox.start_run("mine") as run, run.stage("load"):
            pass
        assert run.flush()  # a receiver knows the runs that its store has
        yield run.id
    finally:
        ox.shutdown()


def test_items_of_a_run_recorded_here_are_refused(client, local_run, stored):
    """The request is answered with how many items were not taken and why, over both protocols; the run is unchanged."""
    body = client.spans_message(3, run_id=local_run).SerializeToString()

    by_http = client.post("/v1/traces", body)
    by_grpc = client.call("traces", body)

    assert by_http.status == 200
    for answer in (by_http.body, by_grpc):
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial.rejected_spans == 3
        assert partial.error_message == (
            f"The items of run {local_run[:8]} were not taken: a process of this machine records that itself into the "
            "same store. Send to another store, or do not send it back."
        )
    names = {span.name for span in stored().store.spans(SpanQuery(run_id=local_run))}
    assert names == {"run default", "stage load"}
    assert client.receiver.counts.refused_item_counts == {"traces": 6}


def test_items_of_other_runs_in_the_same_request_are_taken(client, local_run, stored):
    """Of a request with spans of two runs, those of the other run are stored, and the ids that are no ids counted too."""
    message = ExportTraceServiceRequest()
    message.MergeFrom(client.spans_message(3, run_id=local_run))
    message.MergeFrom(client.spans_message(4, first=10, run_id="cd" * 16))
    message.resource_spans[1].scope_spans[0].spans[0].span_id = bytes(8)

    answer = client.post("/v1/traces", message.SerializeToString())

    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert partial.rejected_spans == 4
    assert partial.error_message.count("\n") == 1
    reader = stored()
    assert len(reader.store.spans(SpanQuery(run_id="cd" * 16))) == 3
    assert {span.name for span in reader.store.spans(SpanQuery(run_id=local_run))} == {
        "run default",
        "stage load",
    }


def test_items_of_a_run_recorded_here_are_refused_in_json(client, local_run):
    """The answer to JSON says the same, in JSON."""
    content = client.json_of("logs", 2)
    content["resourceLogs"][0]["resource"]["attributes"][0]["value"]["stringValue"] = local_run

    answer = client.post("/v1/logs", json.dumps(content).encode(), encoding="json")

    assert json.loads(answer.body)["partialSuccess"]["rejectedLogRecords"] == "2"


def test_a_gauge_with_a_step_that_the_sdk_sends_at_each_collection_is_a_curve(client, stored):
    """OpenTelemetry's SDKs send every value of a gauge again at each collection; each step is one point all the same."""
    resource = Resource.create(
        {"ml.run.id": "ef" * 16, "ml.run.name": "collected", "ml.experiment.name": "e"}
    )
    exporter = OTLPMetricExporter(client.receiver.grpc_endpoint, insecure=True, timeout=60)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    loss = provider.get_meter("program").create_gauge("loss")
    for step in range(30):
        loss.set(step / 7, {"step": step})
        if step % 10 == 9:
            assert provider.force_flush(60_000)
    provider.shutdown()

    series = stored().run("collected").metrics["loss"]

    assert list(series.steps) == list(range(30))
    assert list(series.values) == [step / 7 for step in range(30)]


def test_a_request_that_comes_twice_is_stored_once(client, stored):
    """Spans, log records and data points that come again change nothing."""
    for _ in range(3):
        for signal in ("traces", "logs", "metrics"):
            client.post(f"/v1/{signal}", client.body_of(signal, "protobuf", 5))
            client.call(signal, client.body_of(signal, "protobuf", 5))

    store = stored().store

    assert len(store.spans(SpanQuery())) == 5
    assert len(store.log_records()) == 5
    assert len(store.instrument_points()) == 5


def test_telemetry_of_an_imported_run_is_taken(client, stored):
    """A run that a process of this machine recorded elsewhere, and that was imported, goes on by OTLP."""
    elsewhere = replace(current_owner(), pid=2**22 + 1)
    run = Run("ab" * 16, "e", "imported", RunState.SUCCEEDED, 1, started_ns=1, ended_ns=2, owner=elsewhere)
    with open_store(client.receiver.store_path) as store:
        store.apply(WriteBatch(runs=[run]))

    answer = client.post("/v1/traces", client.spans_message(3).SerializeToString())

    assert not ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans
    assert len(stored().store.spans(SpanQuery(run_id="ab" * 16))) == 3


@pytest.mark.parametrize("names_a_run", [False, True])
def test_spans_with_the_ids_of_a_run_recorded_here_change_nothing(client, local_run, stored, names_a_run):
    """Whatever has the ids of its spans, of no run or of another, a run that was recorded here stays as it was."""
    ox.shutdown()
    with open_store(client.receiver.store_path) as store:
        before = store.spans(SpanQuery(run_id=local_run))
    message = client.spans_message(len(before))
    if not names_a_run:
        message.resource_spans[0].ClearField("resource")
    for span, known in zip(message.resource_spans[0].scope_spans[0].spans, before, strict=True):
        span.trace_id, span.span_id = bytes.fromhex(known.trace_id), bytes.fromhex(known.span_id)

    answer = client.post("/v1/traces", message.SerializeToString())

    assert answer.status == 200
    assert len(before) == 2
    assert stored().store.spans(SpanQuery()) == before
