"""OTLP over gRPC, as the specification says it: what is taken, what is refused, and with which status."""

import contextlib
import threading

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_experiments.model.search import SpanQuery
from otel_experiments.receiver import Limits, grpc_server

SIGNALS = ("traces", "metrics", "logs")


def retry_info(error):
    """Return the RetryInfo of an error; None where it has none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                if detail.Is(RetryInfo.DESCRIPTOR):
                    return RetryInfo.FromString(detail.value)
    return None


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("signal", SIGNALS)
def test_each_signal_is_taken(client, signal, compression):
    """A request of each signal, compressed or not, is answered with an empty response: all is well."""
    answer = client.call(signal, client.body_of(signal, "protobuf", 3), compression=compression)

    assert answer == b""
    assert client.receiver.counts.item_counts == {signal: 3}


@pytest.mark.parametrize("signal", SIGNALS)
def test_empty_requests_succeed(client, signal):
    """A request without items is answered with success."""
    assert client.call(signal, b"") == b""


def test_refused_spans_are_a_partial_success(client, stored):
    """Spans with ids that are none are refused by number and reason, and the others of the request are stored."""
    message = client.message_of("traces", 3)
    message.resource_spans[0].scope_spans[0].spans[1].span_id = bytes(8)

    answer = client.call("traces", message.SerializeToString())

    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert partial.rejected_spans == 1
    assert "1 of 3 spans cannot be kept" in partial.error_message
    assert sorted(span.name for span in stored().store.spans(SpanQuery())) == ["work 1", "work 3"]


def test_what_cannot_be_decoded_is_an_invalid_argument(client):
    """Bytes that are no request are refused for good, with a status that says what was found."""
    error = client.refused("traces", b"\xff\xff no request")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "TracesData" in error.details()
    assert retry_info(error) is None


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/other.Service/Export",
    ],
)
def test_other_methods_are_unimplemented(client, method):
    """What is none of the three services is answered as not there, profiles among them."""
    error = client.refused("traces", b"", method=method)

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_a_request_above_the_limit_is_refused_for_good(make_receiver, client_of, compression):
    """A request that is too large, before or after it is decompressed, is refused without a word on sending it again."""
    client = client_of(make_receiver(limits=Limits(request_bytes=100_000)))

    error = client.refused("traces", bytes(200_000), compression=compression)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_info(error) is None
    assert client.call("traces", client.body_of("traces", "protobuf")) == b""


@pytest.fixture
def silent_calls():
    """Return what begins calls that never send a message; they end with the test."""
    ended, channels = threading.Event(), []

    def messages():
        ended.wait()
        yield from ()

    def begin(receiver, count):
        channels.append(grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}"))
        method = channels[-1].stream_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        return [method.future(messages()) for _ in range(count)]

    yield begin
    ended.set()
    for channel in channels:
        channel.close()


def test_calls_without_the_token_are_refused_before_their_message_comes(
    make_receiver, client_of, silent_calls
):
    """Calls that send nothing and have no token are refused at once, and do not keep others out."""
    receiver = make_receiver(token="secret")
    client = client_of(receiver)

    codes = {call.exception(timeout=60).code() for call in silent_calls(receiver, 40)}

    assert codes == {grpc.StatusCode.UNAUTHENTICATED}
    assert client.call("traces", b"", [("authorization", "Bearer secret")]) == b""


def test_calls_that_send_nothing_make_room_for_others(client, monkeypatch, silent_calls):
    """Calls that hold all workers and send nothing are ended when another comes, so that it is taken."""
    monkeypatch.setattr(grpc_server, "_PATIENCE_S", 0.0)
    silent = silent_calls(client.receiver, 16)

    with grpc.insecure_channel(f"127.0.0.1:{client.receiver.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
        calls = [export.future(b"", timeout=60)]
        while not all(call.done() for call in silent) and len(calls) < 20:
            with contextlib.suppress(grpc.FutureTimeoutError):
                calls[-1].exception(timeout=2)
            calls.append(export.future(b"", timeout=60))
        answers = [call.result(timeout=60) for call in calls]

    assert {call.code() for call in silent} == {grpc.StatusCode.CANCELLED}
    assert set(answers) == {b""}


def test_a_call_without_a_message_is_an_invalid_argument(client):
    """A client that ends its call without having sent a request is answered that there is none."""
    with grpc.insecure_channel(f"127.0.0.1:{client.receiver.grpc_port}") as channel:
        method = channel.stream_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as caught:
            method(iter(()), timeout=60)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "has no message" in caught.value.details()
