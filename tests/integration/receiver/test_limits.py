"""A receiver that has too much: it says so, with when to come back, and loses nothing of what it has taken."""

import contextlib
import http.client
import socket
import sqlite3
import threading

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_experiments._opening import open_reader
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.search import SpanQuery
from otel_experiments.receiver import Limits


def delay_s(error):
    """Return the seconds that a gRPC error asks to wait."""
    (details,) = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    status = Status.FromString(details)
    assert status.code == error.code().value[0]
    assert status.details[0].Is(RetryInfo.DESCRIPTOR)
    return RetryInfo.FromString(status.details[0].value).retry_delay.seconds


@contextlib.contextmanager
def half_sent(client, body, sent_bytes):
    """Send the beginning of an HTTP request, and keep the connection open inside the block."""
    with socket.create_connection(("127.0.0.1", client.receiver.http_port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(body[:sent_bytes])
        yield connection


def taken_bytes(client):
    """Return how many bytes the receiver holds of requests in flight."""
    return client.receiver.in_flight_bytes


def wait_for(condition):
    """Wait until the condition holds; a minute is more than enough on any machine."""
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail("what was waited for did not come about")


def test_requests_beyond_the_room_in_memory_are_asked_to_wait(make_receiver, client_of):
    """While one request fills the room, others are refused with 429 and UNAVAILABLE and when to come back; it is taken."""
    client = client_of(make_receiver(limits=Limits(in_flight_bytes=300_000)))
    large, small = client.body_of("traces", "protobuf", 10_000), client.body_of("logs", "json", 200)
    with half_sent(client, large, len(large) - 1) as connection:
        wait_for(lambda: taken_bytes(client) == len(large) - 1)

        answer = client.post("/v1/logs", small, encoding="json")
        error = client.refused("traces", large)

        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert b"RetryInfo" in answer.body
        assert (error.code(), delay_s(error)) == (grpc.StatusCode.UNAVAILABLE, 1)
        connection.sendall(large[-1:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert client.post("/v1/logs", small, encoding="json").status == 200
    assert taken_bytes(client) == 0


def test_a_store_that_takes_nothing_is_waited_for(make_receiver, client_of, tmp_path):
    """With a store that is locked requests are taken up to the limit of what may wait; then clients are asked to wait."""
    receiver = make_receiver(limits=Limits(backlog_bytes=200_000))
    client = client_of(receiver)
    holder = sqlite3.connect(tmp_path / "received.db", isolation_level=None)
    holder.execute("begin immediate")
    taken = 0
    while (
        answer := client.post("/v1/traces", client.spans_message(100, first=1 + taken).SerializeToString())
    ).status == 200:
        taken += 100
        assert taken < 100_000
    error = client.refused("traces", client.body_of("traces", "protobuf"))

    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert "waits for its store" in answer.error.message
    assert (error.code(), delay_s(error)) == (grpc.StatusCode.UNAVAILABLE, 1)
    holder.execute("rollback")
    holder.close()
    wait_for(lambda: client.post("/v1/traces", b"").status == 200)
    assert receiver.close(timeout_s=60)
    reader = open_reader(receiver.store_path)
    assert taken > 100
    assert len(reader.store.spans(SpanQuery(limit=None))) == taken
    reader.close()


def test_exporters_that_are_asked_to_wait_lose_nothing(make_receiver, tmp_path):
    """OpenTelemetry's own exporter, sent away while the store is locked, comes back: every span is there once."""
    receiver = make_receiver(grpc="127.0.0.1:0", http=None, limits=Limits(backlog_bytes=50_000))
    exporter = OTLPSpanExporter(receiver.grpc_endpoint, insecure=True, timeout=100)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, max_queue_size=10_000, max_export_batch_size=100, schedule_delay_millis=20
        )
    )
    tracer = provider.get_tracer("program")
    holder = sqlite3.connect(tmp_path / "received.db", isolation_level=None)
    holder.execute("begin immediate")
    for number in range(3000):
        tracer.start_span(f"work {number}").end()
    wait_for(lambda: receiver.counts.refused_request_counts)
    holder.execute("rollback")
    holder.close()

    assert provider.force_flush(100_000)
    provider.shutdown()
    assert receiver.close(timeout_s=60)

    with open_reader(receiver.store_path) as reader:
        names = [span.name for span in reader.store.spans(SpanQuery())]
    assert sorted(names) == sorted(f"work {number}" for number in range(3000))


def test_connections_beyond_the_limit_are_asked_to_wait(client):
    """The connection that is one too many is answered with 503 and when to come back; room is given back."""
    idle = [
        http.client.HTTPConnection("127.0.0.1", client.receiver.http_port, timeout=60) for _ in range(256)
    ]
    for connection in idle:
        connection.request("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"})
        assert connection.getresponse().read() == b"{}"

    with socket.create_connection(("127.0.0.1", client.receiver.http_port), timeout=60) as one_more:
        answer = one_more.recv(1000)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in answer
    for connection in idle:
        connection.close()
    wait_for(lambda: client.post("/v1/logs", b"{}", encoding="json").status == 200)


def test_a_request_under_way_is_finished_when_the_receiver_stops(client):
    """Closing waits for the request that is being sent, takes it, and ends the connection; new ones are not let in."""
    body = client.body_of("traces", "protobuf", 10)
    with half_sent(client, body, 5) as connection:
        wait_for(lambda: taken_bytes(client) == 5)
        closing = threading.Thread(target=client.receiver.close, kwargs={"timeout_s": 60})
        closing.start()
        wait_for(lambda: client.receiver.is_closed)
        connection.sendall(body[5:])
        answer = connection.recv(4000)
        closing.join()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in answer
    assert client.receiver.counts.item_counts == {"traces": 10}
    with pytest.raises(OSError, match="refused"):
        client.post("/v1/traces", body)


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({"request_bytes": 0}, "request_bytes=0"),
        ({"in_flight_bytes": -1}, "in_flight_bytes=-1"),
        ({"backlog_bytes": 1.5}, "backlog_bytes=1.5"),
        ({"request_bytes": True}, "request_bytes=True"),
    ],
)
def test_limits_that_are_no_number_of_bytes_are_refused(limits, shown):
    """A limit below one byte, or no whole number, is a configuration error that names it."""
    with pytest.raises(ConfigurationError) as caught:
        Limits(**limits)

    assert str(caught.value) == (
        f"The limit {shown} of a receiver cannot be used: it is no whole number above zero.\n"
        "  Pass a number of bytes, such as Limits(request_bytes=16 << 20)."
    )
