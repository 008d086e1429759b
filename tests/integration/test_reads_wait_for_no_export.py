"""Reading in a process that records waits for the store, and for no endpoint."""

import threading

import pytest
from opentelemetry.sdk.trace import SpanProcessor

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.query import Reader


@pytest.fixture
def black_hole(collector, configure, monkeypatch):
    """Send to an endpoint that answers nothing until the test is over; return what counts its requests."""
    held = collector.held = threading.Event()
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


@pytest.mark.timeout(60)
def test_other_threads_record_and_read_while_open_runs_are_finished(black_hole):
    """`shutdown` finishes a run and waits for a silent endpoint: another thread starts a run and reads meanwhile."""
    run = ox.start_run("first")
    closing = threading.Thread(target=ox.shutdown)
    closing.start()
    try:
        while run.state != "succeeded":
            closing.join(0.01)
        ox.start_run("second").log({"loss": 1.0})
        names = {one.name for one in ox.runs()}
        is_waiting = closing.is_alive()
    finally:
        black_hole.held.set()
        closing.join()

    assert (names, is_waiting) == ({"first", "second"}, True)


class Held(SpanProcessor):
    """An exporter of the program that takes its time to shut down."""

    def __init__(self):
        self.asked, self.held = threading.Event(), threading.Event()

    def shutdown(self):
        """Answer when the test lets it."""
        self.asked.set()
        self.held.wait(20.0)


@pytest.mark.timeout(60)
def test_other_threads_record_and_read_while_what_was_set_up_before_is_sent(configure, tmp_path):
    """`configure` waits for an exporter of before: other threads record into the new store meanwhile."""
    exporter = Held()
    configure(exit_timeout_s=100.0, span_processors=[exporter])
    closing = threading.Thread(target=lambda: ox.configure(store=tmp_path / "new.db", otlp=False))
    closing.start()
    try:
        assert exporter.asked.wait(20.0)
        ox.start_run("second").log({"loss": 1.0})
        names = {one.name for one in ox.runs()}
        is_waiting = closing.is_alive()
    finally:
        exporter.held.set()
        closing.join()

    assert (names, is_waiting) == ({"second"}, True)
