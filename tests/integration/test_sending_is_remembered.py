"""What an endpoint did not take is remembered in the store, and goes out when memory had no room for it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.journal.owner import is_alive
from otel_experiments.model.search import SpanQuery
from otel_experiments.model.signal import NOTHING_NS
from otel_experiments.record.otlp import export as sizes
from otel_experiments.store import open_store

KILLED = """
import os, signal, sys
import otel_experiments as ox

ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
run = ox.start_run("r")
for i in range(2000):
    with run.step(i):
        run.log({"loss": float(i)})
    if i == int(sys.argv[1]):
        run.flush(timeout_s=20.0)
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def dead_endpoint():
    """Return an endpoint where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def rows(store_path):
    """Return the rows of the store by signal, everything that is recorded merged."""
    with open_reader(store_path) as reader:
        return {row.signal: row for row in reader.store.unsent()}


def test_a_run_that_was_taken_leaves_no_row(exporting, store_path):
    """Nothing is to be sent later when the endpoint has everything."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    assert len(exporting.points) == 1
    assert rows(store_path) == {}


def test_a_dead_endpoint_leaves_rows_that_name_it(configure, dead_endpoint, store_path, monkeypatch):
    """Each signal with the number of its items, why they were not taken, and who tried."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", dead_endpoint)
    configure()
    with ox.start_run("r") as run:
        for step in range(10):
            run.log({"loss": float(step)}, step=step)
        with run.stage("fit"):
            pass
    ox.shutdown()

    found = rows(store_path)
    assert found["traces"].count == 2
    assert found["metrics"].count >= 10
    with open_store(store_path) as store:
        ended = [span.end_ns for span in store.spans(SpanQuery())]
        assert found["traces"].since_ns == min(ended)
        assert found["metrics"].since_ns <= min(
            store.points(run.id, store.series([run.id])[run.id][0].key).times_ns
        )
    for row in found.values():
        assert row.destination == dead_endpoint.removeprefix("http://")
        assert "UNAVAILABLE" in row.reason
        assert is_alive(row.owner)


def test_an_endpoint_that_refuses_a_signal_for_good_leaves_no_row_of_it(exporting, store_path):
    """Who takes no logs is not waited for, now or later."""
    exporting.refuse("logs", grpc.StatusCode.UNIMPLEMENTED)
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    assert rows(store_path) == {}


@pytest.mark.parametrize("flushed_at", [-1, 0, 1000, 1999])
def test_a_killed_process_leaves_rows_of_all_that_was_not_taken(collector, tmp_path, flushed_at):
    """Whenever SIGKILL comes: what was taken before is not counted, what came later is, the journal's rest included."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(flushed_at)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    run_id = done.stdout.strip()
    found = rows(tmp_path / "experiments.db")

    arrived = {point.exemplars[0].time_unix_nano for point in collector.points}
    with open_store(tmp_path / "experiments.db") as store:
        (series,) = [one for one in store.series([run_id])[run_id] if one.key.name == "loss"]
        times_ns = store.points(run_id, series.key).times_ns
    missing = [time_ns for time_ns in times_ns if time_ns not in arrived]
    assert len(times_ns) == 2000
    assert len(arrived) > flushed_at
    assert found["metrics"].since_ns <= min(missing, default=NOTHING_NS)
    assert found["metrics"].count >= len(missing)
    assert is_alive(found["metrics"].owner) is False


def test_what_memory_has_no_room_for_is_sent_from_the_store(exporting, monkeypatch, store_path):
    """After a long time without the endpoint every span and point arrives; nothing is counted as lost."""
    ox.shutdown()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setattr(sizes, "MAX_HELD_POINTS", 50)
    ox.configure(store=store_path, system_metrics_s=0.0, capture_git=False)
    away = True

    def answer(_, context):
        if away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "it is away")

    exporting.answers = dict.fromkeys(("traces", "metrics", "logs"), answer)
    with ox.start_run("r") as run:
        for step in range(500):
            with run.step(step):
                run.log({"loss": float(step)}, step=step)
            if step % 50 == 0:
                run.emit("my.event", {"step": step})
        run.flush(timeout_s=1.0)
        assert exporting.points == []
        away = False
        assert run.flush(timeout_s=60.0).is_exported
        assert run.flush(timeout_s=60.0).lost == {}
    ox.shutdown()

    steps = {point.exemplars[0].filtered_attributes[0].value.double_value for point in exporting.points}
    assert steps == {float(step) for step in range(500)}
    with open_store(store_path) as store:
        stored = {span.span_id for span in store.spans(SpanQuery())}
        records = store.log_records()
    assert {span.span_id.hex() for span, _ in exporting.spans} == stored
    assert len(stored) == 501
    assert len({record.time_unix_nano for record, _ in exporting.log_records}) == len(records)
    assert rows(store_path) == {}


def test_large_items_that_memory_has_no_room_for_are_sent_from_the_store(
    make_collector, configure, monkeypatch, store_path
):
    """An hour without the endpoint, values of a megabyte: little waits in memory, and everything arrives."""
    endpoint = make_collector(max_request_bytes=64 << 20)
    monkeypatch.setattr(sizes, "MAX_HELD_BYTES", 4_000_000)
    configure(otlp=endpoint.endpoint)
    away = True

    def answer(_, context):
        if away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "it is away")

    endpoint.answers = dict.fromkeys(("traces", "metrics", "logs"), answer)
    text = "x" * 1_000_000
    with ox.start_run("r") as run:
        for step in range(20):
            with run.step(step) as scope:
                scope.span.set_attribute("app.text", text)
            run.emit("app.event", {"text": text, "step": step})
            run.flush(timeout_s=1.0)
        away = False
        assert run.flush(timeout_s=60.0).is_exported
    ox.shutdown()

    spans = [span for span, _ in endpoint.spans if span.name == "step"]
    assert len({span.span_id for span in spans}) == 20
    assert {
        len(pair.value.string_value) for span in spans for pair in span.attributes if pair.key == "app.text"
    } == {1_000_000}
    events = [log for log, _ in endpoint.log_records if log.event_name == "app.event"]
    assert len({log.time_unix_nano for log in events}) == 20
    assert rows(store_path) == {}


def test_without_a_store_the_oldest_are_lost_and_counted(exporting, monkeypatch):
    """There is nowhere to read them back from."""
    ox.shutdown()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    ox.configure(store="none", system_metrics_s=0.0)
    exporting.refuse("traces", grpc.StatusCode.UNAVAILABLE, "it is away")
    with ox.start_run("r") as run:
        for step in range(50):
            with run.step(step):
                pass
        lost = run.flush(timeout_s=0.5).lost
        exporting.answers.clear()

    assert lost == {"otlp spans": 30}
    ox.shutdown()
    names = [span.name for span, _ in exporting.spans]
    assert len(names) == 20


def test_what_a_reader_has_stored_meanwhile_is_sent_as_well(exporting, store_path):
    """A command that reads the store of a running training takes over its journal: the endpoint misses nothing."""
    with ox.start_run("r") as run:
        for step in range(300):
            run.log({"loss": float(step)}, step=step)
            if step % 100 == 50:
                subprocess.run(
                    [Path(sys.executable).with_name("otel-experiments"), "--store", str(store_path), "runs"],
                    capture_output=True,
                    check=True,
                    env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
                )
    ox.shutdown()

    steps = {point.exemplars[0].filtered_attributes[0].value.double_value for point in exporting.points}
    assert steps == {float(step) for step in range(300)}
    assert rows(store_path) == {}


def test_roots_leave_before_all_other_spans(exporting, store_path):
    """Where time runs out at the end, a trace has its root."""
    exporting.refuse("traces", grpc.StatusCode.UNAVAILABLE, "it is away", times=2)
    with ox.start_run("r") as run:
        for step in range(3000):
            with run.step(step):
                pass
    ox.shutdown()

    first = exporting.of("traces")[0].resource_spans[0].scope_spans[0].spans[0]
    assert (first.parent_span_id, first.trace_id.hex()) == (b"", run.id)
