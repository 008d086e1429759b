"""Real Collector, Jaeger, Prometheus and VictoriaMetrics on 127.0.0.1, each in a folder of its own.

They are started by the files of `collector-config/`, as users start them; ports come by the variables that those
files name. A program is stopped by the id with which it was started.
"""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import grpc
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "collector-config"
HANGS_S = 60.0
"""How long something may take before the test fails instead of hanging."""
FIRST_PORT, PAST_PORT = 20_000, 32_000
"""Ports below those that the system gives to outgoing connections, which would take one between two starts."""
_ports = itertools.cycle(range(FIRST_PORT + os.getpid() * 61 % (PAST_PORT - FIRST_PORT), PAST_PORT))


def free_port():
    """Return a port that nothing listens at."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def until(condition, *, what, timeout_s=HANGS_S):
    """Wait until something is true and return it; a server of another process rings no bell, so it is asked."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"it never came true: {what() if callable(what) else what}"
        time.sleep(0.05)
    return found


def integer(text):
    """Return a number of a JSON document; the `-0` that programs in Go write is a float with its sign."""
    return -0.0 if text == "-0" else int(text)


def fetch(url, **parameters):
    """Return what a GET answers, as text; None for what is refused, not found, or not there."""
    pairs = [
        (key, value)
        for key, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    try:
        with urllib.request.urlopen(
            f"{url}?{urllib.parse.urlencode(pairs)}" if pairs else url, timeout=HANGS_S
        ) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return None


class Server:
    """One program: started, asked until it is ready, killed, started again, stopped."""

    def __init__(self, binary, folder, arguments, *, environment=None, ready_url):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / "log.txt"
        self.ready_url = ready_url
        self._command = [str(binary), *arguments]
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith("OTEL_")
        } | (environment or {})
        self._process = None

    def start(self):
        """Start and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._is_ready, what=lambda: f"{self._command[0]} is ready:\n{self.last_lines()}")
        return self

    def _is_ready(self):
        assert self._process.poll() is None, f"{' '.join(self._command)} ended:\n{self.last_lines()}"
        return fetch(self.ready_url) is not None

    def last_lines(self, count=15):
        """Return the end of what it printed."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def kill(self):
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self):
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def _end(self, how):
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=HANGS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None


class Collector(Server):
    """The Collector with one or more files of `collector-config/`."""

    def __init__(self, binary, folder, configs, environment):
        ports = {name: free_port() for name in ("grpc", "http", "health", "metrics")}
        self.endpoint = f"http://127.0.0.1:{ports['grpc']}"
        self.http_endpoint = f"http://127.0.0.1:{ports['http']}"
        self.metrics_url = f"http://127.0.0.1:{ports['metrics']}/metrics"
        super().__init__(
            binary,
            folder,
            [part for config in configs for part in ("--config", str(config))],
            environment={
                "COLLECTOR_GRPC_ENDPOINT": f"127.0.0.1:{ports['grpc']}",
                "COLLECTOR_HTTP_ENDPOINT": f"127.0.0.1:{ports['http']}",
                "COLLECTOR_HEALTH_ENDPOINT": f"127.0.0.1:{ports['health']}",
                "COLLECTOR_METRICS_PORT": str(ports["metrics"]),
                "COLLECTOR_STORAGE": str(folder / "storage"),
                "COLLECTOR_FILE": str(folder / "telemetry.jsonl"),
            }
            | environment,
            ready_url=f"http://127.0.0.1:{ports['health']}/",
        )

    @property
    def lines(self):
        """The requests that file.yaml wrote, as JSON documents; a line that is being written is left out."""
        file = self.folder / "telemetry.jsonl"
        whole = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
        return [json.loads(line, parse_int=integer) for line in whole]

    def counts(self, name):
        """Return what the Collector counts of itself, one number a series: `otelcol_exporter_sent_spans`."""
        text = fetch(self.metrics_url) or ""
        return {
            labels: float(value)
            for labels, value in re.findall(
                rf"^{name}(?:__\w+_)?(?:_total)?({{.*}})? (\S+)$", text, re.MULTILINE
            )
        }


class Jaeger(Server):
    """Jaeger with `collector-config/servers/jaeger.yaml`, its traces in memory."""

    def __init__(self, binary, folder):
        grpc, http, ui, query = (free_port() for _ in range(4))
        self.endpoint = f"127.0.0.1:{grpc}"
        self.http_endpoint = f"http://127.0.0.1:{http}"
        self.url = f"http://127.0.0.1:{ui}"
        self.query_endpoint = f"127.0.0.1:{query}"
        super().__init__(
            binary,
            folder,
            ["--config", str(CONFIGS / "servers/jaeger.yaml")],
            environment={
                "JAEGER_GRPC_ENDPOINT": self.endpoint,
                "JAEGER_HTTP_ENDPOINT": f"127.0.0.1:{http}",
                "JAEGER_UI_ENDPOINT": f"127.0.0.1:{ui}",
                "JAEGER_QUERY_ENDPOINT": self.query_endpoint,
            },
            ready_url=f"{self.url}/api/v3/services",
        )

    def trace(self, trace_id):
        """Return a trace as the OTLP JSON documents of Jaeger's API v3, without its remarks; empty when it has none."""
        text = fetch(f"{self.url}/api/v3/traces/{trace_id}", raw_traces="true")
        if text is None:
            return []
        decoder, documents, at = json.JSONDecoder(parse_int=integer), [], 0
        while at < len(text.rstrip()):
            document, at = decoder.raw_decode(text, at)
            documents.append(document["result"])
            at += len(text[at:]) - len(text[at:].lstrip())
        return documents

    def spans(self, trace_ids):
        """Return the spans of each trace as OTLP's messages, by Jaeger's gRPC API v3: a tenth of what JSON costs."""
        with grpc.insecure_channel(
            self.query_endpoint, options=[("grpc.max_receive_message_length", 256 << 20)]
        ) as channel:
            get_trace = channel.unary_stream(
                "/jaeger.api_v3.QueryService/GetTrace", response_deserializer=TracesData.FromString
            )
            return {
                trace_id: [
                    span
                    for part in get_trace(_raw_trace_request(trace_id), timeout=HANGS_S)
                    for group in part.resource_spans
                    for scope in group.scope_spans
                    for span in scope.spans
                ]
                for trace_id in trace_ids
            }

    def search(self, service, **tags):
        """Return the ids of the traces that have these attributes, by Jaeger's API v2."""
        text = fetch(
            f"{self.url}/api/traces",
            service=service,
            tags=json.dumps(tags),
            limit="1000",
            lookback="custom",
            start="0",
            end=str(2**62 // 1000),
        )
        return {found["traceID"] for found in json.loads(text)["data"]} if text else set()


def _raw_trace_request(trace_id):
    """Return a `GetTraceRequest` as bytes: field 1 the id as text, field 4 that no remarks are added."""
    return b"\x0a" + bytes([len(trace_id)]) + trace_id.encode() + b"\x20\x01"


class VictoriaMetrics(Server):
    """VictoriaMetrics, single node."""

    def __init__(self, binary, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.otlp_endpoint = f"{self.url}/opentelemetry"
        super().__init__(
            binary,
            folder,
            [
                f"-httpListenAddr=127.0.0.1:{port}",
                f"-storageDataPath={folder / 'data'}",
                "-retentionPeriod=100y",
            ],
            ready_url=f"{self.url}/health",
        )

    def count(self, selector):
        """Return how many samples are there of all series together, without reading them."""
        fetch(f"{self.url}/internal/force_flush")
        text = fetch(
            f"{self.url}/api/v1/query",
            query=f"sum(count_over_time({selector}[1d]))",
            time=str(time.time() + 60),
            nocache="1",
        )
        found = json.loads(text)["data"]["result"] if text else []
        return int(found[0]["value"][1]) if found else 0

    def series(self, selector):
        """Return the raw samples of each series: (labels, [(time in ms, value), ...])."""
        fetch(f"{self.url}/internal/force_flush")
        text = fetch(f"{self.url}/api/v1/export", **{"match[]": selector}) or ""
        found = [json.loads(line) for line in text.splitlines()]
        return [
            (one["metric"], list(zip(one["timestamps"], map(float, one["values"]), strict=True)))
            for one in found
        ]


class Prometheus(Server):
    """Prometheus 3 with `collector-config/servers/prometheus.yaml`."""

    config, doors = "servers/prometheus.yaml", ("otlp", "remote-write")

    def __init__(self, binary, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.otlp_endpoint = f"{self.url}/api/v1/otlp"
        self.remote_write_endpoint = f"{self.url}/api/v1/write"
        super().__init__(
            binary,
            folder,
            [
                f"--config.file={CONFIGS / self.config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                *(f"--web.enable-{door}-receiver" for door in self.doors),
            ],
            ready_url=f"{self.url}/-/ready",
        )

    def series(self, selector, window="7d"):
        """Return the raw samples of each series: (labels, [(time in ms, value), ...])."""
        text = fetch(f"{self.url}/api/v1/query", query=f"{selector}[{window}]", time=str(time.time() + 60))
        found = json.loads(text)["data"]["result"] if text else []
        return [
            (one["metric"], [(round(float(at) * 1000), float(value)) for at, value in one.get("values", ())])
            for one in found
        ]


class Prometheus2(Prometheus):
    """Debian's Prometheus, which takes no OTLP, with `collector-config/servers/prometheus-2.yaml`."""

    config, doors = "servers/prometheus-2.yaml", ("remote-write",)


class Serve(Server):
    """`otel-experiments serve` of this checkout, with a store in its folder; over HTTP it takes JSON, too."""

    def __init__(self, folder):
        grpc, http = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{grpc}"
        self.http_endpoint = f"http://127.0.0.1:{http}"
        self.store = folder / "received.db"
        self._starts = 0
        super().__init__(
            Path(sys.executable).with_name("otel-experiments"),
            folder,
            [
                "serve",
                f"--store={self.store}",
                f"--grpc={self.endpoint}",
                f"--http=127.0.0.1:{http}",
            ],
            ready_url=None,
        )

    def start(self):
        """Start and wait until it says that it is ready."""
        self._starts += 1
        return super().start()

    def _is_ready(self):
        assert self._process.poll() is None, f"{' '.join(self._command)} ended:\n{self.last_lines()}"
        return self.log.read_text(encoding="utf-8").count("Receiving OTLP into ") == self._starts
