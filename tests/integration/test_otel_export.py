"""What leaves over OTLP, as a real gRPC server on this machine sees it."""

import math
import multiprocessing
import struct
import time

import grpc
import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_experiments as ox
from otel_experiments.semconv import SCHEMA_URL

GRPC_LIMIT_BYTES = 4 << 20


def test_every_point_leaves_with_its_own_time_step_and_trace(exporting, read):
    """The gauge carries all points: time, step and root span are those of the point, NaN and inf included."""
    values = [1.0, math.nan, math.inf, -math.inf, 0.25, 0.25]
    steps = [0.0, 1.0, 1.0, 0.5, 7.0, 8.0]

    with ox.start_run("r", experiment="e") as run:
        for step, value in zip(steps, values, strict=True):
            run.log({"loss": value}, step=step, phase="train")
    stored = read("r").metrics["loss", "train"].points()

    (metric, resource), *others = [pair for pair in exporting.metrics if pair[0].name == "ml.metric.value"]
    points = metric.gauge.data_points
    root = struct.pack(">Q", run.otel_span.get_span_context().span_id)
    assert others == []
    assert [struct.pack("<d", p.as_double) for p in points] == [struct.pack("<d", v) for v in values]
    assert [p.time_unix_nano for p in points] == list(stored.times_ns)
    for point, step in zip(points, steps, strict=True):
        (exemplar,) = point.exemplars
        (pair,) = exemplar.filtered_attributes
        assert (pair.key, pair.value.double_value) == ("ml.metric.step", step)
        assert (exemplar.trace_id.hex(), exemplar.span_id) == (run.id, root)
        assert exporting.attributes_of(point) == {"ml.metric.name": "loss", "ml.phase": "train"}
    identity = {key: resource[key] for key in ("ml.run.id", "ml.run.name", "ml.experiment.name")}
    assert identity == {"ml.run.id": run.id, "ml.run.name": "r", "ml.experiment.name": "e"}


def test_no_point_of_any_metric_carries_what_would_make_a_series_of_each_run(exporting):
    """Run id, step, seed and path are no attributes of data points, instruments' included."""
    with ox.start_run("r", seed=3) as run:
        run.log({"loss": 1.0}, step=5)
        run.count(samples=32)
        with run.stage("load"), run.checkpoint("best"):
            pass

    keys = {
        key
        for metric, _ in exporting.metrics
        for data in (metric.gauge, metric.sum, metric.histogram)
        for point in data.data_points
        for key in exporting.attributes_of(point)
    }
    names = {metric.name for metric, _ in exporting.metrics}
    assert {"ml.metric.value", "ml.training.samples", "ml.checkpoint.duration"} <= names
    assert {"ml.run.duration", "ml.stage.duration"} <= names
    assert keys <= {"ml.metric.name", "ml.phase", "ml.operation.name", "ml.stage.name", "ml.run.result"}


def test_a_burst_leaves_whole_in_requests_that_grpc_takes(exporting):
    """10,000 points of metrics with long names arrive, once each, no request above gRPC's default limit."""
    name = "layer/" + "weights." * 80 + "norm"
    with ox.start_run() as run:
        for i in range(10_000):
            run.log({name: float(i)}, step=i)

    assert [point.as_double for point in exporting.points] == [float(i) for i in range(10_000)]
    assert max(request.ByteSize() for request in exporting.of("metrics")) < GRPC_LIMIT_BYTES


def test_wide_logging_leaves_whole(exporting):
    """1,000 metrics logged together, five times: all 5,000 points arrive."""
    with ox.start_run() as run:
        for i in range(5):
            run.log({f"m{number}": float(i * 1000 + number) for number in range(1000)})

    assert sorted(point.as_double for point in exporting.points) == [float(i) for i in range(5000)]


def test_points_instruments_and_system_metrics_of_one_collection_all_arrive(
    collector, configure, monkeypatch
):
    """The SDK's encoder keeps one part a resource; what several sources have to say is sent as one part."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure(system_metrics_s=0.05, on_error="raise")
    with ox.start_run() as run:
        counter = run.meter.create_counter("app.batches")
        run.log({"loss": 1.0})
        deadline_s = time.monotonic() + 20
        while "process.memory.usage" not in {m.name for m, _ in collector.metrics}:
            assert time.monotonic() < deadline_s
            counter.add(1)
            run.flush()

    names = {metric.name for metric, _ in collector.metrics}
    assert {"app.batches", "ml.metric.value", "process.memory.usage", "process.cpu.time"} <= names


def test_spans_arrive_with_parent_resource_and_schema(exporting):
    """Run, stage and a span of one's own form one trace under the run's resource."""
    with ox.start_run("r") as run, run.stage("load"), run.tracer.start_as_current_span("mine"):
        pass

    spans = {span.name: span for span, _ in exporting.spans}
    root, stage, mine = spans[f"run {run.experiment}"], spans["stage load"], spans["mine"]
    assert {span.trace_id.hex() for span in spans.values()} == {run.id}
    assert (root.parent_span_id, stage.parent_span_id, mine.parent_span_id) == (
        b"",
        root.span_id,
        stage.span_id,
    )
    assert {resource["ml.run.id"] for _, resource in exporting.spans} == {run.id}
    assert {part.schema_url for request in exporting.of("traces") for part in request.resource_spans} == {
        SCHEMA_URL
    }
    assert len(exporting.spans) == 3


def test_a_span_leaves_as_the_sdk_would_have_sent_it(exporting):
    """Links, events, status, kinds and complex attributes arrive as the SDK's own exporter sends them.

    The flags of the trace arrive too, which the SDK's exporter leaves out.
    """
    other = make_own_exporter(exporting)
    links = [trace.Link(trace.SpanContext(7, 9, is_remote=False), {"why": "because"})]
    attributes = {
        "text": "ü",
        "list": [1, 2],
        "map": {"a": [True, None], "b": b"\x00"},
        "float": 0.1,
        "int": -5,
    }

    with ox.start_run() as run:
        for tracer in (run.tracer, other):
            span = tracer.start_span("same", kind=trace.SpanKind.CLIENT, attributes=attributes, links=links)
            span.add_event("happened", {"x": 1.5}, timestamp=11)
            span.set_status(trace.Status(trace.StatusCode.ERROR, "broken"))
            span.end()

    found = {"ml.run.id" in resource: span for span, resource in exporting.spans if span.name == "same"}
    ours, theirs = found[True], found[False]
    for key in ("ml.span.lane", "ml.span.sequence"):
        ours.attributes.remove(next(pair for pair in ours.attributes if pair.key == key))
    for span in (ours, theirs):
        for field in ("trace_id", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano"):
            span.ClearField(field)
    assert ours.flags & trace.TraceFlags.SAMPLED
    ours.flags &= ~0xFF
    assert ours == theirs


def make_own_exporter(collector):
    """Return the tracer of a plain SDK provider that sends to the same collector."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(collector.endpoint, insecure=True)))
    return provider.get_tracer("plain")


def test_events_arrive_with_the_span_they_happened_in(exporting):
    """An event of one's own carries name, body, resource, and the span that was current."""
    with ox.start_run("r") as run, run.stage("load") as stage:
        run.logger.emit(event_name="app.loaded", body={"rows": [1, 2], "note": None}, attributes={"n": 2})

    (found,) = [
        (record, resource) for record, resource in exporting.log_records if record.event_name == "app.loaded"
    ]
    record, resource = found
    context = stage.span.get_span_context()
    assert (record.trace_id.hex(), record.span_id.hex()) == (run.id, f"{context.span_id:016x}")
    assert resource["ml.run.id"] == run.id
    assert exporting.attributes_of(record) == {"n": 2}
    body = {pair.key: pair.value for pair in record.body.kvlist_value.values}
    assert [value.int_value for value in body["rows"].array_value.values] == [1, 2]


def test_numbers_of_numpy_break_no_request(exporting, read):
    """Scalars of NumPy anywhere arrive as the numbers they are, in the store and over OTLP."""
    half = np.float32(0.5)
    with ox.start_run("r", config={"lr": half}) as run:
        run.log({"loss": np.float32(0.25), "n": np.int64(3), "flag": np.bool_(True)}, step=np.int64(4))
        run.meter.create_gauge("app.gauge").set(half)
        run.meter.create_counter("app.counter").add(np.int64(2))
        run.meter.create_histogram("app.histogram").record(half)
        run.logger.emit(event_name="app.event", body={"values": [half, np.arange(2)]})
        with run.stage("load") as stage:
            stage.set_attribute("app.size", np.int64(7))
        report = run.flush()

    sent = {metric.name: metric for metric, _ in exporting.metrics}
    (event,) = [record for record, _ in exporting.log_records if record.event_name == "app.event"]
    (span,) = [span for span, _ in exporting.spans if span.name == "stage load"]
    assert (report.is_exported, report.lost) == (True, {})
    assert {point.as_double for point in exporting.points} == {0.25, 3.0, 1.0}
    assert sent["app.gauge"].gauge.data_points[0].as_double == 0.5
    assert sent["app.counter"].sum.data_points[0].as_int == 2
    assert sent["app.histogram"].histogram.data_points[0].sum == 0.5
    assert exporting.attributes_of(span)["app.size"] == 7
    assert [
        value.WhichOneof("value") for value in event.body.kvlist_value.values[0].value.array_value.values
    ] == [
        "double_value",
        "array_value",
    ]
    assert read("r").params.flat == {"lr": 0.5}


def test_nan_and_infinity_leave_as_events(exporting):
    """An alert can be built on `ml.anomaly`: it has the run, the metric, its step and the point's time."""
    with ox.start_run("r") as run:
        run.log({"loss": math.nan}, step=3, phase="train")
        run.flush()

    (found,) = [(r, resource) for r, resource in exporting.log_records if r.event_name == "ml.anomaly"]
    (point,) = exporting.points
    assert exporting.attributes_of(found[0]) == {
        "ml.anomaly.kind": "nan",
        "ml.metric.name": "loss",
        "ml.metric.step": 3.0,
        "ml.phase": "train",
    }
    assert found[0].time_unix_nano == point.time_unix_nano
    assert (found[0].trace_id.hex(), found[1]["ml.run.id"]) == (run.id, run.id)


def work_in_child(run):
    """Record in a forked child, which ends without any clean-up of ours."""
    with run.stage("child"):
        run.log({"child": 1.0})


def test_what_a_forked_worker_records_is_sent_by_its_parent(exporting):
    """A child has no exporter; its spans and points arrive all the same, once."""
    fork = multiprocessing.get_context("fork")
    with ox.start_run() as run:
        worker = fork.Process(target=work_in_child, args=(run,))
        worker.start()
        worker.join()

    assert worker.exitcode == 0
    assert [span.name for span, _ in exporting.spans].count("stage child") == 1
    assert [exporting.attributes_of(p)["ml.metric.name"] for p in exporting.points] == ["child"]


def test_what_waited_for_an_endpoint_arrives_when_it_is_there(make_collector, configure, monkeypatch, read):
    """While nobody listens, flush says so and nothing is thrown away; later all of it arrives once."""
    gone = make_collector()
    gone.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.endpoint)
    configure()
    with ox.start_run("r") as run:
        for i in range(100):
            run.log({"loss": float(i)})
        with run.stage("load"):
            pass
        refused = run.flush()
        collector = make_collector(port=gone.port)
        deadline_s = time.monotonic() + 30
        while not (accepted := run.flush()).is_exported:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)

    assert (refused.is_stored, refused.is_exported, refused.lost) == (True, False, {})
    assert (accepted.is_exported, accepted.lost) == (True, {})
    assert [point.as_double for point in collector.points] == [float(i) for i in range(100)]
    assert [span.name for span, _ in collector.spans].count("stage load") == 1


def test_a_request_that_is_too_large_for_the_server_is_halved(make_collector, configure, monkeypatch):
    """A server with a smaller limit than usual gets everything in smaller requests."""
    collector = make_collector(max_request_bytes=20_000)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure()
    with ox.start_run() as run:
        for number in range(300):
            with run.tracer.start_as_current_span(
                "s", attributes={"app.number": number, "app.text": "x" * 400}
            ):
                pass
        report = run.flush(timeout_s=60.0)

    arrived = [span for span, _ in collector.spans if span.name == "s"]
    assert report.is_exported
    assert sorted(collector.attributes_of(span)["app.number"] for span in arrived) == list(range(300))


def test_text_that_is_no_utf8_takes_nothing_with_it(exporting, configure, read):
    """Half of an emoji in a span's name arrives as a question mark; everything beside it arrives too."""
    configure()
    with ox.start_run("r") as run:
        for name in ("a", "lone surrogate \ud800", "b"):
            with run.tracer.start_as_current_span(name):
                pass
        report = run.flush()

    assert {"a", "lone surrogate ?", "b"} <= {span.name for span, _ in exporting.spans}
    assert (report.is_exported, report.lost) == (True, {})
    assert len(read("r").spans) == 4


def test_a_refusal_that_lasts_is_counted_and_not_repeated(exporting, configure):
    """INVALID_ARGUMENT is final by the specification: the items are counted as lost to OTLP, once."""
    configure()

    def refuse(_, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad schema")

    exporting.answers["traces"] = refuse
    with ox.start_run() as run:
        with run.stage("load"):
            pass
        first = run.flush()
        second = run.flush()

    assert (first.is_exported, first.lost) == (False, {"otlp spans": 1})
    assert second == first


def test_items_that_the_server_rejects_of_a_request_are_counted(exporting, configure):
    """partial_success is read: what the server did not keep is a loss, and flush says so."""
    configure()

    def keep_less(request, _):
        response = metrics_service_pb2.ExportMetricsServiceResponse()
        if request.resource_metrics[0].scope_metrics[0].metrics[0].name != "ml.metric.value":
            return response
        response.partial_success.rejected_data_points = 2
        response.partial_success.error_message = "too old"
        return response

    exporting.answers["metrics"] = keep_less
    with ox.start_run() as run:
        for i in range(5):
            run.log({"loss": float(i)})
        report = run.flush()

    assert (report.is_exported, report.lost) == (False, {"otlp metric points": 2})


def test_what_the_application_sends_itself_is_not_sent_twice(exporting, configure, read):
    """Spans of the application's provider go where that provider sends them; ours keeps them in the store only."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(exporting.endpoint, insecure=True)))
    from otel_experiments.record.spans.adoption import AdoptingSpanProcessor

    configure()
    provider.add_span_processor(AdoptingSpanProcessor())
    with ox.start_run("r") as run:
        with provider.get_tracer("library").start_as_current_span("theirs"):
            pass
        run.flush()

    assert [span.name for span, _ in exporting.spans].count("theirs") == 1
    assert "theirs" in [span.name for span in read("r").spans]


@pytest.mark.parametrize("disabled", ["true", "TRUE"])
def test_a_disabled_sdk_sends_nothing_and_keeps_the_store(collector, configure, monkeypatch, read, disabled):
    """OTEL_SDK_DISABLED turns off sending, also when it was asked for."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_SDK_DISABLED", disabled)
    configure(otlp=True)
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
        report = run.flush()

    assert (report.is_exported, collector.requests) == (True, [])
    assert list(read("r").metrics["loss"].points().values) == [1.0]
