"""What our SDK sends over OTLP becomes, elsewhere, the run that the local store has."""

import contextlib
import dataclasses
import math
import os
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.importers.otlp import unpack
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.query import Reader
from otel_experiments.store import open_store

KNOWN_PARENT = 0x100
"""Of a span's flags: that it is known where its parent is, which OTLP says of a span without one, too."""


class Endpoint:
    """An OTLP/HTTP endpoint that keeps the requests as a receiver's journal does."""

    def __init__(self):
        self.requests = requests = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signal = self.path.rpartition("/")[2]
                requests.append(ReceivedRequest(signal, "protobuf", body, time.time_ns()))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        """Stop at once."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint():
    """Return an endpoint that keeps what it gets."""
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def configure(endpoint, tmp_path, monkeypatch):
    """Return `configure` with a store in the test's folder that sends what it stores to the endpoint as well."""
    monkeypatch.chdir(tmp_path)
    otlp = ox.Otlp(endpoint=endpoint.address, protocol="http/protobuf")
    settings = {"store": tmp_path / "local.db", "on_error": "raise", "system_metrics_s": 0.0, "otlp": otlp}
    yield lambda **changes: ox.configure(**(settings | changes))
    ox.shutdown()


def plain(value):
    """Return a value with lists for all sequences and floats by their bits."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if hasattr(value, "items"):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return struct.pack("<d", value) if isinstance(value, float) else value


def ordered(values):
    """Return values in an order of their own, whatever order they came in."""
    return sorted(map(plain, values), key=repr)


def differences(local, elsewhere, place=""):
    """Return where two plain values differ."""
    if isinstance(local, dict) and isinstance(elsewhere, dict) and local.keys() == elsewhere.keys():
        return [line for key in local for line in differences(local[key], elsewhere[key], f"{place}/{key}")]
    if isinstance(local, list) and isinstance(elsewhere, list) and len(local) == len(elsewhere):
        pairs = enumerate(zip(local, elsewhere, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{place}/{number}")]
    return [] if local == elsewhere else [f"{place}: {local!r:.200} became {elsewhere!r:.200}"]


def shown_of(reader):
    """Return all that a reader shows of each run, but for what only the machine that recorded it knows."""
    found = {}
    for view in reader.runs():
        record = dataclasses.replace(view.record, owner=None, heartbeat_ns=None)
        points = {
            (series.key, *point)
            for series in reader.store.series([view.id])[view.id]
            for held in [reader.store.points(view.id, series.key)]
            for point in zip(held.steps, held.times_ns, map(plain, held.values), strict=True)
        }
        counts = {
            (
                one.key,
                one.summary.count,
                one.summary.nan_count,
                plain(one.summary.last + 0.0),
                one.summary.direction,
            )
            for one in reader.store.series([view.id])[view.id]
        }
        found[view.id] = {
            "record": plain(record),
            "params": plain(view.params.flat),
            "changed": {
                key: plain([one.value for one in view.params.history(key)]) for key in view.params.flat
            },
            "summary": plain(view.summary.given),
            "definitions": ordered(reader.store.metric_definitions(view.id)),
            "tags": view.tags,
            "losses": ordered(view.losses),
            "ranks": ordered(view.rank_differences),
            "points": ordered(points),
            "series": ordered(counts),
            "spans": ordered(
                dataclasses.replace(span, flags=span.flags & ~KNOWN_PARENT) for span in view.spans
            ),
            "logs": ordered(view.log_records),
            "instruments": ordered(view.instrument_points),
        }
    return found


MESSAGES = {
    "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "metrics": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}


def crumbs(request):
    """Return the request as many requests of one item each, as a Collector may cut it."""
    kind, groups, scopes, items = MESSAGES[request.signal]
    found = []
    for group in getattr(kind.FromString(request.payload), groups):
        for scope in getattr(group, scopes):
            for item in getattr(scope, items):
                message = kind()
                kept = getattr(message, groups).add()
                kept.resource.CopyFrom(group.resource)
                kept.schema_url = group.schema_url
                part = getattr(kept, scopes).add()
                part.scope.CopyFrom(scope.scope)
                part.schema_url = scope.schema_url
                getattr(part, items).add().CopyFrom(item)
                found.append(dataclasses.replace(request, payload=message.SerializeToString()))
    return found


def received(requests, location="sqlite://:memory:", *, size=1):
    """Return a store in memory that the requests came to, so many in a batch."""
    store = open_store(location)
    for start in range(0, len(requests), size):
        batch = WriteBatch(received=list(requests[start : start + size]))
        assert unpack(batch) == []
        store.apply(batch)
    return store


def train(log_step=lambda run, step: run.log({"loss": 1 / (step + 1), "acc": step / 10}, step=step)):
    """Record runs of every kind: resumed, paused, failed, nested, with late params and tags."""
    with ox.start_run(
        "first",
        experiment="digits",
        config={
            "lr": 0.1,
            "model": {"depth": 3, "names": ["a", 1, None]},
            "note": None,
            "long": "x" * 3_000,
            "nan": math.nan,
            "neg": -0.0,
            "empty": {},
            "none": [],
            "mixed": [1, "a", [2.5, None], {"k": True}],
            "yes": True,
            "emoji \U0001f600": 1,
        },
        tags={"team": "vision", "gone": "soon"},
        group="sweep",
        hypothesis="wider is better" * 200,
        description="a note",
        condition="treatment",
        seed=7,
    ) as run:
        run.define_metric("loss", direction="min")
        run.name, run.group, run.note = "first of all", "", "**read** me"
        for step in range(5):
            log_step(run, step)
        run.log({"odd": math.nan}, step=0.5)
        run.log({"odd": math.inf, "val": -0.0}, step=-1, phase="val")
        run.log_params({"late": {"yes": True}, "big": 2**40})
        run.set_tags({"gone": None, "late": "tag"})
        run.define_metric("a*", direction="max", step_metric="loss", summary="min,last", hidden=True)
        run.summary.update({"best": 0.5, "deep": {"note": "a text", "list": [1, None]}})
        run.summary["best"] = 0.25
        run.config.lr = 0.01
        run.config.update({"lr": 0.1})
        run.log({"odd": 1.0}, time=time.time() + 0.5, phase="timed")
        with run.stage("fit"), run.epoch(0):
            run.emit("custom.event", {"deep": [1, {"x": 2.5}]}, {"kind": "test"})
        run.pause()
        run.resume()
        with ox.start_run("child", experiment="digits", tags=["inner"]) as child:
            child.log({"loss": 3.0})
    with contextlib.suppress(ZeroDivisionError), ox.start_run("failing", experiment="digits") as failing:
        failing.log({"loss": 9.0}, step=3)
        _ = 1 / 0
    cancelled = ox.start_run("cancelled", experiment="digits")
    cancelled.finish(state="cancelled", reason="enough" * 300)
    return run


@pytest.fixture
def recorded(endpoint, configure, tmp_path):
    """Record runs here; return what a reader shows of them and the requests that left."""
    configure()
    run = train()
    with ox.start_run(resume=run.id) as again:
        again.log({"loss": 0.01}, step=9)
    pending = ox.start_run("waiting", experiment="digits", pending=True)
    pending.set_tag("while", "pending")
    pending.start()
    pending.finish()
    ox.shutdown()
    with open_reader(tmp_path / "local.db") as reader:
        return shown_of(reader), list(endpoint.requests)


@pytest.mark.parametrize("location", ["sqlite://:memory:", "memory://"])
def test_requests_may_come_in_any_order_in_parts_and_twice(recorded, location):
    """However the requests are cut, shuffled, repeated and batched on their way, the runs are the same."""
    local, requests = recorded
    pieces = requests + [crumb for request in requests for crumb in crumbs(request)]

    @settings(max_examples=15)
    @given(st.randoms(use_true_random=False), st.integers(1, 30))
    def check(chance, size):
        chance.shuffle(pieces)
        assert differences(local, shown_of(Reader(received(pieces, location, size=size)))) == []

    check()


def test_what_our_sdk_sends_is_the_run_that_it_stores(recorded):
    """A store that receives what a program sends shows what the program's own store shows."""
    local, requests = recorded
    elsewhere = shown_of(Reader(received(requests)))

    assert differences(local, elsewhere) == []


RANK = """
import os
from urllib.request import Request, urlopen
import otel_experiments as ox
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from otel_experiments.codec.from_sdk import span_from_sdk
from otel_experiments.codec.otlp.spans import spans_to_request


class OfTheApplication(SpanExporter):
    def export(self, spans):
        url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
        urlopen(Request(url, spans_to_request(list(map(span_from_sdk, spans))), method="POST")).close()


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OfTheApplication()))
trace.set_tracer_provider(provider)
rank = int(os.environ["RANK"])
ox.configure(store="local.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("job", experiment="digits", config={"lr": 0.1 * (rank + 1)}, tags={"rank": rank, f"t{rank}": "x"}) as run:
    with run.stage("fit"), trace.get_tracer("library").start_as_current_span("inside"):
        run.log({"loss": rank / 10}, step=1)
    run.log({"loss": 1.0 + rank}, step=2)
    run.count(samples=5)
"""


def test_ranks_of_one_run_are_one_run_elsewhere_too(endpoint, tmp_path):
    """Each rank sends for itself; whoever receives them has one run with a series a rank, and spans of libraries in it."""
    launched = {
        "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "box", "MASTER_PORT": "29500",
        "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.address, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }  # fmt: skip
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            env={**os.environ, **launched, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=tmp_path,
        )
        for rank in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]

    with open_reader(tmp_path / "local.db") as reader:
        local = shown_of(reader)
    (shown,) = local.values()
    pieces = [crumb for request in endpoint.requests for crumb in crumbs(request)] * 2
    assert len(shown["series"]) == 2
    assert {span["name"] for span in shown["spans"]} == {"run digits", "stage rank 1", "stage fit", "inside"}
    assert differences(local, shown_of(Reader(received(pieces[::-1])))) == []
