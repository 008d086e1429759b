"""Exit with an endpoint that is gone, hangs or is slow; and what cannot be configured."""

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import otel_experiments as ox
from otel_experiments._configure import pipeline
from otel_experiments.query import Reader
from otel_experiments.store import open_store

REQUEST_S = 90
"""For how long a request may wait for its answer: an exit that waited for one would take as long."""
MOST_S = 60.0
"""Five seconds for us, the rest for starting an interpreter on a machine that is busy with something else."""

TRAIN = """
import json, math, sys, time
import otel_experiments as ox

ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run:
    for i in range(3000):
        run.log({"loss": math.nan if i == 7 else float(i)})
    with run.stage("load"):
        pass
    if "flush" in sys.argv:
        print(json.dumps(run.flush(timeout_s=1.0).is_exported), flush=True)
print(time.time(), flush=True)
"""


@contextlib.contextmanager
def hanging_server():
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def train(endpoint, tmp_path, *arguments):
    """Run the training against the endpoint; return what it printed, its stderr and how long it took to end."""
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    start_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": f"{REQUEST_S}",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout.splitlines(), done.stderr, time.monotonic() - start_s


def assert_nothing_lost(tmp_path):
    """See that the store has the run with all that was recorded."""
    with open_store(tmp_path / "experiments.db") as store:
        run = Reader(store).run("r")
        assert (run.state, len(run.metrics["loss"].points().steps)) == ("succeeded", 3000)
        assert sorted(span.name for span in run.spans) == ["run default", "stage load"]
        names = [record.event_name for record in store.log_records(run_id=run.id)]
        assert sorted(names) == ["ml.anomaly", "ml.run.start", "ml.run.state"]


def test_a_dead_endpoint_delays_no_exit_and_loses_nothing(tmp_path):
    """Connection refused: the process ends at once, says in one line what was not sent, and the store has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    (is_exported, _), stderr, took_s = train(endpoint, tmp_path, "flush")

    (line,) = [line for line in stderr.splitlines() if "OTLP" in line]
    assert line.startswith(
        f"OTLP: {endpoint.removeprefix('http://')} did not take 2 spans, 3,000 metric points, "
    )
    assert line.endswith("The store has them; `otel-experiments push --unsent` sends them.")
    assert (json.loads(is_exported), took_s < MOST_S) == (False, True)
    assert_nothing_lost(tmp_path)


def test_a_hanging_endpoint_delays_exit_by_a_bounded_time(tmp_path):
    """Connections are accepted, nothing is ever answered: the same, within the exit budget."""
    with hanging_server() as endpoint:
        _, stderr, took_s = train(endpoint, tmp_path)

    (line,) = [line for line in stderr.splitlines() if "OTLP" in line]
    assert "did not take 2 spans" in line
    assert took_s < MOST_S
    assert_nothing_lost(tmp_path)


def test_a_slow_endpoint_gets_what_it_takes_in_time(tmp_path, collector):
    """Each answer takes a second: the process still ends in time, and tells the truth about what arrived."""
    for signal in ("traces", "metrics", "logs"):
        collector.answers[signal] = lambda *_: time.sleep(1.0)
    (is_exported, _), stderr, took_s = train(collector.endpoint, tmp_path, "flush")

    assert took_s < MOST_S
    is_all_there = len(collector.points) == 3000 and len(collector.spans) == 2
    assert "did not take" in stderr or is_all_there  # what came too late to be answered counts as not taken
    assert json.loads(is_exported) is False
    assert_nothing_lost(tmp_path)


def test_the_end_goes_on_while_an_endpoint_takes_requests(collector, configure, monkeypatch):
    """Thirty requests that take their time: what a silent endpoint gets is over after some of them, and all arrive."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    configure(otlp=ox.Otlp(endpoint=collector.endpoint, signals=["traces"]))

    def answer_slowly(*_):
        threading.Event().wait(0.1)

    collector.answers["traces"] = answer_slowly
    with ox.start_run("r") as run:
        for step in range(150):
            with run.step(step):
                pass
        assert pipeline().store_now(timeout_s=30.0)

        is_exported = pipeline().otlp.shutdown(timeout_s=1.0, longest_s=100.0)

    assert is_exported
    assert len({span.span_id for span, _ in collector.spans}) == 150


def test_a_flush_that_stores_nothing_in_time_exports_nothing(collector, configure, store_path):
    """What is still in the journal is with no endpoint: the report says neither stored nor exported."""
    configure(otlp=collector.endpoint)
    with ox.start_run("r") as run:
        assert run.flush(timeout_s=30.0).is_exported
        with contextlib.closing(sqlite3.connect(store_path, isolation_level=None)) as other:
            other.execute("begin immediate")
            run.log({"loss": 1.0})
            report = run.flush(timeout_s=0.1)
            other.execute("rollback")
        assert (report.is_stored, report.is_exported) == (False, False)
        report = run.flush(timeout_s=30.0)
        assert (report.is_stored, report.is_exported) == (True, True)


def test_a_working_endpoint_is_not_complained_about(tmp_path, collector):
    """Everything is taken: no line, and flush says so."""
    (is_exported, _), stderr, _ = train(collector.endpoint, tmp_path, "flush")

    assert (json.loads(is_exported), stderr) == (True, "")
    assert (len(collector.points), len(collector.spans), len(collector.log_records)) == (3000, 2, 3)


def test_many_runs_with_a_dead_endpoint_wait_once(configure, monkeypatch):
    """The end of a run does not wait for an endpoint that did not answer the run before."""
    with hanging_server() as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        configure(exit_timeout_s=8.0)
        start_s = time.monotonic()
        for i in range(10):
            with ox.start_run() as run:
                run.log({"loss": float(i)})
        took_s = time.monotonic() - start_s
        ox.shutdown()

    assert took_s < 20.0  # three seconds once; ten times would be 32


def test_without_a_store_the_line_says_that_nobody_has_it(configure, monkeypatch, caplog):
    """store="none" keeps nothing here, and the line does not promise it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    configure(store="none")
    with ox.start_run() as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    assert "1 metric point" in caplog.text
    assert "No store has them." in caplog.text


def test_without_a_store_everything_is_sent(configure, monkeypatch, collector):
    """store="none" with OTLP: a training process that sends and never opens SQLite."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    configure(store="none")
    with ox.start_run() as run:
        run.log({"loss": 1.0})
        with run.stage("load"):
            pass
    report = run.flush()

    assert report.is_exported
    assert ([point.as_double for point in collector.points], len(collector.spans)) == ([1.0], 2)


def test_without_otlp_none_of_its_variables_matters(configure, monkeypatch):
    """Whoever sends nothing is not bothered."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    configure(otlp=False)

    with ox.start_run() as run:
        assert run.flush().is_exported
