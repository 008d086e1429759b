"""OTLP over HTTP, as the specification says it, line by line: what is taken, what is refused, and with which answer."""

import gzip
import http.client
import json
import socket
import sys
import zlib

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_experiments.model.search import SpanQuery
from otel_experiments.receiver import http_framing

SIGNALS = ("traces", "metrics", "logs")
RESPONSES = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_each_signal_is_taken_in_both_encodings(client, signal, encoding):
    """A request is answered with 200 and an empty response in its encoding, without a partial success."""
    answer = client.post(f"/v1/{signal}", client.body_of(signal, encoding, 3), encoding=encoding)

    assert answer.status == 200
    assert (
        answer.headers["Content-Type"]
        == {"protobuf": "application/x-protobuf", "json": "application/json"}[encoding]
    )
    if encoding == "json":
        assert json.loads(answer.body) == {}
    else:
        assert not RESPONSES[signal][0].FromString(answer.body).HasField("partial_success")
    assert client.receiver.counts.item_counts == {signal: 3}


def test_what_was_received_is_in_the_store(client, stored):
    """Spans in protobuf, log records in JSON and points are found in the store once the receiver has stopped."""
    client.post("/v1/traces", client.body_of("traces", "protobuf", 3))
    client.post("/v1/logs", client.body_of("logs", "json", 2), encoding="json")
    client.post("/v1/metrics", client.body_of("metrics", "protobuf", 4))

    reader = stored()

    assert sorted(span.name for span in reader.store.spans(SpanQuery())) == ["work 1", "work 2", "work 3"]
    assert len(reader.store.log_records()) == 2
    assert len(reader.store.instrument_points(name="queue")) == 4


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
def test_parameters_of_the_content_type_are_tolerated(client, content_type):
    """A charset behind the content type, and another case, change nothing."""
    answer = client.post("/v1/logs", client.body_of("logs", "json"), {"Content-Type": content_type})

    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/", None])
def test_other_content_types_are_refused(client, content_type):
    """A content type that is neither protobuf nor JSON is answered with 415 in plain text, and names both."""
    answer = client.post("/v1/traces", b"{}", {"Content-Type": content_type})

    assert answer.status == 415
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"send application/x-protobuf or application/json" in answer.body


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(client, method):
    """Only POST is taken; other methods are answered with 405 and what is allowed."""
    answer = client.post("/v1/traces", method=method, body=None)

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v1development/profiles", "/", "/v1/trace", "/v1/traces/"])
def test_unknown_paths_are_refused(client, path):
    """A path that is none of the three signals, profiles among them, is answered with 404 and the three."""
    answer = client.post(path, b"")

    assert answer.status == 404
    assert b"/v1/traces, /v1/metrics, /v1/logs" in answer.body


def compressed(body, coding):
    """Return the body in a content coding."""
    if coding == "zstd":
        return pytest.importorskip("zstandard").compress(body)
    if coding == "raw deflate":
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(body) + packer.flush()
    return {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[
        coding
    ](body)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "raw deflate", "zstd", "identity", "GZip"])
def test_compressed_requests_are_taken(client, coding):
    """Bodies in gzip, deflate (with and without zlib's header), zstd, or no coding are taken alike."""
    body = compressed(client.body_of("traces", "protobuf", 500), coding.lower())

    answer = client.post("/v1/traces", body, {"Content-Encoding": coding.removeprefix("raw ")})

    assert (answer.status, client.receiver.counts.item_counts) == (200, {"traces": 500})


def test_gzip_of_several_members_is_one_body(client):
    """A body that is several gzip streams, back to back, is read to its end."""
    body = client.body_of("traces", "protobuf", 50)
    packed = gzip.compress(body[:1000]) + gzip.compress(body[1000:])

    answer = client.post("/v1/traces", packed, {"Content-Encoding": "gzip"})

    assert (answer.status, client.receiver.counts.item_counts) == (200, {"traces": 50})


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_of_a_great_many_streams_is_refused(client, coding):
    """Empty streams, each of which costs time, end after some thousands, long before the body is at its limit."""
    many = compressed(b"", coding) * 20_000

    answer = client.post("/v1/traces", many, {"Content-Encoding": coding})

    assert answer.status == 400
    assert f"The body is not {coding}".encode() in answer.body
    assert b"more than 10,000 streams" in answer.body


@pytest.mark.parametrize("coding", ["br", "snappy", "gzip, gzip", "nonsense"])
def test_unknown_codings_are_refused(client, coding):
    """A content encoding that is not known is answered with 415, and names those that are."""
    answer = client.post("/v1/traces", b"x", {"Content-Encoding": coding})

    assert answer.status == 415
    assert b"use one of gzip, deflate" in answer.body


def test_zstd_without_its_package_says_how_to_get_it(client, monkeypatch):
    """Where zstandard is not installed the refusal names the extra, and the other codings."""
    monkeypatch.setitem(sys.modules, "zstandard", None)

    answer = client.post("/v1/traces", b"(\xb5/\xfd", {"Content-Encoding": "zstd"})

    assert answer.status == 415
    assert b"pip install 'otel-experiments[receiver]'. Or use one of gzip, deflate, or none." in answer.body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["truncated", "garbage"])
def test_what_is_not_of_its_coding_is_refused(client, coding, damage):
    """A compressed body that ends too early, or is something else, is answered with 400 and nothing of it is kept."""
    body = compressed(client.body_of("traces", "protobuf", 100), coding)
    body = body[: len(body) // 2] if damage == "truncated" else b"\x93nonsense" * 20

    answer = client.post("/v1/traces", body, {"Content-Encoding": coding})

    assert (answer.status, answer.error.code) == (400, 3)
    assert coding in answer.error.message
    assert client.receiver.counts.request_count == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_refused(make_receiver, client_of, coding):
    """Half a gigabyte in a few kilobytes is refused as too large, with 413, before it is in memory."""
    client = client_of(make_receiver())
    bomb = compressed(bytes(512 << 20), coding)

    answer = client.post("/v1/traces", bomb, {"Content-Encoding": coding})

    assert len(bomb) < 1 << 20
    assert (answer.status, answer.error.code) == (413, 8)
    assert "larger than 67,108,864 bytes" in answer.error.message
    assert "Retry-After" not in answer.headers


def test_a_body_above_the_limit_is_refused(make_receiver, client_of):
    """A body larger than the limit is answered with 413 even though the client sends all of it before it listens."""
    from otel_experiments.receiver import Limits

    client = client_of(make_receiver(limits=Limits(request_bytes=1000)))

    refused = client.post("/v1/traces", bytes(20 << 20))
    taken = client.post("/v1/traces", client.body_of("traces", "protobuf", 1))

    assert (refused.status, refused.error.code, taken.status) == (413, 8, 200)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_what_cannot_be_decoded_is_refused(client, signal, encoding):
    """A body that is no request is answered with 400 and a status in its encoding that says what was found."""
    answer = client.post(f"/v1/{signal}", b"\xff\xfe\x00 no request", encoding=encoding)

    assert answer.status == 400
    assert (
        answer.headers["Content-Type"]
        == {"protobuf": "application/x-protobuf", "json": "application/json"}[encoding]
    )
    if encoding == "json":
        assert json.loads(answer.body)["code"] == 3
        assert json.loads(answer.body)["message"]
    else:
        assert answer.error.code == 3
        assert answer.error.message
    assert client.receiver.counts.refused_request_counts == {"malformed": 1}


@pytest.mark.parametrize("signal", SIGNALS)
def test_empty_requests_succeed(client, signal):
    """A request without items is answered with success, in both encodings."""
    assert client.post(f"/v1/{signal}", b"").status == 200
    assert client.post(f"/v1/{signal}", b"{}", encoding="json").status == 200


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_spans_without_ids_are_refused_and_the_others_kept(client, encoding, stored):
    """A span whose ids are all zero or of a wrong length is refused by number and reason; the rest is stored."""
    if encoding == "json":
        content = client.json_of("traces", 4)
        spans = content["resourceSpans"][0]["scopeSpans"][0]["spans"]
        spans[0]["traceId"] = "00" * 16
        spans[2]["spanId"] = "ab"
        body = json.dumps(content).encode()
    else:
        message = client.message_of("traces", 4)
        spans = message.resource_spans[0].scope_spans[0].spans
        spans[0].trace_id = bytes(16)
        spans[2].span_id = b"ab"
        body = message.SerializeToString()

    answer = client.post("/v1/traces", body, encoding=encoding)

    assert answer.status == 200
    if encoding == "json":
        partial = json.loads(answer.body)["partialSuccess"]
        count, message = partial["rejectedSpans"], partial["errorMessage"]
        assert count == "2"
    else:
        partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
        count, message = partial.rejected_spans, partial.error_message
        assert count == 2
    assert "2 of 4 spans cannot be kept" in message
    assert sorted(span.name for span in stored().store.spans(SpanQuery())) == ["work 2", "work 4"]


def test_a_request_of_another_signal_is_warned_of(client, caplog):
    """The answer is 200 with no item rejected and a message, the program's log has it once, and nothing is kept."""
    answers = [
        client.post("/v1/traces", client.body_of("metrics", "json"), encoding="json") for _ in range(2)
    ]

    for answer in answers:
        partial = json.loads(answer.body)["partialSuccess"]
        assert (answer.status, partial["rejectedSpans"]) == (200, "0")
        assert "Send it to /v1/metrics." in partial["errorMessage"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "The receiver warns of a request of traces"
    ]


def test_unknown_fields_are_ignored(client):
    """A field of a newer release, in protobuf and in JSON, is passed over."""
    body = client.body_of("traces", "protobuf") + b"\xfa\x3f\x03abc"
    content = client.json_of("traces") | {"newField": {"x": 1}}

    assert client.post("/v1/traces", body).status == 200
    assert client.post("/v1/traces", json.dumps(content).encode(), encoding="json").status == 200
    assert client.receiver.counts.item_counts == {"traces": 2}


def test_ids_in_json_are_hex_in_either_case(client, stored):
    """Ids of JSON in capitals are the same ids."""
    content = client.json_of("traces")
    span = content["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["traceId"] = "AB" * 16
    client.post("/v1/traces", json.dumps(content).encode(), encoding="json")

    (span,) = stored().store.spans(SpanQuery())

    assert span.trace_id == "ab" * 16


def test_chunked_bodies_are_taken(client):
    """A body in chunks, whatever their size, is read to its end, and another request may follow on the connection."""
    body = client.body_of("traces", "protobuf", 40)
    connection = http.client.HTTPConnection("127.0.0.1", client.receiver.http_port, timeout=60)
    headers = {"Content-Type": "application/x-protobuf"}
    statuses = []
    for size in (1, 7, 100_000):
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        connection.request("POST", "/v1/traces", body=pieces, headers=headers, encode_chunked=True)
        answer = connection.getresponse()
        statuses.append((answer.status, answer.read()))
    connection.close()

    assert statuses == [(200, b"")] * 3
    assert client.receiver.counts.item_counts == {"traces": 120}


def test_a_connection_carries_many_requests(client):
    """A connection stays open from request to request."""
    connection = http.client.HTTPConnection("127.0.0.1", client.receiver.http_port, timeout=60)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for _ in range(5):
        connection.request(
            "POST", "/v1/logs", client.body_of("logs", "json"), {"Content-Type": "application/json"}
        )
        assert connection.getresponse().read() == b"{}"
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_requests_that_follow_at_once_are_answered_in_order(client):
    """A client may send several requests before it reads the first answer."""
    body = client.body_of("logs", "json")
    request = (
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    answers = talk(client, request * 3)

    assert answers.count(b"HTTP/1.1 200 OK") == 3


def talk(client, raw):
    """Send bytes on a connection, say that no more come, and return what is answered until the end."""
    with socket.create_connection(("127.0.0.1", client.receiver.http_port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (HEAD + b"Content-Length: 10\r\n\r\nabc", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1e3\r\n\r\n", 400),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", 400),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /v1/traces HTTP/9.9\r\n\r\n", 505),
        (b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"BREW /v1/traces HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_of_http_ends_its_connection(client, raw, status):
    """Wrong lengths, chunks, methods and bytes of other protocols are answered once, and the connection ends."""
    answer = talk(client, raw)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert client.receiver.counts.request_count == 0
    assert client.post("/v1/traces", client.body_of("traces", "protobuf")).status == 200


NEXT = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length : 99\r\n",
        b"no header\r\nContent-Length: 99\r\n",
        b": no name\r\nContent-Length: 99\r\n",
        b"From me to you\r\nContent-Length: 99\r\n",
        b"X: a\r\n Content-Length: 99\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
        b"Content-Length: 0\r\nX: a\0b\r\n",
        b"Content-Length: \x0b0\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
    ],
)
def test_headers_that_servers_read_differently_end_the_connection(client, lines):
    """A request whose headers a proxy may read in another way is refused, and what follows is no second request."""
    answer = talk(client, HEAD + lines + b"\r\n" + NEXT)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert client.receiver.counts.request_count == 0


@pytest.mark.parametrize(("version", "count"), [(b"1.0", 1), (b"1.1", 2)])
def test_chunks_of_an_old_client_end_the_connection(client, version, count):
    """HTTP/1.0 knows no chunks: the request is answered, and what follows it is no second request."""
    head = HEAD.replace(b"HTTP/1.1", b"HTTP/" + version) + b"Connection: keep-alive\r\n"

    answer = talk(client, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT)

    assert answer.count(b"HTTP/1.1 200") == count


def test_headers_that_end_too_early_are_refused(client):
    """A connection that is cut between two headers has sent no request, though one could be read from it."""
    answer = talk(client, HEAD + b"Content-Length: 0\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert client.receiver.counts.request_count == 0


@pytest.mark.parametrize(
    "framing", [b"Content-Length: %d\r\n" % len(NEXT), b"Transfer-Encoding: chunked\r\n"]
)
def test_the_body_of_a_preflight_is_no_second_request(make_receiver, client_of, framing):
    """A browser's question that has a body is answered, and the connection ends: the body is not read as a request."""
    client = client_of(make_receiver(allowed_origins=["https://app.example"]))
    question = b"OPTIONS /v1/logs HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"

    answer = talk(client, question + framing + b"\r\n" + NEXT)

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert client.receiver.counts.request_count == 0


@pytest.mark.parametrize(
    "sent", [b"5;", b"5\r\nab", b"2\r\nab", b"2\r\nab\r\n0\r\nx"], ids=["size", "bytes", "end", "trailer"]
)
def test_a_chunk_that_comes_too_slowly_is_refused(client, monkeypatch, sent):
    """A client that sends the frame of its chunks byte by byte is answered with 408 when its time is up."""
    monkeypatch.setattr(http_framing, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(http_framing, "_DISCARD_S", 0.0)
    with socket.create_connection(("127.0.0.1", client.receiver.http_port), timeout=20) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + sent)

        assert connection.recv(4000).startswith(b"HTTP/1.1 408 ")


def test_a_refused_request_is_not_read_for_ever(make_receiver, client_of, monkeypatch):
    """A client without the token that goes on to send the size of a chunk, byte by byte, is cut off."""
    monkeypatch.setattr(http_framing, "_DISCARD_S", 0.0)
    client = client_of(make_receiver(token="secret"))
    with socket.create_connection(("127.0.0.1", client.receiver.http_port), timeout=20) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(4000).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"5")

        assert connection.recv(4000) == b""


def test_a_client_that_asks_first_is_told_to_go_on(client):
    """`Expect: 100-continue` is answered with 100, then with the answer."""
    body = client.body_of("logs", "json")
    request = (
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    answer = talk(client, request)

    assert answer.startswith(b"HTTP/1.1 100 Continue")
    assert b"HTTP/1.1 200 OK" in answer
