"""A program that has plain OpenTelemetry sends to a Collector, which feeds `otel-experiments serve`: it is a tracked run.

Three attributes of its resource, here from its environment, say which run it is. The Collector is the one of
`collector-config/` (its README says how to get it), on the path as `otelcol-experiments`:

    the program has ended
    run: from-outside of examples, succeeded
    spans: train > step 0, step 1, step 2
    loss: [1.0, 0.5, 0.25] at steps [0.0, 1.0, 2.0]
"""

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import otel_experiments as ox

CONFIG = Path(__file__).parents[1] / "collector-config/serve.yaml"
STORE = Path("received.db")
PROGRAM = """
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
tracer, loss = tracers.get_tracer("a.program"), meters.get_meter("a.program").create_gauge("loss")

with tracer.start_as_current_span("train", attributes={"ml.operation.name": "run", "ml.run.result": "success"}):
    for step in range(3):
        with tracer.start_as_current_span(f"step {step}"):
            loss.set(0.5**step, {"step": step})
tracers.shutdown()
meters.shutdown()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition):
    """Return what a condition gives once it is true."""
    deadline_s = time.monotonic() + 15
    while not (found := condition()):
        if time.monotonic() > deadline_s:
            sys.exit("it took too long: what the programs said is in collector.txt and serve.txt")
        time.sleep(0.05)
    return found


def answers(url):
    try:
        with urlopen(url, timeout=1):  # noqa: S310 - the URL is the one below
            return True
    except OSError:
        return False


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(stack, command, log, **variables):
    """Start a program that is stopped when the stack is left."""
    with Path(log).open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=os.environ | variables, stdout=output, stderr=output)
    stack.enter_context(process)
    stack.callback(process.terminate)


serve_port, grpc_port, http_port, health_port, metrics_port = (free_port() for _ in range(5))
with ExitStack() as stack:
    command = [Path(sys.executable).with_name("otel-experiments"), "serve"]
    where = ["--store", str(STORE), "--grpc", f"127.0.0.1:{serve_port}", "--http", "none"]
    start(stack, [*command, *where], "serve.txt")
    until(lambda: listens(serve_port))
    start(
        stack,
        ["otelcol-experiments", "--config", str(CONFIG)],
        "collector.txt",
        SERVE_ENDPOINT=f"127.0.0.1:{serve_port}",
        COLLECTOR_GRPC_ENDPOINT=f"127.0.0.1:{grpc_port}",
        COLLECTOR_HTTP_ENDPOINT=f"127.0.0.1:{http_port}",
        COLLECTOR_HEALTH_ENDPOINT=f"127.0.0.1:{health_port}",
        COLLECTOR_METRICS_PORT=str(metrics_port),
    )
    until(lambda: answers(f"http://127.0.0.1:{health_port}"))

    run_id = secrets.token_hex(16)
    names = f"ml.run.id={run_id},ml.run.name=from-outside,ml.experiment.name=examples"
    endpoint = f"http://127.0.0.1:{grpc_port}"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_RESOURCE_ATTRIBUTES": names}
    subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | variables, check=True)
    print("the program has ended")

    def is_whole(run):
        return run.id == run_id and len(run.spans) == 4 and "loss" in run.metrics

    run = until(lambda: next(filter(is_whole, ox.runs(store=STORE)), None))
    print(f"run: {run.name} of {run.experiment}, {run.state}")
    root, *steps = sorted(run.spans, key=lambda span: span.start_ns)
    print(f"spans: {root.name} > {', '.join(span.name for span in steps)}")
    points = run.metrics["loss"].points()
    print(f"loss: {list(points.values)} at steps {list(points.steps)}")
