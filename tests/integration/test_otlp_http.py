"""OTLP over HTTP: real servers, and what becomes of a request whatever they answer."""

import gzip
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

import otel_experiments as ox
from otel_experiments.record.otlp.client import open_client
from otel_experiments.record.otlp.environment import read_plan

REQUESTS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class HttpCollector:
    """An OTLP/HTTP server: `requests` has (path, headers, body) of every request, `answers` what it says next.

    An answer is (status, headers, body), or a function that is given the handler and does what it likes.
    """

    def __init__(self):
        self.requests = []
        self.connections = 0
        self.answers = []
        self.refused = {}
        self.always = (200, PROTOBUF, b"")
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                collector.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, dict(self.headers.items()), body))
                answer = collector.answers.pop(0) if collector.answers else collector.always
                answer = collector.refused.get(self.path, answer)
                if callable(answer):
                    answer(self)
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def messages(self, path):
        """Return the requests of a path, decoded."""
        found = []
        for one, headers, body in self.requests:
            if one == path:
                raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
                found.append(REQUESTS[path].FromString(raw))
        return found

    def close(self):
        """Stop at once."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def web():
    """Return a running OTLP/HTTP endpoint."""
    made = HttpCollector()
    yield made
    made.close()


@pytest.fixture
def clients():
    """Return a function that makes the client of a signal from variables; all are closed afterwards."""
    made = []

    def make(endpoint, signal="traces", **environ):
        plan = read_plan(
            None,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                **{
                    name if name.islower() else f"OTEL_EXPORTER_OTLP_{name}": value
                    for name, value in environ.items()
                },
            },
        )
        assert plan.notices == []
        made.append(open_client(plan.destinations[signal], user_agent="ours/1"))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_run_arrives_whole_over_http(web, configure, monkeypatch):
    """With http/protobuf each signal goes to its path under the endpoint: all spans, points and events, compressed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    configure()
    with ox.start_run() as run:
        for number in range(500):
            run.log({"loss": float(number)}, step=number)
        for number in range(20):
            with run.stage(f"stage {number}"):
                pass
        run.emit("app.event", {"number": 1})
        report = run.flush(timeout_s=60.0)
    ox.shutdown()

    assert report.is_exported
    names = Counter(
        span.name
        for message in web.messages("/v1/traces")
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
    assert names.total() == 21
    values = [
        point.as_double
        for message in web.messages("/v1/metrics")
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "ml.metric.value"
        for point in metric.gauge.data_points
    ]
    assert sorted(values) == [float(number) for number in range(500)]
    assert any(
        record.event_name == "app.event"
        for message in web.messages("/v1/logs")
        for resource in message.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    )


@pytest.mark.parametrize("is_stored", [True, False])
def test_an_endpoint_in_code_is_sent_to_and_its_secrets_stay_there(
    web, configure, tmp_path, is_stored, caplog
):
    """With a store or without one the run arrives, and what authenticates it is on no disk and in no message."""
    setting = ox.Otlp(
        endpoint=web.endpoint, protocol="http/protobuf", headers={"x-key": "hidden-key"}, signals=["traces"]
    )
    configure(otlp=setting, **({} if is_stored else {"store": "none"}))
    with ox.start_run() as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    assert {path for path, _, _ in web.requests} == {"/v1/traces"}
    assert {headers["x-key"] for _, headers, _ in web.requests} == {"hidden-key"}
    assert "hidden-key" not in caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert bool(files) is is_stored
    assert not any(b"hidden-key" in path.read_bytes() for path in files)
    assert not any(b"hidden-key" in body for _, _, body in web.requests)


def test_requests_go_over_one_connection_with_headers_and_the_login_of_the_url(web, clients):
    """Headers of the variable, `user:password@` of the URL and the content type come along; the connection is kept."""
    client = clients(
        web.endpoint.replace("http://", "http://me:se%20cret@") + "/base/",
        HEADERS="x-tenant=a%20b",
        COMPRESSION="gzip",
    )

    assert [client.send(b"\n\x00").is_taken for _ in range(3)] == [True] * 3

    (path, headers, body), *_ = web.requests
    assert (path, web.connections) == ("/base/v1/traces", 1)
    assert gzip.decompress(body) == b"\n\x00"
    assert headers["x-tenant"] == "a b"
    assert headers["authorization"] == "Basic bWU6c2UgY3JldA=="
    assert (headers["content-type"], headers["user-agent"]) == ("application/x-protobuf", "ours/1")
    assert "cret" not in repr(client.destination)
    assert "a b" not in repr(client.destination)


def test_the_url_of_a_signal_is_used_as_it_is(web, clients):
    """The signal's own variable names the whole path and its query."""
    client = clients("http://127.0.0.1:1", TRACES_ENDPOINT=f"{web.endpoint}/api/in?key=1")

    assert client.send(b"").is_taken
    assert web.requests[0][0] == "/api/in?key=1"


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(web, clients):
    """A server that ends idle connections costs no request: it is sent once more over a new one."""

    def answer_and_close(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        handler.close_connection = True

    client = clients(web.endpoint)
    web.answers = [answer_and_close]

    assert client.send(b"").is_taken
    assert client.send(b"").is_taken
    assert (web.connections, len(web.requests)) == (2, 2)


def status_body(message, delay_s=None):
    """Return a failure's body as OTLP has it."""
    status = Status(code=14, message=message)
    if delay_s is not None:
        detail = Any()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=delay_s)))
        status.details.append(detail)
    return status.SerializeToString()


PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
).SerializeToString()
WARNING = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(error_message="old protocol")
).SerializeToString()
HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
ANSWERS = {
    # what is answered: what is true of the outcome, its delay, its rejected count, a part of its text
    "taken": ((200, PROTOBUF, b""), {"is_taken"}, None, 0, ""),
    "accepted": ((202, {}, b""), {"is_taken"}, None, 0, ""),
    "partial success": ((200, PROTOBUF, PARTIAL), {"is_taken"}, None, 2, "too old"),
    "warning": ((200, PROTOBUF, WARNING), {"is_taken"}, None, 0, "old protocol"),
    "partial success in JSON": (
        (200, JSON, b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "no"}}'), {"is_taken"}, None, 3, "no",
    ),
    "nothing in JSON": ((200, JSON, b"{}"), {"is_taken"}, None, 0, ""),
    "garbage in JSON": ((200, JSON, b'["'), {"is_taken"}, None, 0, "no response of OTLP"),
    "garbage": ((200, PROTOBUF, b"\xff\xff"), {"is_taken"}, None, 0, "no response of OTLP"),
    "a web page": ((200, HTML, b"<!doctype html><title>Hello"), set(), None, 0, "no receiver of OTLP"),
    "a web page without type": ((200, {}, b"\n <html>"), set(), None, 0, "no receiver of OTLP"),
    "bad request": ((400, PROTOBUF, status_body("no such field")), set(), None, 0, "HTTP 400 Bad Request"),
    "bad request says": ((400, PROTOBUF, status_body("no such field")), set(), None, 0, "no such field"),
    "plain text": ((415, {"Content-Type": "text/plain"}, b"no\nprotobuf"), set(), None, 0, "no protobuf"),
    "unauthenticated": ((401, {}, b""), {"is_denied"}, None, 0, "OTEL_EXPORTER_OTLP_HEADERS"),
    "forbidden": ((403, JSON, b'{"code": 7, "message": "not you"}'), {"is_denied"}, None, 0, "not you"),
    "a proxy without a login": ((407, {}, b""), {"is_denied"}, None, 0, "407"),
    "no such path": ((404, {}, b"404 page not found"), {"is_unserved"}, None, 0, "404"),
    "too large": ((413, {}, b""), {"is_too_large"}, None, 0, "413"),
    "redirect": ((307, {"Location": "https://u:p@other/v1?q=1"}, b""), set(), None, 0, "redirects to 'https://other/v1'"),
    "server error": ((500, {}, b"oops"), set(), None, 0, "oops"),
    "too many": ((429, {}, b""), {"is_passing"}, None, 0, "429"),
    "too many, seconds": ((429, {"Retry-After": "7"}, b""), {"is_passing"}, 7.0, 0, "it asks to wait 7 s"),
    "too many, nonsense": ((429, {"Retry-After": "soon"}, b""), {"is_passing"}, None, 0, ""),
    "bad gateway": ((502, HTML, b"<html>bad"), {"is_passing"}, None, 0, "502"),
    "unavailable": ((503, {"Retry-After": "3"}, b""), {"is_passing"}, 3.0, 0, ""),
    "unavailable, RetryInfo": ((503, PROTOBUF, status_body("busy", 9)), {"is_passing"}, 9.0, 0, "busy"),
    "gateway timeout": ((504, {}, b""), {"is_passing"}, None, 0, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_means_what_the_specification_says(web, clients, name):
    """Taken, later, smaller, never or not this signal: by status, Retry-After, and what the body says."""
    answer, is_so, delay_s, rejected_count, text = ANSWERS[name]
    web.always = answer

    outcome = clients(web.endpoint).send(b"")

    flags = (
        "is_taken",
        "is_passing",
        "is_divisible",
        "is_too_large",
        "is_unreachable",
        "is_unserved",
        "is_denied",
    )
    assert {flag for flag in flags if getattr(outcome, flag)} == is_so
    assert (outcome.delay_s, outcome.rejected_count) == (delay_s, rejected_count)
    assert text in outcome.detail
    assert "u:p" not in outcome.detail
    assert len(web.requests) == 1


def test_a_retry_after_may_be_a_date(web, clients):
    """A date in an hour is about an hour; one that has passed names no time."""
    client = clients(web.endpoint)
    web.answers = [
        (503, {"Retry-After": formatdate(4_000_000_000, usegmt=True)}, b""),
        (503, {"Retry-After": formatdate(1_000_000, usegmt=True)}, b""),
    ]

    future, past = client.send(b""), client.send(b"")

    assert future.delay_s > 1e6
    assert (future.is_passing, past.is_passing, past.delay_s) == (True, True, None)


def test_throttling_is_waited_for_and_a_large_request_made_smaller(web, configure, monkeypatch):
    """A run of which the first answers are 429, 503 and 413 arrives whole, each span once."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", web.endpoint + "/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    configure()
    web.answers = [(429, {}, b""), (503, PROTOBUF, status_body("busy")), (413, {}, b"")]
    with ox.start_run() as run:
        for number in range(40):
            with run.stage(f"stage {number}", note="x" * 300):
                pass
        report = run.flush(timeout_s=60.0)

    assert report.is_exported
    assert report.lost == {}
    stages = Counter(
        span.span_id
        for message in web.messages("/v1/traces")[3:]
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
    assert set(stages.values()) == {1}
    assert stages.total() >= 40


def serve_bytes(answer):
    """Return the port of a server that reads a little, answers with bytes and hangs up, and what closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()

    def close():
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()

    return listener.getsockname()[1], close


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x00\x12\x04\x00\x00",
        b"HTTP/1.1 banana\r\n\r\n",
    ],
)
def test_a_port_that_speaks_something_else_is_an_endpoint_that_cannot_be_reached(clients, answer):
    """The request waits, and the text names what was met."""
    port, close = serve_bytes(answer)
    try:
        outcome = clients(f"http://127.0.0.1:{port}").send(b"")
    finally:
        close()

    assert (outcome.is_taken, outcome.is_passing, outcome.is_unreachable) == (False, True, True)
    assert "no answer after" in outcome.detail


def test_an_answer_that_is_cut_off_after_its_status_is_a_success(clients):
    """The status says that the request is taken; sending it again would double it."""
    port, close = serve_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    try:
        outcome = clients(f"http://127.0.0.1:{port}").send(b"")
    finally:
        close()

    assert outcome.is_taken


def test_http_to_a_grpc_port_names_both_ways_out(clients, collector):
    """A gRPC server answers: the text names the protocol's variable and the usual port."""
    outcome = clients(collector.endpoint).send(b"\n\x00")

    assert (outcome.is_taken, outcome.is_passing) == (False, True)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in outcome.detail
    assert "4318" in outcome.detail


def test_a_dead_endpoint_is_unreachable(clients):
    """Nothing listens: the request waits, and those who flush do not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    outcome = clients(f"http://127.0.0.1:{port}").send(b"")

    assert (outcome.is_taken, outcome.is_passing, outcome.is_unreachable) == (False, True, True)
    assert "refused" in outcome.detail


def test_an_endpoint_that_drips_its_answer_ends_with_the_timeout(web, clients):
    """The timeout is one for the whole request: a byte now and then does not hold it up for ever."""
    release = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not release.wait(0.02):
            handler.wfile.write(b"x")

    web.always = drip
    try:
        outcome = clients(web.endpoint, TIMEOUT="0.3").send(b"")
    finally:
        release.set()

    assert (outcome.is_taken, outcome.is_passing, outcome.is_unreachable) == (False, True, True)
    assert "timed out" in outcome.detail


def test_closing_ends_a_request_that_waits(web, clients):
    """What stops the sender does not wait for an endpoint that never answers."""
    asked, release = threading.Event(), threading.Event()
    client = clients(web.endpoint, TIMEOUT="500")

    def hang(handler):
        asked.set()
        release.wait(60)

    web.always = hang
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(client.send(b"")))
    thread.start()
    assert asked.wait(60)
    client.close()
    thread.join(60)
    release.set()

    assert not thread.is_alive()
    assert (outcomes[0].is_taken, outcomes[0].is_passing) == (False, True)
    assert client.send(b"").detail == "it was shut down"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_client_that_was_closed_connects_no_more(collector, web, clients, protocol):
    """Once the process ends, a sender that was late opens no connection that nobody would close."""
    client = clients(collector.endpoint if protocol == "grpc" else web.endpoint, PROTOCOL=protocol)
    assert client.send(b"").is_taken
    client.close()
    client.close()

    outcome = client.send(b"")

    assert (outcome.is_taken, outcome.detail) == (False, "it was shut down")
    assert (len(collector.requests), web.connections) == ((1, 0) if protocol == "grpc" else (0, 1))


def test_a_signal_that_is_not_served_over_http_is_off_and_said_once(web, configure, monkeypatch, caplog):
    """404 for metrics: one line names the switch, the other signals arrive, and nothing counts as lost."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", web.endpoint + "/nowhere")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    configure()
    web.refused = {"/nowhere": (404, {}, b"")}
    with ox.start_run() as run:
        for number in range(100):
            run.log({"loss": float(number)})
        report = run.flush(timeout_s=60.0)
    ox.shutdown()

    assert report.is_exported
    assert caplog.text.count("takes no metrics (HTTP 404") == 1
    assert [path for path, _, _ in web.requests].count("/nowhere") == 1
    assert web.messages("/v1/traces")


def test_a_warning_is_told_once_and_loses_nothing(web, configure, monkeypatch, caplog):
    """A partial success that rejects nothing is the endpoint's word to people: they hear it once a signal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", web.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    configure()
    web.always = (200, PROTOBUF, WARNING)
    with ox.start_run() as run:
        for number in range(3):
            with run.stage(f"stage {number}"):
                pass
        report = run.flush(timeout_s=60.0)

    assert (report.is_exported, report.lost) == (True, {})
    assert caplog.text.count("old protocol") == 1
    assert "Nothing is lost" in caplog.text


class ForwardProxy:
    """A proxy that answers every request itself; `lines` has the first line and the headers of each."""

    def __init__(self):
        self.seen = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                proxy.seen.append((self.path, dict(self.headers.items())))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_CONNECT(self):
                proxy.seen.append((self.path, dict(self.headers.items())))
                self.send_error(403)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:pass@127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        """Stop at once."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def proxy():
    """Return a running proxy."""
    made = ForwardProxy()
    yield made
    made.close()


def test_another_host_is_asked_through_the_proxy(clients, proxy):
    """HTTP_PROXY takes requests for plain endpoints whole, with its own login; it is never asked for NO_PROXY's hosts."""
    client = clients("http://collector.invalid:4318", http_proxy=proxy.url, no_proxy="other.invalid")

    assert client.send(b"").is_taken
    ((target, headers),) = proxy.seen
    assert target == "http://collector.invalid:4318/v1/traces"
    assert headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert "pass" not in repr(client.destination)

    exempt = clients("http://collector.invalid:4318", http_proxy=proxy.url, no_proxy="x, .invalid")
    assert exempt.send(b"").is_unreachable
    assert len(proxy.seen) == 1


def test_a_proxy_that_refuses_a_tunnel_is_named(clients, proxy):
    """HTTPS goes through CONNECT; the text of a refusal names the proxy without its password."""
    client = clients("https://collector.invalid:4318", https_proxy=proxy.url)

    outcome = client.send(b"")

    assert proxy.seen[0][0] == "collector.invalid:4318"
    assert (outcome.is_passing, outcome.is_unreachable) == (True, True)
    assert "the proxy 127.0.0.1" in outcome.detail
    assert "pass" not in outcome.detail


WITHOUT_GRPC = """
import sys, otel_experiments as ox
ox.configure(store='x.db', system_metrics_s=0.0, capture_git=False)
with ox.start_run('r') as run:
    run.log({'a': 1.0})
print('grpc' in sys.modules, run.flush().is_exported)
"""


def test_a_process_that_sends_over_http_loads_no_grpc(web, tmp_path):
    """GRPC costs time and memory, and is imported only where it sends."""
    done = subprocess.run(
        [
            sys.executable, "-c",
            WITHOUT_GRPC,
        ],
        env={
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": web.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        },
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip

    assert (done.stdout.split(), done.stderr) == (["False", "True"], "")
