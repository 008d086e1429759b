"""What leaving over OTLP costs: encoding points and spans, the training thread, memory while an endpoint is dead.

The endpoint is a process of its own that takes gRPC requests as they come and reads nothing of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

from measure import (
    Figure,
    Options,
    alternate,
    child,
    each_call_us,
    folder,
    main,
    percentile,
    seconds,
)
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Gauge, NumberDataPoint
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import otel_experiments as ox
from otel_experiments.codec.from_sdk import resource_from_sdk, scope_from_sdk, span_from_sdk
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope

RUN_ID, SPAN_ID = "a" * 32, "b" * 16
START_NS = 1_700_000_000_000_000_000

SINK = """
import sys
from concurrent import futures
import grpc

class Any(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")

server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Any()])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None)
"""

TRAINING = """
import sys, time
import otel_experiments as ox

steps, work = int(sys.argv[1]), int(sys.argv[2])
ox.configure(store="x.db")
with ox.start_run("train") as run:
    for step in range(200):  # threads have started, modules are imported
        run.log({"loss": 1.0, "accuracy": 0.5, "rate": 0.1}, step=step)
    run.flush()
    start = time.perf_counter()
    for step in range(steps):
        with run.step(step):
            total = 0
            for number in range(work):
                total += number * number
            run.log({"loss": 1.0, "accuracy": 0.5, "rate": 0.1}, step=step)
    print(time.perf_counter() - start)
"""

MEMORY = """
import os, resource, sys
import otel_experiments as ox

ox.configure(store="x.db")
with ox.start_run("memory") as run:
    for step in range(int(sys.argv[1])):
        run.log({"loss": 1.0}, step=step)
    run.flush(timeout_s=20)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    sys.stdout.flush()
    os._exit(0)
"""


class _Nowhere(SpanExporter):
    def export(self, spans):  # noqa: ARG002 - the SDK's interface
        return SpanExportResult.SUCCESS


def figures(options: Options) -> Iterator[Figure]:
    yield from _points(options)
    yield from _spans(options)
    yield from _steps(options)
    yield from _training(options)
    yield from _memory(options)


def _points(options: Options) -> Iterator[Figure]:
    rounds, count = (5, 10_000) if options.is_quick else (15, 10_000)
    steps, values = array("d", range(count)), array("d", [0.5] * count)
    times_ns = array("q", range(START_NS, START_NS + count))
    rows = list(zip(times_ns, steps, values, strict=True))
    block = PointBlock(RUN_ID, (SeriesKey("train/loss"),), steps, times_ns, (values,))
    origin = PointOrigin(Resource({"ml.run.id": RUN_ID}), RUN_ID, SPAN_ID)

    def with_objects() -> None:
        trace_id, span_id = bytes.fromhex(RUN_ID), bytes.fromhex(SPAN_ID)
        Gauge(
            data_points=[
                NumberDataPoint(
                    attributes=[KeyValue(key="ml.metric.name", value=AnyValue(string_value="train/loss"))],
                    time_unix_nano=time_ns,
                    as_double=value,
                    exemplars=[
                        Exemplar(
                            filtered_attributes=[
                                KeyValue(key="ml.metric.step", value=AnyValue(double_value=step))
                            ],
                            time_unix_nano=time_ns,
                            as_double=value,
                            trace_id=trace_id,
                            span_id=span_id,
                        )
                    ],
                )
                for time_ns, step, value in rows
            ]
        )

    ours, objects = alternate(
        rounds,
        lambda: count / seconds(lambda: points_to_request([(origin, [block])], Scope("bench"))),
        lambda: count / seconds(with_objects),
    )
    ratio = statistics.median(ours) / statistics.median(objects)
    yield Figure(
        "points encoded for OTLP", "/s", ours,
        limits={"protobuf's objects alone (upb)": statistics.median(objects)},
        target=">= 10 x the objects", is_reached=ratio >= 10, note=f"{ratio:.0f} x the objects",
    )  # fmt: skip


def _spans(options: Options) -> Iterator[Figure]:
    rounds, count = (5, 512) if options.is_quick else (15, 512)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bench", "1", "https://example.com/schema")
    attributes = {
        "ml.step.number": 7, "ml.lane": "MainThread", "ml.sequence": 9, "code.function.name": "train.step",
        "ml.cpu_time": 0.25, "code.line.number": 20,
    }  # fmt: skip
    made = [tracer.start_span("ml.step", attributes=attributes) for _ in range(count)]
    for span in made:
        span.end()
    resource, scope = resource_from_sdk(made[0].resource), scope_from_sdk(made[0].instrumentation_scope)
    spans = [span_from_sdk(span, resource=resource, scope=scope) for span in made]
    ours, sdk = alternate(
        rounds,
        lambda: count / seconds(lambda: spans_to_request(spans)),
        lambda: count / seconds(lambda: encode_spans(made).SerializeToString()),
    )
    ratio = statistics.median(ours) / statistics.median(sdk)
    yield Figure(
        "spans encoded for OTLP", "/s", ours,
        limits={"the SDK's exporter's encoder": statistics.median(sdk)},
        target=">= 1 x the SDK's", is_reached=ratio >= 1, note=f"{ratio:.1f} x the SDK's",
    )  # fmt: skip


def _steps(options: Options) -> Iterator[Figure]:
    rounds, burst = (9, 400) if options.is_quick else (25, 400)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Nowhere(), max_queue_size=65_536))
    tracer = provider.get_tracer("bench")
    with folder() as path:
        ox.configure(store=path / "x.db")
        with ox.start_run("steps") as run:

            def step(number: int) -> None:
                with run.step(number):
                    pass

            def sdk_span(number: int) -> None:
                with tracer.start_as_current_span("ml.step", attributes={"ml.step.number": number}):
                    pass

            def ours() -> float:
                run.flush()
                return percentile(each_call_us(step, burst), 0.5)

            def theirs() -> float:
                provider.force_flush()
                return percentile(each_call_us(sdk_span, burst), 0.5)

            found, sdk = alternate(rounds, ours, theirs)
        ox.shutdown()
    provider.shutdown()
    ratio = statistics.median(found) / statistics.median(sdk)
    yield Figure(
        "run.step opened and closed, p50", "us", found,
        limits={"SDK start_as_current_span with one attribute": statistics.median(sdk)},
        target="<= 1.2 x SDK", is_reached=ratio <= 1.2, note=f"{ratio:.2f} x the SDK's",
    )  # fmt: skip


def _training(options: Options) -> Iterator[Figure]:
    rounds, steps, work = (7, 400, 20_000) if options.is_quick else (7, 1_500, 20_000)

    def train(environment: dict[str, str]) -> float:
        with folder() as path:
            return float(child(TRAINING, str(steps), str(work), cwd=path, environment=environment))

    with _sink() as endpoint:
        sending, alone = alternate(
            rounds,
            lambda: train({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}),
            lambda: train({"OTEL_EXPERIMENTS_OTLP": "false"}),
        )
    ratios = [one / other for one, other in zip(sending, alone, strict=True)]
    ratio = statistics.median(ratios)
    yield Figure(
        "training with OTLP, against without it", "x", ratios,
        limits={"seconds without": statistics.median(alone)},
        target="<= 1.1 x", is_reached=ratio <= 1.1, note=f"{steps} steps of a span, three values and a millisecond of work",
    )  # fmt: skip


def _memory(options: Options) -> Iterator[Figure]:
    rounds, count = (1, 200_000) if options.is_quick else (3, 1_000_000)

    def peak_mib(environment: dict[str, str]) -> float:
        with folder() as path:
            return float(child(MEMORY, str(count), cwd=path, environment=environment))

    dead, alone = alternate(
        rounds,
        lambda: peak_mib({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}),
        lambda: peak_mib({"OTEL_EXPERIMENTS_OTLP": "false"}),
    )
    held = [one - other for one, other in zip(dead, alone, strict=True)]
    yield Figure(
        f"memory while {count:,} points wait for a dead endpoint", "MiB", held,
        limits={"the process without OTLP": statistics.median(alone)},
        note="more than the process needs without OTLP; at most 2,000,000 points and 65,536 spans wait",
    )  # fmt: skip


@contextmanager
def _sink() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.communicate()


if __name__ == "__main__":
    main(figures)
