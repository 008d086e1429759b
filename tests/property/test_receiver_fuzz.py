"""Bytes of any kind to a receiver: it answers as the specification says, never with a 500, and goes on."""

import gzip
import http.client
import json
import socket

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_experiments.receiver import Limits, Receiver

RUN_ID = "5a" * 16
TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
SERVICES = {
    "traces": "trace.v1.TraceService",
    "metrics": "metrics.v1.MetricsService",
    "logs": "logs.v1.LogsService",
}
VALUES = [
    {"stringValue": "naïve"}, {"intValue": "-9223372036854775808"}, {"doubleValue": "NaN"}, {"boolValue": True},
    {"bytesValue": "AAEC"}, {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": ""}]}},
    {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 0.5}}]}}, {},
]  # fmt: skip
ATTRIBUTES = [{"key": f"a{number}", "value": value} for number, value in enumerate(VALUES)]
RESOURCE = {"attributes": [{"key": "ml.run.id", "value": {"stringValue": RUN_ID}}, *ATTRIBUTES]}
SCOPE = {"name": "scope", "version": "1", "attributes": ATTRIBUTES}
EXEMPLAR = {
    "timeUnixNano": "5", "asDouble": 0.5, "spanId": "0000000000000001", "traceId": RUN_ID,
    "filteredAttributes": [{"key": "ml.metric.step", "value": {"doubleValue": 3.0}}],
}  # fmt: skip
NUMBER = {"timeUnixNano": "7", "asDouble": "Infinity", "attributes": ATTRIBUTES[:2], "exemplars": [EXEMPLAR]}
HISTOGRAM = {
    "timeUnixNano": "7", "count": "3", "sum": 0.5, "min": 0.0, "max": 1.0, "bucketCounts": ["1", "2"],
    "explicitBounds": [0.1], "attributes": ATTRIBUTES[:1],
}  # fmt: skip
EXPONENTIAL = {
    "timeUnixNano": "7", "count": "3", "scale": 2, "zeroCount": "1",
    "positive": {"offset": 1, "bucketCounts": ["2"]}, "negative": {"bucketCounts": []},
}  # fmt: skip
DOCUMENTS = {
    "traces": {"resourceSpans": [{"resource": RESOURCE, "schemaUrl": "s", "scopeSpans": [{"scope": SCOPE, "spans": [{
        "traceId": RUN_ID, "spanId": "00000000000000aa", "parentSpanId": "00000000000000ab", "name": "work", "kind": 2,
        "startTimeUnixNano": "1", "endTimeUnixNano": 9, "attributes": ATTRIBUTES, "status": {"code": 2, "message": "m"},
        "events": [{"name": "e", "timeUnixNano": "3", "attributes": ATTRIBUTES}], "traceState": "a=b", "flags": 257,
        "links": [{"traceId": RUN_ID, "spanId": "00000000000000ac", "attributes": ATTRIBUTES}],
    }]}]}]},
    "logs": {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"scope": SCOPE, "logRecords": [{
        "timeUnixNano": "1", "observedTimeUnixNano": "2", "severityNumber": 9, "severityText": "INFO", "eventName": "e",
        "body": VALUES[6], "attributes": ATTRIBUTES, "traceId": RUN_ID, "spanId": "00000000000000aa", "flags": 1,
    }]}]}]},
    "metrics": {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"scope": SCOPE, "metrics": [
        {"name": "ml.metric.value", "gauge": {"dataPoints": [NUMBER, NUMBER | {"timeUnixNano": "8"}]}},
        {"name": "n", "unit": "s", "sum": {"dataPoints": [NUMBER], "isMonotonic": True, "aggregationTemporality": 2}},
        {"name": "h", "histogram": {"dataPoints": [HISTOGRAM], "aggregationTemporality": 1}},
        {"name": "x", "exponentialHistogram": {"dataPoints": [EXPONENTIAL], "aggregationTemporality": 2}},
        {"name": "q", "summary": {"dataPoints": [{"timeUnixNano": "7", "count": "1"}]}},
    ]}]}]},
}  # fmt: skip


def fill(message, document):
    """Fill a message from a document, field by field."""
    for name, value in document.items():
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        target = getattr(message, snake)
        if isinstance(value, dict):
            target.SetInParent()
            fill(target, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for one in value:
                fill(target.add(), one)
        elif isinstance(value, list):
            target.extend(map(float if snake == "explicit_bounds" else int, value))
        elif isinstance(target, bytes):
            setattr(message, snake, bytes.fromhex(value))
        elif isinstance(target, (int, float)) and not isinstance(target, bool):
            setattr(message, snake, type(target)(value))
        else:
            setattr(message, snake, value)
    return message


BODIES = {
    ("traces", "protobuf"): fill(ExportTraceServiceRequest(), DOCUMENTS["traces"]).SerializeToString(),
    ("logs", "protobuf"): fill(ExportLogsServiceRequest(), DOCUMENTS["logs"]).SerializeToString(),
    ("metrics", "protobuf"): fill(ExportMetricsServiceRequest(), DOCUMENTS["metrics"]).SerializeToString(),
} | {(signal, "json"): json.dumps(document).encode() for signal, document in DOCUMENTS.items()}


@st.composite
def mutated(draw, whole):
    """Return bytes with a few changes: bytes replaced, left out, put in, repeated, cut off."""
    body = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["replace", "flip", "remove", "insert", "repeat", "cut"])):
            case "replace":
                body[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "flip" if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
            case "remove":
                del body[at : at + draw(st.integers(1, 9))]
            case "insert":
                body[at:at] = draw(st.binary(max_size=9))
            case "repeat":
                body[at:at] = body[at : at + draw(st.integers(1, 40))]
            case "cut":
                del body[at:]
    return bytes(body)


@st.composite
def swapped(draw, document):
    """Return a JSON document in which one value, at any depth, is another one."""
    strange = st.sampled_from(
        [
            None,
            True,
            -1,
            1e400,
            10**30,
            0.5,
            "",
            "x",
            "NaN",
            [],
            {},
            [None],
            {"a": None},
            [[]],
            "ff" * 8,
            "\ud800",
        ]
    )
    copy = json.loads(json.dumps(document))
    holder, depth = copy, draw(st.integers(1, 12))
    while True:
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not places:
            return copy
        place = draw(st.sampled_from(places))
        depth -= 1
        if depth == 0 or not isinstance(holder[place], (dict, list)):
            holder[place] = draw(strange)
            return copy
        holder = holder[place]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    """Return a receiver for all examples; whatever it has acknowledged can be stored."""
    made = Receiver(
        tmp_path_factory.mktemp("fuzz") / "received.db",
        grpc="127.0.0.1:0",
        http="127.0.0.1:0",
        limits=Limits(request_bytes=1 << 20),
    )
    yield made
    assert made.close(timeout_s=100)
    assert made.damages == []


@pytest.fixture(scope="module")
def connection(receiver):
    """Return a connection over HTTP for all examples."""
    made = http.client.HTTPConnection("127.0.0.1", receiver.http_port, timeout=60)
    yield made
    made.close()


@pytest.fixture(scope="module")
def channel(receiver):
    """Return a channel of gRPC for all examples."""
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as made:
        yield made


def posted(connection, signal, body, headers):
    """Send a request and return the status."""
    connection.request("POST", f"/v1/{signal}", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.mark.parametrize(("signal", "encoding"), BODIES)
def test_the_body_itself_is_taken(connection, signal, encoding):
    """What the mutations start from is a request that is taken whole."""
    assert posted(connection, signal, BODIES[signal, encoding], {"Content-Type": TYPES[encoding]}) == 200


@settings(max_examples=120)
@given(st.sampled_from(list(BODIES)), st.data())
def test_mutated_bodies_are_answered_with_200_or_400(connection, kind, data):
    """A body with a few changes is taken or refused as malformed, plain or compressed."""
    signal, encoding = kind
    body = data.draw(mutated(BODIES[kind]))
    headers = {"Content-Type": TYPES[encoding]}
    if data.draw(st.booleans()):
        headers["Content-Encoding"] = "gzip"
        body = data.draw(mutated(gzip.compress(body))) if data.draw(st.booleans()) else gzip.compress(body)

    assert posted(connection, signal, body, headers) in {200, 400}


@settings(max_examples=120)
@given(st.sampled_from(list(DOCUMENTS)), st.data())
def test_json_of_other_shapes_is_answered_with_200_or_400(connection, signal, data):
    """A document in which a value is of another type, missing, or absurdly large is taken or refused as malformed."""
    document = data.draw(swapped(DOCUMENTS[signal]))

    assert posted(connection, signal, json.dumps(document).encode(), {"Content-Type": TYPES["json"]}) in {
        200,
        400,
    }


@settings(max_examples=80)
@given(st.sampled_from(list(SERVICES)), st.data())
def test_mutated_messages_are_answered_over_grpc(channel, signal, data):
    """Over gRPC, a message with a few changes is taken or an invalid argument."""
    body = data.draw(mutated(BODIES[signal, "protobuf"]))
    export = channel.unary_unary(f"/opentelemetry.proto.collector.{SERVICES[signal]}/Export")

    code = grpc.StatusCode.OK
    try:
        export(body, timeout=60)
    except grpc.RpcError as error:
        code = error.code()

    assert code in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


REQUEST = (
    b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"Content-Encoding: identity\r\nOrigin:\r\n\r\n{}"
)


@settings(max_examples=60)
@given(st.one_of(mutated(REQUEST), st.binary(max_size=200)))
def test_any_bytes_on_the_port_are_answered_or_the_connection_ends(receiver, raw):
    """Bytes that are no HTTP are answered as such, never as a failure of the receiver."""
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece

    statuses = [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert all(status < 500 or status in {501, 505} for status in statuses)
