"""A real OTLP endpoint on this machine, that answers as a test wants it to."""

import threading
import time
from concurrent import futures

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import otel_experiments as ox
from otel_experiments.query import Reader

SIGNALS = {
    "traces": (
        trace_service_pb2_grpc.TraceServiceServicer,
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server,
        trace_service_pb2.ExportTraceServiceResponse,
    ),
    "metrics": (
        metrics_service_pb2_grpc.MetricsServiceServicer,
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server,
        metrics_service_pb2.ExportMetricsServiceResponse,
    ),
    "logs": (
        logs_service_pb2_grpc.LogsServiceServicer,
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server,
        logs_service_pb2.ExportLogsServiceResponse,
    ),
}


def attributes_of(holder):
    """Return the attributes of a message as plain values."""
    return {pair.key: plain(pair.value) for pair in holder.attributes}


def plain(value):
    """Return an AnyValue as a Python value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)


def retry_trailers(form, delay_s, code=grpc.StatusCode.UNAVAILABLE):
    """Return the trailing metadata that asks to wait: as RetryInfo, or as Status with a RetryInfo in it.

    `form` is "retryinfo", "details", or "none" for an answer that names no time.
    """
    if form == "none":
        return ()
    info = RetryInfo(retry_delay=Duration(seconds=int(delay_s), nanos=round(delay_s % 1 * 1e9)))
    if form == "retryinfo":
        return (("google.rpc.retryinfo-bin", info.SerializeToString()),)
    details = [Any(), Any()]
    details[0].Pack(DebugInfo(detail="first another detail"))
    details[1].Pack(info)
    status = Status(code=code.value[0], message="wait", details=details)
    return (("grpc-status-details-bin", status.SerializeToString()),)


class Collector:
    """An OTLP/gRPC server that keeps every request.

    `asked` has the signal of every call, refused ones too.

    `answers` holds one function a signal that is given the request and the call before it is answered; what it
    returns (None: the plain response) is the answer.
    """

    attributes_of = staticmethod(attributes_of)
    retry_trailers = staticmethod(retry_trailers)

    def __init__(self, port=0, max_request_bytes=4 << 20):
        self.requests = []
        self.asked = []
        self.answers = {}
        self.arrived = threading.Condition()
        self._pool = futures.ThreadPoolExecutor(max_workers=8)
        options = [("grpc.max_receive_message_length", max_request_bytes), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(self._pool, options=options)
        for signal, (servicer, add, response) in SIGNALS.items():
            add(self._servicer(signal, servicer, response), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._server.start()

    def _servicer(self, signal, base, response):
        collector = self

        class Servicer(base):
            def Export(self, request, context):
                with collector.arrived:
                    collector.asked.append(signal)
                    collector.arrived.notify_all()
                answer = collector.answers.get(signal)
                answered = answer(request, context) if answer is not None else None
                with collector.arrived:
                    collector.requests.append((signal, request))
                    collector.arrived.notify_all()
                return answered if answered is not None else response()

        return Servicer()

    def refuse(self, signal, code, details="", *, times=None, trailers=()):
        """Refuse the next requests of a signal (all of them, where `times` is None), then take them again."""
        left = [times]

        def answer(_, context):
            if left[0] is None or left[0] > 0:
                left[0] = left[0] and left[0] - 1
                context.set_trailing_metadata(trailers)
                context.abort(code, details)

        self.answers[signal] = answer

    def of(self, signal):
        """Return the requests of one signal."""
        return [request for kind, request in self.requests if kind == signal]

    @property
    def spans(self):
        """The spans that arrived, each with its resource's attributes."""
        return [
            (span, attributes_of(part.resource))
            for request in self.of("traces")
            for part in request.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self):
        """The metrics that arrived, each with its resource's attributes."""
        return [
            (metric, attributes_of(part.resource))
            for request in self.of("metrics")
            for part in request.resource_metrics
            for scope in part.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def points(self):
        """The data points of `ml.metric.value`, in the order in which they arrived."""
        return [
            point
            for metric, _ in self.metrics
            if metric.name == "ml.metric.value"
            for point in metric.gauge.data_points
        ]

    @property
    def log_records(self):
        """The log records that arrived, each with its resource's attributes."""
        return [
            (record, attributes_of(part.resource))
            for request in self.of("logs")
            for part in request.resource_logs
            for scope in part.scope_logs
            for record in scope.log_records
        ]

    def wait_for(self, condition, timeout_s=20.0):
        """Wait until the condition holds for what arrived."""
        deadline_s = time.monotonic() + timeout_s
        with self.arrived:
            while not condition():
                assert self.arrived.wait(deadline_s - time.monotonic()), "it did not arrive in time"

    def close(self):
        """Stop at once."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True, cancel_futures=True)


@pytest.fixture
def make_collector():
    """Return a function that starts an OTLP endpoint."""
    made = []

    def make(**options):
        made.append(Collector(**options))
        return made[-1]

    yield make
    for collector in made:
        collector.close()


@pytest.fixture
def collector(make_collector):
    """Return a running OTLP endpoint."""
    return make_collector()


@pytest.fixture
def configure(tmp_path, monkeypatch, store_path):
    """Return `configure` with a store in the test's folder; everything is shut down afterwards."""
    settings = {"store": store_path, "system_metrics_s": 0.0, "capture_git": False}
    yield lambda **changes: ox.configure(**(settings | changes))
    ox.shutdown()


@pytest.fixture
def exporting(collector, configure, monkeypatch):
    """Record into a store and send to the collector; return the collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure(on_error="raise")
    return collector


@pytest.fixture
def read():
    """Return a function that reads a run of the store, everything recorded so far included."""
    from otel_experiments._configure import active_store

    return lambda wanted: Reader(active_store()).run(wanted)
