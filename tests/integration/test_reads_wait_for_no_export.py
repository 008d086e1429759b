"""Reading in a process that records waits for the store, and for no endpoint."""

import threading

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.query import Reader


@pytest.fixture
def black_hole(collector, configure, monkeypatch):
    """Send to an endpoint that answers nothing until the test is over; return what counts its requests."""
    held = threading.Event()
    for signal in ("traces", "metrics", "logs"):
        collector.answers[signal] = lambda *_: held.wait(100.0) and None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
    configure(exit_timeout_s=300.0)
    yield collector
    held.set()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "read",
    [
        lambda run: len(ox.runs()),
        lambda run: ox.sql("select count(*) from runs").rows[0][0],
        lambda run: len([ox.run(run.id)]),
        lambda run: ox.experiments()[0].run_count,
        lambda run: len(Reader(active_store()).runs()),
    ],
    ids=["runs", "sql", "run", "experiments", "active store"],
)
def test_a_look_at_the_runs_does_not_wait_for_an_endpoint(black_hole, read):
    """The exit budget is five minutes, the endpoint a black hole: reading answers, with all that was recorded."""
    run = ox.start_run("r")
    run.log({"loss": 1.0})
    with run.stage("load"):
        pass
    black_hole.wait_for(lambda: black_hole.asked, 60.0)

    assert read(run) == 1
    assert list(ox.run("r").metrics["loss"].points().values) == [1.0]


@pytest.mark.timeout(60)
def test_a_run_starts_while_another_thread_reads(black_hole):
    """Nobody who reads holds what `start_run` needs for as long as an endpoint is silent."""
    run = ox.start_run("first")
    run.log({"loss": 1.0})
    reader = threading.Thread(target=lambda: [ox.runs() for _ in range(20)])
    reader.start()
    second = ox.start_run("second")
    reader.join(60.0)

    assert not reader.is_alive()
    assert {one.name for one in ox.runs()} == {"first", "second"}
    assert second.state == "running"
