"""Providers: the application's own is left alone, third-party spans land in the run that was current at their start."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

import otel_experiments as ox
from otel_experiments.query import Reader
from otel_experiments.record.spans.adoption import AdoptingSpanProcessor
from otel_experiments.record.spans.routing import RoutingTracerProvider
from otel_experiments.store import open_store

OWN_PROVIDER = """
import json, sqlite3
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
sampler, ids = provider.sampler, provider.id_generator
SQLite3Instrumentor().instrument()

import otel_experiments as ox

ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False, set_global=SET_GLOBAL)
connection = sqlite3.connect(":memory:")
connection.cursor().execute("select 'before'")
with ox.start_run("r") as run, run.stage("load"):
    connection.cursor().execute("select 'inside'")
connection.cursor().execute("select 'after'")
print(json.dumps({
    "same": trace.get_tracer_provider() is provider,
    "untouched": provider.sampler is sampler and provider.id_generator is ids,
    "seen": [span.attributes["db.statement"] for span in exporter.get_finished_spans()],
}))
"""

NO_PROVIDER = """
import sqlite3, threading
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor

SQLite3Instrumentor().instrument()
import otel_experiments as ox

connection = sqlite3.connect(":memory:", check_same_thread=False)
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False, set_global=True, drain_s=0.02)
connection.cursor().execute("select 'before'")
with ox.start_run("r") as run, run.stage("load"):
    connection.cursor().execute("select 'inside'")
    thread = threading.Thread(target=lambda: connection.cursor().execute("select 'thread'"))
    thread.start()
    thread.join()
    run.flush()
connection.cursor().execute("select 'after'")
"""


def run_program(text, tmp_path, **environment):
    """Run a Python program in a process of its own; return what it printed."""
    pytest.importorskip("opentelemetry.instrumentation.sqlite3")
    script = tmp_path / "program.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def queries(tmp_path):
    """Return the spans of sqlite3 that the store has, by statement, and the run's other spans by name."""
    with open_store(tmp_path / "experiments.db") as store:
        spans = Reader(store).run("r").spans
        found = {span.attributes["db.statement"]: span for span in spans if "db.statement" in span.attributes}
        return found, {span.name: span for span in spans if "db.statement" not in span.attributes}


@pytest.mark.parametrize("set_global", ["False", "True"])
def test_the_applications_provider_stays_and_its_spans_land_inside_the_run(tmp_path, set_global):
    """Spans of sqlite3 reach the application's exporter, all of them, and the run's: with run, lane and sequence."""
    told = json.loads(run_program(OWN_PROVIDER.replace("SET_GLOBAL", set_global), tmp_path))

    assert told == {
        "same": True,
        "untouched": True,
        "seen": ["select 'before'", "select 'inside'", "select 'after'"],
    }
    found, others = queries(tmp_path)
    (span,) = found.values()
    root, stage = others["run default"], others["stage load"]
    assert span.attributes["db.statement"] == "select 'inside'"
    assert (span.run_id, span.trace_id, span.parent_span_id) == (
        root.trace_id,
        root.trace_id,
        stage.span_id,
    )
    assert span.attributes["ml.span.lane"] == "main"
    assert span.attributes["ml.span.sequence"] > stage.attributes["ml.span.sequence"]


def test_without_a_provider_of_the_application_a_routing_one_can_be_installed(tmp_path):
    """set_global=True: spans of sqlite3 land inside the run, those of other threads too, our own store's never."""
    run_program(NO_PROVIDER, tmp_path)

    found, others = queries(tmp_path)
    assert set(found) == {"select 'inside'", "select 'thread'"}
    assert found["select 'inside'"].parent_span_id == others["stage load"].span_id
    assert found["select 'inside'"].scope.name == "opentelemetry.instrumentation.sqlite3"
    assert found["select 'thread'"].trace_id == others["run default"].trace_id
    lanes = {statement: span.attributes["ml.span.lane"] for statement, span in found.items()}
    assert lanes == {"select 'inside'": "main", "select 'thread'": "thread-1"}


def test_spans_outside_of_any_run_are_not_stored(tmp_path):
    """What the application does before and after a run is none of our business."""
    run_program(OWN_PROVIDER.replace("SET_GLOBAL", "False"), tmp_path)

    with open_store(tmp_path / "experiments.db") as store:
        _, rows = store.sql("select count(*) from spans where run_id is null")
    assert [tuple(row) for row in rows] == [(0,)]


@pytest.fixture
def adopted(configure):
    """Return a function that makes a provider of an application, adopted, and its exporter."""
    configure()

    def make(**options):
        exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False, **options)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.add_span_processor(AdoptingSpanProcessor())
        return provider.get_tracer("library"), exporter

    return make


def test_a_span_belongs_to_the_run_that_was_current_at_its_start(adopted, read):
    """Ended elsewhere, later, by another thread, inside another run: it stays where it started."""
    tracer, _ = adopted()
    with ox.start_run("first"):
        span = tracer.start_span("long")
    with ox.start_run("second"):
        thread = threading.Thread(target=span.end)
        thread.start()
        thread.join()

    assert "long" in [span.name for span in read("first").spans]
    assert "long" not in [span.name for span in read("second").spans]


def test_a_provider_that_outlives_configure_records_each_span_once(configure, read):
    """Golden tests configure anew for every test, and the application's provider stays the same."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(AdoptingSpanProcessor())
    for name in ("first", "second"):
        configure()
        with ox.start_run(name) as run, provider.get_tracer("library").start_as_current_span("query"):
            pass
        stored = read(name)

        assert run.flush().lost == {}
        assert [span.name for span in stored.spans].count("query") == 1
        root = next(span for span in stored.spans if span.parent_span_id is None)
        assert root.attributes["ml.run.spans.ended"] == 2


def test_a_span_with_a_context_of_its_own_belongs_to_the_run_of_that_context(adopted, read):
    """A library that carries contexts round by hand gets its spans into the right run."""
    tracer, _ = adopted()
    with ox.start_run("first"):
        carried = context_api.get_current()
        with ox.start_run("second"):
            tracer.start_span("carried", context=carried).end()

    assert "carried" in [span.name for span in read("first").spans]
    assert "carried" not in [span.name for span in read("second").spans]


def test_the_applications_limits_evict_no_identity(adopted, read):
    """With room for four attributes, set first and dropped first, run, lane and sequence are still known."""
    tracer, exporter = adopted(span_limits=SpanLimits(max_span_attributes=4))
    with ox.start_run("r") as run, tracer.start_as_current_span("full") as span:
        for i in range(200):
            span.set_attribute(f"app.key{i}", i)

    (stored,) = [span for span in read("r").spans if span.name == "full"]
    (sent,) = exporter.get_finished_spans()
    assert set(sent.attributes) == {f"app.key{i}" for i in range(196, 200)}
    assert stored.run_id == run.id
    assert stored.attributes.keys() == sent.attributes.keys() | {
        "ml.run.id",
        "ml.span.lane",
        "ml.span.sequence",
    }
    assert stored.dropped_attributes_count == 199


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    ],
)
def test_standard_limits_have_no_power_over_identity(configure, monkeypatch, read, variable):
    """With a limit of 1, a span with 250 attributes keeps all of them, and the resource says whose it is."""
    monkeypatch.setenv(variable, "1")
    configure()
    with ox.start_run("r") as run, run.stage("load") as stage:
        for i in range(250):
            stage.set_attribute(f"app.key{i}", i)

    (stored,) = [span for span in read("r").spans if span.name == "stage load"]
    assert stored.attributes["ml.operation.name"] == "stage"
    assert stored.attributes["ml.span.lane"] == "main"
    assert [stored.attributes[f"app.key{i}"] for i in range(250)] == list(range(250))
    assert stored.dropped_attributes_count == 0
    assert {key: stored.resource.attributes[key] for key in ("ml.run.id", "ml.run.name")} == {
        "ml.run.id": run.id,
        "ml.run.name": "r",
    }


def test_a_length_limit_of_the_user_is_kept(configure, monkeypatch, read):
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts long texts as it does elsewhere."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200")
    configure()
    with ox.start_run("r") as run, run.tracer.start_as_current_span("s", attributes={"app.text": "x" * 500}):
        pass

    (stored,) = [span for span in read("r").spans if span.name == "s"]
    assert stored.attributes["app.text"] == "x" * 200


def test_runs_in_threads_at_once_never_mix(adopted, read):
    """Eight threads, each with runs of its own: points, spans and third-party spans stay in theirs."""
    tracer, _ = adopted()

    def work(number):
        for repeat in range(5):
            name = f"{number}-{repeat}"
            with ox.start_run(name) as run:
                for i in range(20):
                    with run.step(i), tracer.start_as_current_span(f"query {name}"):
                        ox.log({f"loss {name}": float(i)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    for number in range(8):
        for repeat in range(5):
            name = f"{number}-{repeat}"
            run = read(name)
            assert list(run.metrics) == [f"loss {name}"]
            spans = [span.name for span in run.spans]
            assert spans.count(f"query {name}") == 20
            assert {span for span in spans if span.startswith("query")} == {f"query {name}"}
            assert {span.trace_id for span in run.spans} == {run.id}


def test_runs_in_asyncio_tasks_at_once_never_mix(adopted, read):
    """Fifty tasks that interleave at every step."""
    tracer, _ = adopted()

    async def work(number):
        with ox.start_run(f"t{number}") as run:
            for i in range(10):
                with run.step(i):
                    await asyncio.sleep(0)
                    with tracer.start_as_current_span(f"query {number}"):
                        await asyncio.sleep(0)
                        ox.current_run().log({f"loss{number}": float(i)})

    async def main():
        await asyncio.gather(*map(work, range(50)))

    asyncio.run(main())

    for number in range(50):
        run = read(f"t{number}")
        assert {key: list(run.metrics[key].points().values) for key in run.metrics} == {
            f"loss{number}": [float(i) for i in range(10)]
        }
        names = [span.name for span in run.spans]
        assert names.count(f"query {number}") == 10
        assert len(names) == 21


class Broken(SpanProcessor):
    """A processor of the user that raises wherever it can."""

    def on_start(self, span, parent_context=None):  # noqa: D102 - the SDK's interface
        raise ZeroDivisionError("on_start")

    def on_end(self, span):  # noqa: D102 - the SDK's interface
        raise ZeroDivisionError("on_end")

    def shutdown(self):  # noqa: D102 - the SDK's interface
        raise ZeroDivisionError("shutdown")

    def force_flush(self, timeout_millis=30_000):  # noqa: D102 - the SDK's interface
        raise ZeroDivisionError("force_flush")


def test_a_processor_of_the_user_that_raises_never_reaches_user_code(configure, read, caplog):
    """Its failures are counted and told once; everything is recorded all the same."""
    configure(span_processors=[Broken()])
    with ox.start_run("r") as run:
        for i in range(3):
            with run.step(i):
                pass
        report = run.flush()

    assert [span.name for span in read("r").spans].count("step") == 3
    assert report.lost == {"span processor": 8}
    assert caplog.text.count("Broken.on_start failed") == 1


def test_a_processor_of_the_user_is_flushed_and_shut_down(configure):
    """What a batch processor of the user still holds is exported by flush and, at the latest, at shutdown."""
    exporter = InMemorySpanExporter()
    configure(span_processors=[BatchSpanProcessor(exporter, schedule_delay_millis=600_000)])
    with ox.start_run() as run:
        with run.stage("one"):
            pass
        run.flush()
        flushed = [span.name for span in exporter.get_finished_spans()]
        with run.stage("two"):
            pass
    ox.shutdown()

    assert flushed == ["stage one"]
    assert "stage two" in [span.name for span in exporter.get_finished_spans()]


def test_a_processor_that_hangs_delays_no_exit(configure):
    """A processor whose shutdown never returns is waited for within the budget, and given up."""
    release = threading.Event()

    class Hanging(SpanProcessor):
        def shutdown(self):
            release.wait(60)

    configure(span_processors=[Hanging()], exit_timeout_s=0.5)
    with ox.start_run():
        pass
    done = threading.Event()
    threading.Thread(target=lambda: (ox.shutdown(), done.set()), daemon=True).start()

    assert done.wait(10)
    release.set()


def test_the_routing_tracer_decorates_functions_and_coroutines(configure, read):
    """`tracer.start_as_current_span` decorates as the SDK's own does; the run is looked up at each call."""
    configure()
    tracer = RoutingTracerProvider().get_tracer("library")

    @tracer.start_as_current_span("plain")
    def plain():
        return trace.get_current_span().is_recording()

    @tracer.start_as_current_span("coroutine")
    async def coroutine():
        await asyncio.sleep(0)
        return trace.get_current_span().is_recording()

    outside = plain()
    with ox.start_run("r"):
        inside = (plain(), plain(), asyncio.run(coroutine()))

    assert (outside, inside) == (False, (True, True, True))
    names = [span.name for span in read("r").spans]
    assert (names.count("plain"), names.count("coroutine")) == (2, 1)


def test_a_resumed_run_gets_its_own_tracer_from_the_routing_provider(configure, read):
    """The next attempt of a run is another object with another resource; no tracer of the first is used for it."""
    configure()
    tracer = RoutingTracerProvider().get_tracer("library")
    with ox.start_run("r") as first, tracer.start_as_current_span("one"):
        pass
    with ox.start_run("r", resume=first.id), tracer.start_as_current_span("two"):
        pass

    attempts = {
        span.name: span.resource.attributes["ml.run.attempt"]
        for span in read(first.id).spans
        if span.name in {"one", "two"}
    }
    assert attempts == {"one": 1, "two": 2}


def test_a_provider_keeps_what_the_application_gave_it(adopted, read):
    """Adopting changes neither resource, sampler nor ids; the spans it exports are those that it made."""
    resource, ids = Resource({"service.name": "app"}), RandomIdGenerator()
    tracer, exporter = adopted(resource=resource, sampler=ALWAYS_ON, id_generator=ids)
    with ox.start_run("r"), tracer.start_as_current_span("theirs"):
        pass

    (sent,) = exporter.get_finished_spans()
    (stored,) = [span for span in read("r").spans if span.name == "theirs"]
    assert (tracer.sampler, tracer.id_generator, sent.resource) == (ALWAYS_ON, ids, resource)
    assert dict(stored.resource.attributes) == {"service.name": "app"}
    assert stored.span_id == trace.format_span_id(sent.context.span_id)


def test_sqlite3_itself_is_not_changed(configure):
    """We instrument nothing by ourselves."""
    connect = sqlite3.connect
    configure(set_global=False)
    with ox.start_run():
        assert sqlite3.connect is connect
