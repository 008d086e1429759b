"""What a receiver takes over gRPC on one core, acknowledged when it is safe on disk: ours, a Collector, other trackers.

The client has a core of its own and sends bodies that were made before. Other receivers get the same spans; where one
cannot be had its figure is left out, with the reason. The variable BENCHMARK_PHOENIX names a Python with Phoenix.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from measure import Figure, Options, folder, main, plain_environment, seconds
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope, Span

ROOT = Path(__file__).resolve().parents[1]
sys.path.extend((str(ROOT / "tests/backends"), str(ROOT / ".ci/backends")))

import made_programs  # noqa: E402 - found by the line above
from real_programs import CONFIGS, Collector, free_port  # noqa: E402

START_NS = 1_700_000_000_000_000_000
SPANS_A_BODY, POINTS_A_BODY = 2_048, 10_000
IN_FLIGHT = 8
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
GIVEN_UP_S = 300.0
PHOENIX = "BENCHMARK_PHOENIX"
"""The variable that names a Python with arize-phoenix."""
WARM_UP = 2
"""Bodies that are sent before the clock starts: a first request imports and compiles."""


def figures(options: Options) -> Iterator[Figure]:
    rounds, spans, points = (1, 10, 10) if options.is_quick else (3, 40, 150)
    server_core, client_core = _cores()
    os.sched_setaffinity(0, {client_core})
    yield from _spans(options, rounds, spans, server_core)
    yield from _points(rounds, points, server_core)


def _cores() -> tuple[int, int]:
    first, *rest = sorted(os.sched_getaffinity(0))
    return first, rest[0] if rest else first


def _spans(options: Options, rounds: int, count: int, core: int) -> Iterator[Figure]:
    chance = random.Random(7)
    bodies = [_span_body(number, chance) for number in range(count + WARM_UP)]
    total = count * SPANS_A_BODY
    walked = statistics.median(
        _on(core, lambda: count * SPANS_A_BODY / seconds(lambda: _walk_all(bodies[WARM_UP:])))
        for _ in range(3)
    )
    answered, stored = _received(rounds, TRACES, bodies, total, core, "select count(*) from spans")
    ratio = statistics.median(answered) / walked
    yield Figure(
        "spans received on one core, acknowledged durable", "/s", answered,
        limits={"upb and a plain walk to dicts": walked}
        | _collector(bodies, total, core)
        | _phoenix(bodies, core),
        peers=_mlflow(options, bodies, core),
        target=">= 0.6 x parse and walk", is_reached=ratio >= 0.6, note=f"{ratio:.2f} x",
    )  # fmt: skip
    yield Figure("... and all of these spans in the store", "/s", stored)


def _points(rounds: int, count: int, core: int) -> Iterator[Figure]:
    bodies = [_point_body(number) for number in range(count + WARM_UP)]
    total = count * POINTS_A_BODY
    parsed = statistics.median(
        _on(
            core,
            lambda: (
                total
                / seconds(lambda: [ExportMetricsServiceRequest.FromString(body) for body in bodies[WARM_UP:]])
            ),
        )
        for _ in range(3)
    )
    answered, stored = _received(
        rounds, METRICS, bodies, total, core, "select coalesce(sum(count), 0) from series"
    )
    ratio = statistics.median(answered) / parsed
    yield Figure(
        "points received on one core, acknowledged durable", "/s", answered,
        limits={"upb alone": parsed},
        target=">= 0.25 x parsing alone", is_reached=ratio >= 0.25, note=f"{ratio:.2f} x",
    )  # fmt: skip
    yield Figure("... and all of these points in the store", "/s", stored)
    yield _memory(bodies, core)


def _memory(bodies: list[bytes], core: int) -> Figure:
    peaks = []
    for times in (1, 4):
        with folder() as path, _serve(path, core) as (process, endpoint, _):
            _send(endpoint, METRICS, bodies * times)
            peaks.append(_peak_mb(process.pid))
    return Figure(
        "largest memory of the receiver under this load", "MB", peaks[1:],
        limits={"a quarter of the points": peaks[0]},
        note="the bodies in flight, the journal's mapped file and what is being merged",
    )  # fmt: skip


def _received(
    rounds: int, method: str, bodies: list[bytes], total: int, core: int, counted: str
) -> tuple[list[float], list[float]]:
    """Return items a second until the last acknowledgement, and until all are in the store."""
    answered, stored = [], []
    warm = total // (len(bodies) - WARM_UP) * WARM_UP
    for _ in range(rounds):
        with folder() as path, _serve(path, core) as (_, endpoint, store):
            _send(endpoint, method, bodies[:WARM_UP])
            _until(lambda: _count(store, counted) >= warm, "the first are stored")
            start_s = time.perf_counter()
            _send(endpoint, method, bodies[WARM_UP:])
            answered.append(total / (time.perf_counter() - start_s))
            _until(lambda: _count(store, counted) >= warm + total, "all are stored")
            stored.append(total / (time.perf_counter() - start_s))
    return answered, stored


@contextmanager
def _serve(path: Path, core: int) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    store = path / "received.db"
    command = [Path(sys.executable).with_name("otel-experiments"), "serve", "--store", store]
    started = _on(
        core,
        lambda: subprocess.Popen(
            [*command, "--grpc", "127.0.0.1:0", "--http", "none"],
            stdout=subprocess.PIPE,
            text=True,
            env=plain_environment(),
            cwd=path,
        ),
    )
    with started as process:
        try:
            assert process.stdout is not None
            port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert port is not None
            yield process, f"127.0.0.1:{port[1]}", store
        finally:
            process.send_signal(signal.SIGTERM)


def _send(endpoint: str, method: str, bodies: list[bytes]) -> None:
    """Send bodies, some at a time, and return when the last is acknowledged."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        call = channel.unary_unary(method)
        under_way: deque[Any] = deque()
        for body in bodies:
            if len(under_way) == IN_FLIGHT:
                under_way.popleft().result()
            under_way.append(call.future(body, timeout=GIVEN_UP_S, wait_for_ready=True))
        for one in under_way:
            one.result()


def _collector(bodies: list[bytes], total: int, core: int) -> dict[str, float]:
    program = made_programs.COLLECTOR
    kept = made_programs.find(program, folder=made_programs.kept_folder(), go=made_programs.go_version())
    if kept.file is None:
        print(f"the Collector cannot be had here: {kept.reason}", file=sys.stderr)
        return {}
    with folder() as path:
        collector = Collector(kept.file, path / "c", [CONFIGS / "file.yaml"], {"GOMAXPROCS": "1"})
        _on(core, collector.start)
        try:
            _send(collector.endpoint.removeprefix("http://"), TRACES, bodies[:WARM_UP])
            taken_s = seconds(
                lambda: _send(collector.endpoint.removeprefix("http://"), TRACES, bodies[WARM_UP:])
            )
        finally:
            collector.stop()
    return {"the Collector with its file exporter": total / taken_s}


def _mlflow(options: Options, bodies: list[bytes], core: int) -> dict[str, float]:
    command = ["-m", "mlflow", "server", "--backend-store-uri", "sqlite:///m.db", "--workers", "1", "--port"]
    headers = {"x-mlflow-experiment-id": "0"}
    return _other("mlflow", options.peers, command, headers, bodies, core)


def _phoenix(bodies: list[bytes], core: int) -> dict[str, float]:
    """Return what Phoenix answers; its packages and MLflow's exclude each other, so it has a Python of its own."""
    found = _other(
        "phoenix", os.environ.get(PHOENIX), ["-m", "phoenix.server.main", "serve"], {}, bodies, core
    )
    return {f"{name}, which answers before it stores": rate for name, rate in found.items()}


def _other(
    name: str, python: str | None, command: list[str], headers: dict[str, str], bodies: list[bytes], core: int
) -> dict[str, float]:
    """Return spans a second that another tracker takes over HTTP, where a Python has it."""
    if python is None:
        return {}
    if subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode != 0:
        print(f"{python} has no {name}", file=sys.stderr)
        return {}
    try:
        return {name: _by_http(python, command, headers, bodies, core)}
    except (OSError, RuntimeError) as error:
        print(f"{name} takes nothing: {error}", file=sys.stderr)
        return {}


def _by_http(python: str, start: list[str], headers: dict[str, str], bodies: list[bytes], core: int) -> float:
    port = free_port()
    environment = plain_environment() | {"PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1"}
    environment["PHOENIX_GRPC_PORT"] = str(free_port())
    command = [python, *start, *([str(port)] if start[-1] == "--port" else [])]
    with folder() as place, (place / "log.txt").open("w") as log:
        environment["PHOENIX_WORKING_DIR"] = str(place)
        started = _on(
            core,
            lambda: subprocess.Popen(
                command, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True
            ),
        )
        with started as process:
            try:
                url = f"http://127.0.0.1:{port}"
                _until(lambda: _answers(url), f"{command[2]} is ready")
                _post(f"{url}/v1/traces", headers, bodies[0])
                few = bodies[1:3]
                return (
                    SPANS_A_BODY
                    * len(few)
                    / seconds(lambda: [_post(f"{url}/v1/traces", headers, body) for body in few])
                )
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def _post(url: str, headers: dict[str, str], body: bytes) -> None:
    request = urllib.request.Request(
        url, body, headers | {"content-type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=GIVEN_UP_S) as answer:
        answer.read()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _until(condition: Callable[[], bool], what: str) -> None:
    due_s = time.monotonic() + GIVEN_UP_S
    while not condition():
        if time.monotonic() > due_s:
            raise RuntimeError(f"it never came true: {what}")
        time.sleep(0.05)


def _on(core: int, work: Callable[[], Any]) -> Any:
    """Return what a work gives that runs, and starts processes, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return work()
    finally:
        os.sched_setaffinity(0, before)


def _count(store: Path, statement: str) -> int:
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
            return database.execute(statement).fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def _walk_all(bodies: list[bytes]) -> None:
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    _walk(span)


def _walk(span: Any) -> dict[str, Any]:
    """Return a span as a dict of plain values."""
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": (span.status.code, span.status.message),
        "attributes": {
            pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
        },
        "events": [(event.name, event.time_unix_nano) for event in span.events],
        "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
    }


def _span_body(number: int, chance: random.Random) -> bytes:
    """Return a request with the spans of a run's steps, with the attributes that ours have."""
    run_id = f"{number // 4 + 1:032x}"
    resource = Resource(
        {
            "service.name": "bench",
            "ml.run.id": run_id,
            "ml.run.name": f"run {number // 4}",
            "ml.experiment.name": "e",
        }
    )
    scope = Scope("bench", "1")
    return spans_to_request(
        [
            Span(
                trace_id=run_id,
                span_id=f"{chance.getrandbits(64) or 1:016x}",
                parent_span_id=f"{number // 4 + 1:016x}",
                name="step",
                start_ns=START_NS + at * 1_000_000,
                end_ns=START_NS + at * 1_000_000 + 700_000,
                attributes={
                    "ml.operation.name": "step", "ml.step.index": at, "ml.span.lane": "MainThread",
                    "ml.span.sequence": at, "ml.span.cpu_time": 650_000, "code.function.name": "train.step",
                },
                resource=resource,
                scope=scope,
            )
            for at in range(number * SPANS_A_BODY, (number + 1) * SPANS_A_BODY)
        ]
    )  # fmt: skip


def _point_body(number: int) -> bytes:
    """Return a request with points of one curve of one run, as ours leave."""
    run_id = f"{number // 20 + 1:032x}"
    first = number % 20 * POINTS_A_BODY
    steps = array("d", range(first, first + POINTS_A_BODY))
    times_ns = array("q", (START_NS + at * 1_000_000 for at in range(first, first + POINTS_A_BODY)))
    values = array("d", (1 / (at + 1) for at in range(first, first + POINTS_A_BODY)))
    block = PointBlock(run_id, (SeriesKey("train/loss"),), steps, times_ns, (values,))
    resource = Resource({"service.name": "bench", "ml.run.id": run_id, "ml.run.name": f"run {number // 20}"})
    return points_to_request([(PointOrigin(resource, run_id, "b" * 16), [block])], Scope("bench"))


if __name__ == "__main__":
    main(figures)
