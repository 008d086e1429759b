"""OTEL_SDK_DISABLED=true: no spans, events, instruments or OTLP; points, params, tags and states are stored."""

import asyncio
import os
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import otel_experiments as ox
from otel_experiments.query import Reader
from otel_experiments.record.base import notices
from otel_experiments.record.otlp.environment import SDK_DISABLED
from otel_experiments.store import open_store


@pytest.fixture
def disabled(collector, configure, monkeypatch):
    """Turn OpenTelemetry off, with an endpoint set; return the collector, which is to hear nothing."""
    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    configure(otlp=True, on_error="raise", system_metrics_s=0.05)
    return collector


def use_everything(run):
    """Use whatever opens spans, emits events or has instruments."""

    @ox.stage
    def decorated(x):
        return x + 1

    @ox.step
    def generator():
        yield run.state

    @ox.stage(name="async")
    async def asynchronous():
        with run.trace("inner"):
            return 2

    with run.stage("load") as stage:
        stage.set_attribute("app.size", 3)
        assert trace.get_current_span() is trace.INVALID_SPAN
    with run.epoch(1), run.step(1), run.batch(1):
        pass
    with run.evaluation("validation"):
        run.log({"loss": float("nan")})
    with run.checkpoint("best") as checkpoint:
        checkpoint.wrote(__file__)
    with pytest.raises(KeyError), run.stage("fails"):
        raise KeyError("mine")
    assert (decorated(1), list(generator()), asyncio.run(asynchronous())) == (2, ["running"], 2)
    run.count(samples=3, tokens=5)
    run.meter.create_counter("app.counter").add(2)
    run.logger.emit(event_name="app.log", body="text")
    run.emit("app.event", {"a": 1})
    with run.tracer.start_as_current_span("mine"):
        pass
    for number in range(50):
        run.log({"accuracy": number / 50})
    run.set_tag("team", "vision")
    run.log_params({"extra": True})


def assert_stored(store, name="r", state="succeeded"):
    """See that the store has what is not telemetry, and nothing else."""
    run = Reader(store).run(name)
    assert run.state == state
    assert run.params.flat == {"lr": 0.5, "extra": True}
    assert run.tags["team"] == "vision"
    assert len(run.metrics["accuracy"].points().steps) == 50
    counts = [
        Reader(store).sql(f"select count(*) from {table}").rows[0][0]
        for table in ("spans", "log_records", "instrument_points")
    ]
    assert counts == [0, 0, 0]


def test_there_are_no_spans_events_or_instruments_and_the_rest_is_stored(disabled, store_path, caplog):
    """Every kind of scope, decorator, event and instrument does nothing, loses nothing, and one line says so."""
    for name in ("first", "r"):
        with ox.start_run(name, config={"lr": 0.5}) as run:
            use_everything(run)
            report = run.flush()
            assert (report.is_stored, report.is_exported, report.lost) == (True, True, {})
            assert ox.run("r" if name == "r" else "first").state == "running"
        assert run.state == "succeeded"
    ox.shutdown()

    with open_store(store_path) as store:
        Reader(store).run("first")
        assert_stored(store)
    assert disabled.asked == []
    said = [record.getMessage() for when in ("setup", "call") for record in caplog.get_records(when)]
    assert [line for line in said if "OTEL_SDK_DISABLED" in line] == [SDK_DISABLED]


def test_spans_of_the_applications_provider_stay_outside(disabled, store_path):
    """A provider that was made before the SDK was turned off is not adopted."""
    os.environ.pop("OTEL_SDK_DISABLED")
    provider = TracerProvider(shutdown_on_exit=False)
    os.environ["OTEL_SDK_DISABLED"] = "true"
    trace.set_tracer_provider(provider)
    try:
        with ox.start_run("r", config={"lr": 0.5}) as run:
            with provider.get_tracer("library").start_as_current_span("theirs"):
                pass
            use_everything_but_scopes(run)
        ox.shutdown()
    finally:
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = (
            None,
            type(trace._TRACER_PROVIDER_SET_ONCE)(),
        )

    with open_store(store_path) as store:
        assert_stored(store)


def use_everything_but_scopes(run):
    """Record what is stored."""
    for number in range(50):
        run.log({"accuracy": number / 50})
    run.set_tag("team", "vision")
    run.log_params({"extra": True})


JOIN = """
import otel_experiments as ox
with ox.join_run() as run:
    with run.stage("child"):
        run.log({"child": 1.0})
"""


def test_another_process_joins_the_run_all_the_same(disabled, store_path):
    """Without a span to hand on, the run's id is enough."""
    with ox.start_run("r", config={"lr": 0.5}) as run:
        use_everything_but_scopes(run)
        environ = {**os.environ, **run.environment(), "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0"}
        done = subprocess.run([sys.executable, "-c", JOIN], env=environ, check=False, timeout=100)
    ox.shutdown()

    assert done.returncode == 0
    with open_store(store_path) as store:
        assert_stored(store)
        assert list(Reader(store).run("r").metrics["child"].points().values) == [1.0]


def test_a_run_that_fails_says_so(disabled, store_path):
    """The exception passes, and the state and reason are stored without a span to carry them."""
    error = ValueError("broken")

    def train():
        with ox.start_run("r", config={"lr": 0.5}) as run:
            use_everything_but_scopes(run)
            raise error

    with pytest.raises(ValueError, match="broken") as caught:
        train()
    ox.shutdown()

    assert caught.value is error
    with open_store(store_path) as store:
        assert_stored(store, state="failed")
        assert "broken" in Reader(store).run("r").record.reason
