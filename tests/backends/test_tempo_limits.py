"""What the Collector would send to Tempo keeps below Tempo's documented limits."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from real_programs import until

import otel_experiments as ox

LONG_BYTES = 5_000
TRAINING = f"""
import otel_experiments as ox
with ox.start_run("long", experiment="demo", tags={{"note": "é" * {LONG_BYTES}}}) as run:
    with run.stage("fit") as stage:
        stage.set_attribute("app.text", "é" * {LONG_BYTES})
        for step in run.steps(range(25_000), spans=True):
            pass
"""
MOST_TRACE_BYTES, MOST_TRACE_SPANS = 3_000_000, 10_000
MOST_LIVE_TRACES, MOST_PROCESSES = 10_000, 1_000
"""What Tempo holds of one tenant at a time, and a fleet that trains at once: as many traces a process are open at most."""
SPANS_BESIDE_STEPS = 10
"""The run's trace has its first 10,000 steps, and the run and its stages."""
MOST_VALUE_BYTES = 2_048
MOST_REQUEST_BYTES = 4 << 20


class Sink:
    """A gRPC server that keeps each trace request as it came."""

    def __init__(self):
        self.bodies = []
        self._pool = futures.ThreadPoolExecutor(max_workers=2)
        self._server = grpc.server(self._pool, options=[("grpc.max_receive_message_length", 64 << 20)])
        handler = grpc.unary_unary_rpc_method_handler(self._take)
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"Export": handler})]
        )
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _take(self, body, context):
        self.bodies.append(body)
        return ExportTraceServiceResponse().SerializeToString()

    def close(self):
        """Stop at once."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True)


def most_live_traces(bodies):
    """Return how many traces were under way at once: their first span had come, and not yet their last."""
    comes = defaultdict(list)
    for number, body in enumerate(bodies):
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in part.scope_spans:
                for span in scope.spans:
                    comes[span.trace_id].append(number)
    return max(
        sum(numbers[0] <= moment <= numbers[-1] for numbers in comes.values())
        for moment in range(len(bodies))
    )


@pytest.fixture
def sink():
    """Return a running sink."""
    sink = Sink()
    yield sink
    sink.close()


def texts(value):
    """Yield the strings in an attribute's value."""
    if value.HasField("string_value"):
        yield value.string_value
    for inner in value.array_value.values:
        yield from texts(inner)


@pytest.mark.slow
def test_a_long_run_keeps_below_the_limits_of_tempo(make_collector, sink, tmp_path):
    """Traces are small and whole, values short and flat, ids right, links lead to traces that are there."""
    collector = make_collector("tempo.yaml", TEMPO_ENDPOINT=sink.endpoint)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.endpoint,
        "OTEL_EXPERIMENTS_STORE": str(tmp_path / "experiments.db"),
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
    }
    subprocess.run([sys.executable, "-c", TRAINING], cwd=tmp_path, env=environment, check=True, timeout=100)

    def spans():
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(sink.bodies)]
        return [
            (span, part.resource)
            for request in requests
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    run = ox.run("long", store=tmp_path / "experiments.db")
    stored = len(run.spans)
    until(lambda: len(spans()) >= stored, what=lambda: (len(spans()), stored))
    found = spans()
    size, number, roots = Counter(), Counter(), defaultdict(list)
    for span, resource in found:
        size[span.trace_id] += span.ByteSize()
        number[span.trace_id] += 1
        if not span.parent_span_id:
            roots[span.trace_id].append(span)
        assert (len(span.trace_id), len(span.span_id), any(span.trace_id), any(span.span_id)) == (
            16,
            8,
            True,
            True,
        )
        for pair in [
            *span.attributes,
            *resource.attributes,
            *(one for event in span.events for one in event.attributes),
        ]:
            longest = max(len(text.encode()) for text in [pair.key, *texts(pair.value)])
            assert (pair.key, longest) <= (pair.key, MOST_VALUE_BYTES)
            assert not pair.value.HasField("kvlist_value"), pair.key
    assert max(map(len, sink.bodies)) < MOST_REQUEST_BYTES
    assert max(size.values()) <= MOST_TRACE_BYTES
    run_id = bytes.fromhex(run.id)
    assert max(count for trace_id, count in number.items() if trace_id != run_id) <= MOST_TRACE_SPANS
    assert number[run_id] <= MOST_TRACE_SPANS + SPANS_BESIDE_STEPS
    assert len(number) >= 3
    assert {trace_id: len(ends) for trace_id, ends in roots.items()} == dict.fromkeys(number, 1)
    assert most_live_traces(sink.bodies) * MOST_PROCESSES < MOST_LIVE_TRACES
    for (root,) in roots.values():
        assert root.links
        assert {link.trace_id for link in root.links} <= number.keys()
        assert (
            max(span.end_time_unix_nano for span, _ in found if span.trace_id == root.trace_id)
            == root.end_time_unix_nano
        )
