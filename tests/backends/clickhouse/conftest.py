"""ClickHouse's engine behind its shim, and a training whose telemetry was captured."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SCHEMA = ROOT / "collector-config" / "clickhouse"
SERVICES = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": trace_service_pb2.ExportTraceServiceRequest,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": metrics_service_pb2.ExportMetricsServiceRequest,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": logs_service_pb2.ExportLogsServiceRequest,
}


def load(name):
    """Return a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


exporter_rows = load("exporter_rows")


class ClickHouse:
    """A running engine with its HTTP door."""

    def __init__(self, folder, port=0):
        self._process = subprocess.Popen(
            [sys.executable, str(HERE.parent / "clickhouse_shim.py"), str(folder), str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        said = self._process.stdout.readline()
        assert said, "the engine did not start: see its traceback above"
        self.port = json.loads(said)["port"]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def ask(self, statement, **settings):
        """Carry out a statement and return the answer's bytes."""
        try:
            with urlopen(
                f"{self.endpoint}/?{urlencode(settings)}", data=statement.encode(), timeout=60
            ) as answer:
                return answer.read()
        except HTTPError as error:
            raise AssertionError(f"{error.read().decode()}\n{statement[:2000]}") from error

    def rows(self, statement):
        """Return the rows of a query, each a dict."""
        answer = self.ask(statement, default_format="JSON")
        return json.loads(answer)["data"]

    def value(self, statement):
        """Return the one value of a query's one row."""
        [row] = self.rows(statement)
        [value] = row.values()
        return value

    def apply_schema(self):
        """Apply each numbered file, as `clickhouse-client --multiquery < FILE` does."""
        for path in sorted(SCHEMA.glob("[0-9]*.sql")):
            self.ask(path.read_text())

    def keep_landing_rows(self, database):
        """Make a database whose landing tables keep what comes, so that a test can look at it."""
        self.ask(f"create database {database}; use {database}")
        for path in sorted(SCHEMA.glob("[0-9]*.sql")):
            self.ask(path.read_text().replace("engine = Null", "engine = MergeTree order by tuple()"))
        self.ask("use default")

    def insert(self, rows, database="default"):
        """Insert (table, row) pairs as the exporter would: one request a table."""
        by_table = {}
        for table, row in rows:
            by_table.setdefault(table, []).append(row)
        for table, group in by_table.items():
            columns = ", ".join(f"`{name}`" for name in sorted({name for row in group for name in row}))
            lines = "\n".join(json.dumps(row) for row in group)
            settings = "precise_float_parsing = 1"
            self.ask(
                f"insert into {database}.{table} ({columns}) settings {settings} format JSONEachRow\n{lines}"
            )

    def refuse(self, statement, times, when):
        """Let the next requests whose statement has this text fail, before or after they were carried out."""
        address = urlencode({"statement": statement, "times": times, "when": when})
        with urlopen(f"{self.endpoint}/refuse?{address}", data=b"", timeout=60):
            pass

    def close(self):
        """Stop the process."""
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()


class Capture:
    """An OTLP/gRPC endpoint that keeps every request."""

    def __init__(self):
        self.requests = []
        self._pool = futures.ThreadPoolExecutor(max_workers=4)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers([self])
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"http://127.0.0.1:{port}"
        self._server.start()

    def service(self, call):
        """Return what answers a call, as grpc asks a generic handler for."""
        request = SERVICES.get(call.method)
        if request is None:
            return None
        return grpc.unary_unary_rpc_method_handler(self._keep, request.FromString, lambda answer: answer)

    def _keep(self, request, _):
        self.requests.append(request)
        return b""

    @property
    def rows(self):
        """What the exporter would write of all that came."""
        writers = {
            "ExportTraceServiceRequest": exporter_rows.rows_of_traces,
            "ExportLogsServiceRequest": exporter_rows.rows_of_logs,
            "ExportMetricsServiceRequest": exporter_rows.rows_of_metrics,
        }
        return [row for request in self.requests for row in writers[type(request).__name__](request)]

    def close(self):
        """Stop at once."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True, cancel_futures=True)


def train(folder, endpoint, scenario, **environ):
    """Start a training that sends to the endpoint."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.Popen(
        [sys.executable, str(HERE / "training.py"), str(folder / "train.db"), scenario],
        cwd=folder,
        env=clean
        | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": "vision",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "PYTHONWARNINGS": "default",
        }
        | environ,
    )


def record_all(folder, endpoint):
    """Run every training against the endpoint, wait for each, and return their store."""
    folder.mkdir(exist_ok=True)
    assert train(folder, endpoint, "steady").wait(60) == 0
    assert train(folder, endpoint, "broken").wait(60) == 0
    together = [
        train(folder, endpoint, "ranks", RANK=str(rank), WORLD_SIZE="2", OTEL_EXPERIMENTS_JOB_ID="job")
        for rank in range(2)
    ]
    assert [process.wait(60) for process in together] == [0, 0]
    return folder / "train.db"


@pytest.fixture
def train_all(tmp_path):
    """Return a function that runs every training against an endpoint, and returns their store."""
    return lambda endpoint: record_all(tmp_path / "trained", endpoint)


@pytest.fixture
def start_training(tmp_path):
    """Return a function that runs one training against an endpoint until it ends as expected, and returns its store."""

    def run(endpoint, scenario, *, ends_with=0):
        assert train(tmp_path, endpoint, scenario).wait(60) == ends_with
        return tmp_path / "train.db"

    return run


@pytest.fixture(scope="session")
def start_clickhouse():
    """Return a function that starts an engine on a folder."""
    if importlib.util.find_spec("chdb") is None:  # not imported here: the engine hangs in forked children
        pytest.skip("ClickHouse's engine cannot be had here: chdb-core has no wheel for this machine")
    started = []

    def start(folder, **options):
        started.append(ClickHouse(folder, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def captured(tmp_path_factory):
    """Return what the trainings sent, and the store that holds the same."""
    folder = tmp_path_factory.mktemp("captured")
    capture = Capture()
    store = record_all(folder, capture.endpoint)
    capture.close()
    return SimpleNamespace(rows=capture.rows, requests=capture.requests, store=store)


@pytest.fixture(scope="session")
def clickhouse(start_clickhouse, captured, tmp_path_factory):
    """Return an engine with our tables and the trainings' rows; tests only read it."""
    engine = start_clickhouse(tmp_path_factory.mktemp("engine"))
    engine.apply_schema()
    engine.insert(captured.rows)
    return engine


@pytest.fixture
def send(captured):
    """Return a function that sends what the trainings sent to another endpoint, by gRPC."""

    def to(endpoint):
        with grpc.insecure_channel(endpoint.removeprefix("http://")) as channel:
            for request in captured.requests:
                signal = type(request).__name__.removeprefix("Export").removesuffix("ServiceRequest")
                method = f"/opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service/Export"
                call = channel.unary_unary(method, type(request).SerializeToString)
                with contextlib.suppress(grpc.RpcError):  # a Collector without a pipeline for the signal
                    call(request, wait_for_ready=True)

    return to


@pytest.fixture
def empty_clickhouse(start_clickhouse, tmp_path):
    """Return an engine with our tables, and nothing in them."""
    engine = start_clickhouse(tmp_path / "engine")
    engine.apply_schema()
    yield engine
    engine.close()
