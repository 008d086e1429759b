"""A real receiver on free ports of this machine, and clients of both protocols that say exactly what they send."""

import http.client
import json
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_experiments._opening import open_reader
from otel_experiments.query import Reader
from otel_experiments.receiver import Receiver

RUN_ID = "ab" * 16
SIGNALS = ("traces", "metrics", "logs")
METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


def named(holder, **texts):
    """Add attributes of text to a message."""
    for key, value in texts.items():
        pair = holder.attributes.add()
        pair.key = key.replace("__", ".")
        pair.value.string_value = value


def spans_message(count, *, first=1, run_id=RUN_ID):
    """Return a request with `count` spans of one run, numbered from `first`."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    named(group.resource, ml__run__id=run_id, service__name="foreign")
    part = group.scope_spans.add()
    for number in range(first, first + count):
        span = part.spans.add()
        span.trace_id = bytes.fromhex(run_id)
        span.span_id = number.to_bytes(8, "big")
        span.name = f"work {number}"
        span.start_time_unix_nano = 1_700_000_000_000_000_000 + number
        span.end_time_unix_nano = span.start_time_unix_nano + 5
    return message


def message_of(signal, count=1):
    """Return a request of one signal with `count` items of a run."""
    if signal == "traces":
        return spans_message(count)
    if signal == "logs":
        message = ExportLogsServiceRequest()
        group = message.resource_logs.add()
        named(group.resource, ml__run__id=RUN_ID)
        part = group.scope_logs.add()
        for number in range(count):
            record = part.log_records.add()
            record.time_unix_nano = 1_700_000_000_000_000_000 + number
            record.body.string_value = f"line {number}"
        return message
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    named(group.resource, ml__run__id=RUN_ID)
    metric = group.scope_metrics.add().metrics.add()
    metric.name = "queue"
    for number in range(count):
        point = metric.gauge.data_points.add()
        point.time_unix_nano = 1_700_000_000_000_000_000 + number
        point.as_double = number / 2
    return message


def json_of(signal, count=1):
    """Return the same as JSON, as the specification writes it."""
    attributes = [{"key": "ml.run.id", "value": {"stringValue": RUN_ID}}]
    resource = {"attributes": attributes}
    times = [str(1_700_000_000_000_000_000 + number) for number in range(count)]
    if signal == "traces":
        spans = [
            {
                "traceId": RUN_ID,
                "spanId": f"{number + 1:016x}",
                "name": f"work {number + 1}",
                "startTimeUnixNano": time,
                "endTimeUnixNano": time,
            }
            for number, time in enumerate(times)
        ]
        return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    if signal == "logs":
        records = [{"timeUnixNano": time, "body": {"stringValue": "a line"}} for time in times]
        return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    points = [{"timeUnixNano": time, "asDouble": 0.5} for time in times]
    metric = {"name": "queue", "gauge": {"dataPoints": points}}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}


def body_of(signal, encoding, count=1):
    """Return the bytes of a request."""
    if encoding == "json":
        return json.dumps(json_of(signal, count)).encode()
    return message_of(signal, count).SerializeToString()


@dataclass
class HttpAnswer:
    """What HTTP answered."""

    status: int
    body: bytes
    headers: dict = field(default_factory=dict)

    @property
    def error(self):
        """The status message of a refusal in protobuf."""
        return Status.FromString(self.body)


class Client:
    """A client of one receiver that speaks both protocols, and makes requests to send."""

    body_of = staticmethod(body_of)
    json_of = staticmethod(json_of)
    message_of = staticmethod(message_of)
    spans_message = staticmethod(spans_message)

    def __init__(self, receiver):
        self.receiver = receiver

    def post(self, path, body=b"", headers=None, *, method="POST", encoding="protobuf"):
        """Send one HTTP request on a connection of its own, and return the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.receiver.http_port, timeout=60)
        try:
            given = {"Content-Type": TYPES[encoding]} | (headers or {})
            given = {name: value for name, value in given.items() if value is not None}
            connection.request(method, path, body=body, headers=given)
            answer = connection.getresponse()
            return HttpAnswer(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            connection.close()

    def call(self, signal, payload, metadata=(), *, method=None, compression=None):
        """Send one gRPC request and return the bytes of the answer."""
        with grpc.insecure_channel(f"127.0.0.1:{self.receiver.grpc_port}") as channel:
            export = channel.unary_unary(method or METHODS[signal])
            return export(payload, metadata=metadata, timeout=60, compression=compression)

    def refused(self, signal, payload, metadata=(), **more):
        """Send a gRPC request that is refused, and return the error."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(signal, payload, metadata, **more)
        return caught.value


@pytest.fixture
def client_of():
    """Return what makes a client of a receiver."""
    return Client


@pytest.fixture
def make_receiver(tmp_path):
    """Return what makes receivers on free ports, closed at the end of the test."""
    made = []

    def make(store=tmp_path / "received.db", **settings):
        ports = {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}
        receiver = Receiver(store, **(ports | settings))
        made.append(receiver)
        return receiver

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(make_receiver):
    """Return a receiver with the defaults, on free ports."""
    return make_receiver()


@pytest.fixture
def client(receiver):
    """Return a client of that receiver."""
    return Client(receiver)


@pytest.fixture
def stored(receiver):
    """Return what closes the receiver and opens what it has stored."""
    opened = []

    def read() -> Reader:
        assert receiver.close(timeout_s=60)
        opened.append(open_reader(receiver.store_path))
        return opened[-1]

    yield read
    for reader in opened:
        reader.close()
