"""An OTLP endpoint that misbehaves: fine for a while, then throttling, gone, or silent, at random or as told.

    python benchmarks/otlp_chaos.py --seed 7

prints its endpoint on the first line (`http://127.0.0.1:PORT`, for OTEL_EXPORTER_OTLP_ENDPOINT), changes its mode every
few seconds until stdin is closed or SIGTERM comes, and then prints as one line of JSON how many requests, spans, points
and log records it took, and how many requests it met in each mode. Inside of a program:

    with Chaos() as chaos:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = chaos.endpoint
        chaos.set_mode("throttle")
        chaos.keep_changing(random.Random(7))
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from concurrent import futures
from contextlib import suppress
from typing import Any, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

MODES = ("fine", "throttle", "dead", "black hole")
"""`fine` takes everything; `throttle` asks to wait; `dead` has its port closed; `black hole` never answers."""
LONGEST_SILENCE_S = 60.0
SERVICES = {
    "spans": (
        trace_service_pb2_grpc.TraceServiceServicer,
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server,
        trace_service_pb2.ExportTraceServiceResponse,
    ),
    "points": (
        metrics_service_pb2_grpc.MetricsServiceServicer,
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server,
        metrics_service_pb2.ExportMetricsServiceResponse,
    ),
    "log records": (
        logs_service_pb2_grpc.LogsServiceServicer,
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server,
        logs_service_pb2.ExportLogsServiceResponse,
    ),
}


class Chaos:
    """The endpoint. `counts` says what it took and met; `endpoint` stays the same in all modes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.mode = "fine"
        self._draw = random.Random(0)
        self._changed = threading.Condition()
        self._is_closed = False
        self._server: Any = None
        self._changer: threading.Thread | None = None
        self.port = 0
        self._open()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set_mode(self, mode: str) -> None:
        """Behave like this from now on."""
        if mode not in MODES:
            raise ValueError(f"{mode!r} is none of {', '.join(MODES)}")
        with self._changed:
            self.mode = mode
            self._changed.notify_all()
        if mode == "dead":
            self._stop()
        elif self._server is None:
            self._open()

    def keep_changing(self, draw: random.Random, *, shortest_s: float = 0.5, longest_s: float = 4.0) -> None:
        """Change the mode at random, in a thread, until `close`; half of the time is fine."""
        self._draw = draw

        def change() -> None:
            while not self._is_closed:
                self.set_mode(draw.choice(("fine", "fine", "fine", *MODES[1:])))
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closed, draw.uniform(shortest_s, longest_s))

        self._changer = threading.Thread(target=change, name="otlp-chaos", daemon=True)
        self._changer.start()

    def close(self) -> None:
        """Stop for good; requests that wait for an answer are ended."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._changer is not None:
            self._changer.join()
        self._stop()

    def _open(self) -> None:
        pool = futures.ThreadPoolExecutor(max_workers=64)
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        for kind, (base, add, response) in SERVICES.items():
            add(self._servicer(kind, base, response)(), server)
        deadline_s = time.monotonic() + 30.0
        while True:
            with suppress(RuntimeError):  # the port may still be held by what is going away
                self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
                break
            if time.monotonic() > deadline_s:
                raise OSError(f"the port {self.port} is taken")
            time.sleep(0.05)
        server.start()
        self._server = server

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop(grace=None).wait()

    def _servicer(self, kind: str, base: Any, response: Any) -> Any:
        chaos = self

        class Servicer(base):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the service
                mode = chaos.mode
                chaos.counts[f"requests, {mode}"] += 1
                if mode == "throttle":
                    chaos.throttle(context)
                elif mode == "black hole":
                    chaos.say_nothing(context)
                chaos.counts[kind] += count(kind, request)
                return response()

        return Servicer

    def throttle(self, context: Any) -> None:
        """Refuse a call, with the time to wait in one of the two forms, or without."""
        delay_s = self._draw.uniform(0.05, 1.0)
        info = RetryInfo(retry_delay=Duration(nanos=int(delay_s * 1e9) % 10**9))
        packed = AnyMessage()
        packed.Pack(info)
        code = self._draw.choice((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED))
        status = Status(code=code.value[0], message="slow down", details=[packed])
        context.set_trailing_metadata(
            self._draw.choice(
                (
                    (),
                    (("google.rpc.retryinfo-bin", info.SerializeToString()),),
                    (("grpc-status-details-bin", status.SerializeToString()),),
                )
            )
        )
        context.abort(code, "slow down")

    def say_nothing(self, context: Any) -> None:
        """Hold a call until the mode changes or the caller gives up, then end it without an answer."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or self.mode != "black hole" or not context.is_active(),
                LONGEST_SILENCE_S,
            )
        context.abort(grpc.StatusCode.UNAVAILABLE, "it was a black hole")


def count(kind: str, request: Any) -> int:
    """Return how many spans, points or log records a request holds."""
    if kind == "spans":
        return sum(len(scope.spans) for part in request.resource_spans for scope in part.scope_spans)
    if kind == "log records":
        return sum(len(scope.log_records) for part in request.resource_logs for scope in part.scope_logs)
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for part in request.resource_metrics
        for scope in part.scope_metrics
        for metric in scope.metrics
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mode", choices=MODES, help="stay in this mode instead of changing at random")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Chaos() as chaos:
        print(chaos.endpoint, flush=True)
        if arguments.mode is not None:
            chaos.set_mode(arguments.mode)
        else:
            chaos.keep_changing(random.Random(arguments.seed))
        try:
            sys.stdin.read()
        finally:
            print(json.dumps(dict(sorted(chaos.counts.items()))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
