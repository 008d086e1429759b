"""Certificates of every kind, over gRPC and over HTTP: what is accepted, and what is said of what is not."""

import shutil
import ssl
import subprocess
import threading
from concurrent import futures
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import otel_experiments as ox
from otel_experiments.record.otlp.client import open_client
from otel_experiments.record.otlp.environment import read_plan

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

PROTOCOLS = ("grpc", "http/protobuf")


def openssl(*arguments):
    """Run openssl."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=100)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return the folder of an authority and of the certificates that it has signed: server, other, expired, client."""
    folder = tmp_path_factory.mktemp("authority")
    ca = folder / "ca.pem", folder / "ca.key"
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=ours",
        "-out",
        ca[0],
        "-keyout",
        ca[1],
    )
    for name, host, days in (
        ("server", "localhost", 2),
        ("other", "else.example", 2),
        ("expired", "localhost", -1),
        ("client", "me", 2),
    ):
        request = folder / f"{name}.csr"
        openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
            "-out", request, "-keyout", folder / f"{name}.key",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", days,
            "-copy_extensions", "copy", "-out", folder / f"{name}.pem",
        )  # fmt: skip
    return folder


class GrpcServer:
    """Takes traces over gRPC and TLS."""

    def __init__(self, folder, name, *, asks_for_clients):
        class Servicer(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request, context):
                return trace_service_pb2.ExportTraceServiceResponse()

        self._pool = futures.ThreadPoolExecutor(max_workers=2)
        self._server = grpc.server(self._pool)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Servicer(), self._server)
        pair = (folder / f"{name}.key").read_bytes(), (folder / f"{name}.pem").read_bytes()
        ca = (folder / "ca.pem").read_bytes() if asks_for_clients else None
        credentials = grpc.ssl_server_credentials(
            [pair], root_certificates=ca, require_client_auth=asks_for_clients
        )
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    def close(self):
        """Stop at once."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True, cancel_futures=True)


class Answering(BaseHTTPRequestHandler):
    """Answers every request that all is well."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


class HttpServer:
    """Takes anything over HTTP, with TLS where a folder of certificates is given."""

    def __init__(self, folder=None, name="", *, asks_for_clients=False):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        server.handle_error = lambda *_: None
        server.daemon_threads = True
        if folder is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
            if asks_for_clients:
                context.load_verify_locations(folder / "ca.pem")
                context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server = server
        self.port = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        """Stop at once."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def serve(authority):
    """Return a function that starts a server of a protocol with one of the certificates; returns its port."""
    made = []

    def start(protocol, name="server", *, asks_for_clients=False):
        kind = GrpcServer if protocol == "grpc" else HttpServer
        made.append(kind(authority, name, asks_for_clients=asks_for_clients))
        return made[-1].port

    yield start
    for server in made:
        server.close()


@pytest.fixture
def send(authority):
    """Return a function that sends an empty request once, as code says it, and returns what became of it."""
    clients = []

    def once(protocol, port, scheme="https", **given):
        setting = ox.Otlp(endpoint=f"{scheme}://localhost:{port}", protocol=protocol, timeout_s=20, **given)
        plan = read_plan(setting, {})
        assert plan.notices == []
        clients.append(open_client(replace(plan.destinations["traces"]), user_agent="ours"))
        return clients[-1].send(b"")

    yield once
    for client in clients:
        client.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_with_its_certificate_and_the_authority_is_let_in(authority, serve, send, protocol):
    """All three files are used: the server trusts the client, and the client the server."""
    port = serve(protocol, asks_for_clients=True)

    outcome = send(
        protocol, port, certificate=authority / "ca.pem",
        client_certificate=authority / "client.pem", client_key=authority / "client.key",
    )  # fmt: skip

    assert (outcome.is_taken, outcome.detail) == (True, "")


REFUSED = {
    "expired": ("has expired", True),
    "other": ("one of another host", True),
    "server": ("name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE", False),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_certificate_that_is_not_good_is_said_to_be_so(authority, serve, send, protocol, name):
    """Expired, of another host, of an authority that is not trusted: nothing is sent, and the text names the reason."""
    said, is_trusted = REFUSED[name]
    port = serve(protocol, name)

    outcome = send(protocol, port, **({"certificate": authority / "ca.pem"} if is_trusted else {}))

    assert (outcome.is_taken, outcome.is_passing, outcome.is_unreachable) == (False, True, True)
    assert said in outcome.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_asks_for_a_certificate_gets_none_without_one(authority, serve, send, protocol):
    """The request waits, nothing is taken, and the text names the two variables."""
    port = serve(protocol, asks_for_clients=True)

    outcome = send(protocol, port, certificate=authority / "ca.pem")

    assert (outcome.is_taken, outcome.is_passing) == (False, True)
    assert "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" in outcome.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_text_to_a_port_of_tls_is_not_taken(serve, send, protocol):
    """http:// where https:// is spoken: the request waits."""
    outcome = send(protocol, serve(protocol), scheme="http")

    assert (outcome.is_taken, outcome.is_passing) == (False, True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_to_a_port_of_plain_text_is_said_in_words(send, protocol):
    """https:// where http:// is spoken: the text says what to write."""
    server = HttpServer()
    try:
        outcome = send(protocol, server.port)
    finally:
        server.close()

    assert (outcome.is_taken, outcome.is_passing, outcome.is_unreachable) == (False, True, True)
    assert f"write http://localhost:{server.port}" in outcome.detail


def test_each_protocol_to_the_port_of_the_other_names_the_way_out(authority, serve, send):
    """A gRPC client at an HTTP port, and the other way round, over TLS: nothing is taken."""
    to_http = send("grpc", serve("http/protobuf"), certificate=authority / "ca.pem")
    to_grpc = send("http/protobuf", serve("grpc"), certificate=authority / "ca.pem")

    assert (to_http.is_taken, to_http.is_passing) == (False, True)
    assert (to_grpc.is_taken, to_grpc.is_passing) == (False, True)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in to_grpc.detail
