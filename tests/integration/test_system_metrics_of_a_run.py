"""System metrics of real runs, in processes of their own: in the store, off when off, and without any effect."""

import itertools
import json
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc

from otel_experiments.model.search import RunQuery
from otel_experiments.semconv import metrics
from otel_experiments.store import open_store
from otel_experiments.testing.live_check import LiveCheck

EXPECTED = [
    metrics.PROCESS_CPU_TIME, metrics.PROCESS_CPU_UTILIZATION, metrics.PROCESS_MEMORY_USAGE,
    metrics.PROCESS_MEMORY_VIRTUAL, metrics.PROCESS_MEMORY_UTILIZATION, metrics.PROCESS_THREAD_COUNT,
    metrics.PROCESS_UPTIME, metrics.SYSTEM_CPU_TIME, metrics.SYSTEM_CPU_UTILIZATION,
    metrics.SYSTEM_CPU_LOGICAL_COUNT, metrics.SYSTEM_MEMORY_LIMIT, metrics.SYSTEM_MEMORY_USAGE,
    metrics.SYSTEM_MEMORY_UTILIZATION,
]  # fmt: skip


def python(code):
    """Run a script in a process of its own and return what it prints, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def train(seconds, **settings):
    """Return a script that records one run of so many seconds at the store in its folder."""
    given = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return (
        "import time, otel_experiments as ox\n"
        f"ox.configure(store='x.db', on_error='raise', {given})\n"
        "with ox.start_run('a') as run:\n"
        f"    until_s = time.monotonic() + {seconds}\n"
        "    while time.monotonic() < until_s:\n"
        "        run.log({'loss': 1.0})\n"
        "        time.sleep(0.02)\n"
        "ox.shutdown()\n"
    )


def test_a_run_of_two_seconds_has_samples_that_keep_to_the_vocabulary(tmp_path):
    """With no setting at all, a first and a last sample are there, with names, units and attributes as defined."""
    python(train(2))

    with open_store(tmp_path / "x.db") as store:
        points = store.instrument_points()
        check = LiveCheck()
        check.check_store(store)
        (run,) = store.find_runs(RunQuery())
    assert check.violations == [], check.report()
    assert {definition.name for definition in EXPECTED} <= {point.name for point in points}
    assert {point.run_id for point in points} == {run.run_id}
    times_ns = sorted({point.time_ns for point in points})
    assert len(times_ns) == 2
    assert times_ns[0] - run.started_ns < 1.5e9
    assert run.ended_ns - times_ns[-1] < 0.5e9
    for definition in EXPECTED:
        found = [point for point in points if point.name == definition.name]
        assert {point.unit for point in found} == {definition.unit}
        assert {tuple(point.attributes) for point in found} <= {
            (),
            *((name,) for name in definition.attributes),
        }


def test_samples_come_at_the_set_distance(tmp_path):
    """With 0.25 s, a run of two seconds has at least five samples."""
    python(train(2, system_metrics_s=0.25))

    with open_store(tmp_path / "x.db") as store:
        points = store.instrument_points(name=metrics.PROCESS_UPTIME.name)
    assert 5 <= len(points) <= 10


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_zero_turns_them_off(tmp_path, monkeypatch, how):
    """With 0 there is no point, and what reads them is not even imported."""
    if how == "variable":
        monkeypatch.setenv("OTEL_EXPERIMENTS_SYSTEM_METRICS", "0")
    settings = {"system_metrics_s": 0} if how == "argument" else {}
    script = (
        train(1, **settings)
        + "import sys, json; print(json.dumps('otel_experiments.record.system.host' in sys.modules))"
    )

    assert python(script) is False

    with open_store(tmp_path / "x.db") as store:
        assert store.instrument_points() == []


def test_several_runs_at_once_get_the_same_sample(tmp_path):
    """Two runs that are active together have points of the same times and values."""
    python(
        "import otel_experiments as ox\n"
        "from otel_experiments._configure import active_store\n"
        "ox.configure(store='x.db', system_metrics_s=0.3, on_error='raise')\n"
        "runs = [ox.start_run('a'), ox.start_run('b')]\n"
        "while len({point.time_ns for point in active_store().instrument_points()}) < 5: runs[0].flush()\n"
        "[run.finish() for run in runs]\n"
        "ox.shutdown()\n"
    )

    with open_store(tmp_path / "x.db") as store:
        points = store.instrument_points(name=metrics.PROCESS_CPU_TIME.name)
    by_run = {}
    for point in points:
        by_run.setdefault(point.run_id, set()).add((point.time_ns, point.value))
    first, second = by_run.values()
    assert len(first & second) >= 4


def test_random_states_are_untouched():
    """The global generators of Python and NumPy draw the same numbers with samples every 50 ms as without."""
    numbers = (
        "import json, random, time\nimport numpy as np\n"
        "random.seed(1); np.random.seed(1)\n"
        "{start}"
        "drawn = []\n"
        "for _ in range(40):\n"
        "    drawn += [random.random(), float(np.random.rand())]\n"
        "    time.sleep(0.02)\n"
        "{end}"
        "print(json.dumps([drawn, str(random.getstate()), str(np.random.get_state())]))\n"
    )
    start = (
        "import otel_experiments as ox\n"
        "ox.configure(store='x.db', system_metrics_s=0.05, on_error='raise')\n"
        "run = ox.start_run('a')\n"
    )

    bare = python(numbers.format(start="", end=""))
    recorded = python(numbers.format(start=start, end="run.finish(); ox.shutdown()\n"))

    assert recorded == bare


def test_a_forked_child_samples_nothing(tmp_path):
    """All points are the parent's: a child that lives while many samples are taken adds none of its own."""
    python(
        "import os, time, otel_experiments as ox\n"
        "from otel_experiments._configure import active_store\n"
        "samples = lambda: len({point.time_ns for point in active_store().instrument_points()})\n"
        "ox.configure(store='x.db', system_metrics_s=0.1)\n"
        "run = ox.start_run('a')\n"
        "while samples() < 3: run.flush()\n"
        "reader, writer = os.pipe()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    run.log({'child': 1.0})\n"
        "    os.read(reader, 1)\n"
        "    os._exit(0)\n"
        "while samples() < 10: run.flush()\n"
        "os.write(writer, b'.')\n"
        "os.waitpid(pid, 0)\n"
        "run.finish(); ox.shutdown()\n"
    )

    with open_store(tmp_path / "x.db") as store:
        uptimes = store.instrument_points(name=metrics.PROCESS_UPTIME.name)
        assert [series.key.name for series in store.series([uptimes[0].run_id])[uptimes[0].run_id]] == [
            "child"
        ]
    assert len({point.time_ns for point in uptimes}) == len(uptimes)
    gaps_s = [(b.time_ns - a.time_ns) / 1e9 for a, b in itertools.pairwise(uptimes)]
    assert min(gaps_s[:-1]) > 0.05


class MetricsReceiver(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Keeps the metrics that come by OTLP."""

    def __init__(self):
        self.metrics = []

    def Export(self, request, context):
        """Take one request."""
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics += scope.metrics
        return metrics_service_pb2.ExportMetricsServiceResponse()


@pytest.fixture
def receiver(monkeypatch):
    """Serve OTLP metrics on a port of the test's own, to which child processes are pointed."""
    made = MetricsReceiver()
    pool = futures.ThreadPoolExecutor(2)
    server = grpc.server(pool)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(made, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    yield made
    server.stop(None).wait()
    pool.shutdown()


@pytest.mark.parametrize("distance_s", [0.3, 0], ids=["with system metrics", "without"])
def test_otlp_gets_all_samples_and_all_points(receiver, distance_s):
    """Every sample and every logged point arrives once, whether or not an instrument has anything to tell."""
    python(
        "import otel_experiments as ox\n"
        "from otel_experiments._configure import active_store\n"
        f"ox.configure(store='x.db', system_metrics_s={distance_s}, exit_timeout_s=3)\n"
        "run = ox.start_run('a')\n"
        "[(run.log({'loss': float(i)}), run.flush()) for i in range(12)]\n"
        "def samples():\n"
        "    return [one for one in active_store().instrument_points() if one.name == 'process.uptime']\n"
        f"while {distance_s} and len(samples()) < 5: run.flush()\n"
        "run.finish(); ox.shutdown()\n"
    )

    found = {}
    for metric in receiver.metrics:
        data = metric.sum if metric.HasField("sum") else metric.gauge
        found.setdefault(metric.name, []).extend(data.data_points)
    logged = [point.as_double for point in found[metrics.ML_METRIC_VALUE.name]]
    assert sorted(logged) == [float(i) for i in range(12)]
    if distance_s:
        times_ns = [point.time_unix_nano for point in found[metrics.PROCESS_UPTIME.name]]
        assert 4 <= len(times_ns) == len(set(times_ns))
        assert all(point.start_time_unix_nano for point in found[metrics.PROCESS_CPU_TIME.name])
    else:
        assert not [name for name in found if name.startswith(("process.", "system.", "hw."))]
