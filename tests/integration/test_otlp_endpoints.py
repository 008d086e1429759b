"""Endpoints as people write them: what works is dialled, what cannot is explained in a sentence that says what to write."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

TRAIN = """
import otel_experiments as ox
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run, run.stage("load"):
    run.log({"loss": 1.0})
report = run.flush(timeout_s=20.0)
print(report.is_stored, report.is_exported)
"""


def train(tmp_path, **environment):
    """Run a small training with these variables; return what it printed and its stderr."""
    plain = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={**plain, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout.split(), done.stderr


def assert_one_sentence(stderr, *parts):
    """See that stderr has one line, of ours, with these parts."""
    (line,) = stderr.splitlines()
    assert line.startswith("OTLP: ")
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("localhost:{port}", "an endpoint without a scheme means TLS, and this port speaks none"),
        ("127.0.0.1:{port}", "an endpoint without a scheme means TLS, and this port speaks none"),
        ("https://localhost:{port}", "https means TLS, and this port speaks none"),
    ],
)
def test_tls_to_a_plain_port_is_said_in_words(tmp_path, collector, written, why):
    """One line says what is wrong and what to write, and gRPC writes nothing of its own to stderr."""
    printed, stderr = train(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=written.format(port=collector.port))

    assert printed == ["True", "False"]
    assert_one_sentence(stderr, why, "write http://", f":{collector.port}", "The store has them")


def test_an_endpoint_without_a_scheme_is_plain_where_that_is_said(tmp_path, collector):
    """OTEL_EXPORTER_OTLP_INSECURE=true speaks for endpoints that say neither http nor https."""
    printed, stderr = train(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"localhost:{collector.port}",
        OTEL_EXPORTER_OTLP_INSECURE="true",
    )

    assert (printed, stderr) == (["True", "True"], "")
    assert len(collector.spans) == 2


def test_a_port_that_speaks_http_is_said_in_words(tmp_path):
    """A web server answers: the line says that it speaks no gRPC, not what frames were expected."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.RequestHandlerClass.log_message = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        printed, stderr = train(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        server.shutdown()

    assert printed == ["True", "False"]
    assert_one_sentence(stderr, "what answers there speaks no gRPC", "4317", "The store has them")


def test_a_local_socket_is_plain(tmp_path):
    """unix:///path is dialled without TLS."""
    got = []

    class Servicer(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request, context):
            got.append(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Servicer(), server)
    path = tmp_path / "otlp.sock"
    server.add_insecure_port(f"unix:{path}")
    server.start()
    printed, stderr = train(tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"unix://{path}")
    server.stop(grace=None).wait()

    assert (printed, stderr) == (["True", "True"], "")
    assert sum(len(scope.spans) for r in got for part in r.resource_spans for scope in part.scope_spans) == 2


class Proxy:
    """Takes connections, counts them and hangs up."""

    def __enter__(self):
        self.count = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.count += 1
            connection.close()

    def __exit__(self, *_):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"])
def test_this_machine_is_not_asked_through_a_proxy(tmp_path, collector, variable):
    """A proxy for the web is none for a collector on this machine."""
    with Proxy() as proxy:
        printed, stderr = train(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            **{variable: f"http://127.0.0.1:{proxy.port}"},
        )

    assert (printed, stderr, proxy.count) == (["True", "True"], "", 0)
    assert len(collector.spans) == 2


def test_a_proxy_that_stands_in_the_way_is_named(tmp_path):
    """Another machine is asked through the proxy, and where that fails the line names both, without the password."""
    with Proxy() as proxy:
        printed, stderr = train(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4317",
            http_proxy=f"http://me:secret@127.0.0.1:{proxy.port}",
        )

    assert printed == ["True", "False"]
    ours = stderr.splitlines()[-1]  # gRPC writes a line of its own before it
    assert_one_sentence(
        ours,
        "collector.invalid:4317 did not take",
        f"it goes through the proxy 127.0.0.1:{proxy.port} of http_proxy",
    )
    assert "secret" not in stderr
