"""TLS: an authority of one's own, a client's certificate, and what is said where nobody trusts the endpoint."""

import os
import shutil
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

TRAIN = """
import otel_experiments as ox
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run, run.stage("load"):
    pass
print(run.flush(timeout_s=20.0).is_exported)
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return the paths of a self-signed certificate for localhost and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1],
        ],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    return paths


class Server:
    """A TLS endpoint for traces; `headers` has the metadata of each request."""

    def __init__(self, certificate, *, asks_for_clients=False):
        server_certificate, key = (path.read_bytes() for path in certificate)
        self.headers = headers = []

        class Servicer(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request, context):
                headers.append(dict(context.invocation_metadata()))
                return trace_service_pb2.ExportTraceServiceResponse()

        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Servicer(), self._server)
        credentials = grpc.ssl_server_credentials(
            [(key, server_certificate)],
            root_certificates=server_certificate if asks_for_clients else None,
            require_client_auth=asks_for_clients,
        )
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(grace=None).wait()


def train(tmp_path, server, **environment):
    """Run a small training against the server; return whether all was exported, and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={
            **os.environ,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"https://localhost:{server.port}",
            **{f"OTEL_EXPORTER_OTLP_{name}": str(value) for name, value in environment.items()},
        },
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout.strip() == "True", done.stderr


def test_an_authority_of_ones_own_is_trusted(tmp_path, certificate):
    """OTEL_EXPORTER_OTLP_CERTIFICATE names it; headers and compression go along."""
    with Server(certificate) as server:
        is_exported, stderr = train(
            tmp_path,
            server,
            CERTIFICATE=certificate[0],
            HEADERS="authorization=Bearer%20x",
            COMPRESSION="gzip",
        )

    assert (is_exported, stderr) == (True, "")
    assert {headers["authorization"] for headers in server.headers} == {"Bearer x"}
    assert server.headers[0]["user-agent"].startswith("otel-experiments/")


def test_a_client_shows_its_certificate(tmp_path, certificate):
    """Both files of the client are given, and the endpoint that asks for them takes the spans."""
    with Server(certificate, asks_for_clients=True) as server:
        is_exported, stderr = train(
            tmp_path, server,
            CERTIFICATE=certificate[0], CLIENT_CERTIFICATE=certificate[0], CLIENT_KEY=certificate[1],
        )  # fmt: skip

    assert (is_exported, stderr) == (True, "")


def test_an_endpoint_that_nobody_trusts_is_said_in_words(tmp_path, certificate):
    """Without the authority nothing is sent, and the last line names the variable to set."""
    with Server(certificate) as server:
        is_exported, stderr = train(tmp_path, server)

    assert (is_exported, server.headers) == (False, [])
    assert "its certificate is not trusted; name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE" in stderr


@pytest.mark.parametrize("variable", ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"])
@pytest.mark.parametrize(
    "content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_no_certificate_ends_no_training(tmp_path, certificate, variable, content):
    """It is told once, the run is recorded, and gRPC gets nothing to stumble over."""
    broken = tmp_path / "broken.pem"
    broken.write_text(content)
    with Server(certificate) as server:
        _, stderr = train(tmp_path, server, **{"CERTIFICATE": certificate[0], variable: broken})

    assert stderr.count(f"OTEL_EXPORTER_OTLP_{variable}={str(broken)!r} cannot be used") <= 1
    assert "cannot be used" in stderr or "belong together" in stderr
    assert (tmp_path / "experiments.db").exists()
    assert "Traceback" not in stderr


def test_a_clients_certificate_and_key_that_do_not_fit_are_left_out(tmp_path, certificate):
    """Each is a PEM file, and together they are nothing: the spans go without them."""
    with Server(certificate) as server:
        is_exported, stderr = train(
            tmp_path, server,
            CERTIFICATE=certificate[0], CLIENT_CERTIFICATE=certificate[0], CLIENT_KEY=certificate[0],
        )  # fmt: skip

    assert is_exported
    assert "belong together, and they do not fit" in stderr
