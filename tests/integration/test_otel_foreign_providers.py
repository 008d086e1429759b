"""Any SDK provider of the application is adopted, whenever it is set and whatever wraps it; none is installed."""

import dataclasses
import gc
import importlib.util
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_experiments as ox
from otel_experiments.record.base.provider_watch import look_again
from otel_experiments.record.spans import adoption


class Subclass(TracerProvider):
    """An SDK provider with a name of its own."""


class Proxy:
    """Stands for another object, as the proxies of wrapt do: its type shows through, `__wrapped__` has it."""

    def __init__(self, wrapped):
        self.__wrapped__ = wrapped

    @property
    def __class__(self):
        return type(self.__wrapped__)

    def __getattr__(self, name):
        return getattr(self.__wrapped__, name)


@dataclasses.dataclass
class Reassignable(trace.TracerProvider):
    """Has another provider that may be exchanged; cannot be hashed."""

    provider: object

    def get_tracer(self, *args, **kwargs):  # noqa: D102 - the API's
        return self.provider.get_tracer(*args, **kwargs)


class Slotted(trace.TracerProvider):
    """Takes processors, tells nobody what it wraps, and can be referred to by no weak reference."""

    __slots__ = ("_hidden",)

    def __init__(self, hidden):
        self._hidden = hidden

    def get_tracer(self, *args, **kwargs):  # noqa: D102 - the API's
        return self._hidden.get_tracer(*args, **kwargs)

    def add_span_processor(self, processor):  # noqa: D102 - the SDK's
        self._hidden.add_span_processor(processor)


class Delegating(TracerProvider):
    """Is an SDK provider and has its spans made by another one."""

    def __init__(self, delegate):
        super().__init__(shutdown_on_exit=False)
        self.delegate = delegate

    def get_tracer(self, *args, **kwargs):  # noqa: D102 - the API's
        return self.delegate.get_tracer(*args, **kwargs)


class Broken(trace.TracerProvider):
    """Raises wherever it is looked at, but when it is asked for a tracer."""

    def get_tracer(self, *args, **kwargs):  # noqa: D102 - the API's
        return trace.NoOpTracer()

    @property
    def provider(self):  # noqa: D102 - the wrapped one
        raise ZeroDivisionError("provider")

    def add_span_processor(self, processor):  # noqa: D102 - the SDK's
        raise ZeroDivisionError("add_span_processor")


def sdk(kind=TracerProvider, **options):
    """Return a provider of the SDK."""
    return kind(shutdown_on_exit=False, **options)


KINDS = {
    "the SDK's": sdk,
    "a subclass": lambda: sdk(Subclass),
    "with processors in threads": lambda: sdk(active_span_processor=ConcurrentMultiSpanProcessor()),
    "a proxy": lambda: Proxy(sdk()),
    "a wrapper that cannot be hashed": lambda: Reassignable(sdk()),
    "a wrapper of a wrapper": lambda: Reassignable(Reassignable(sdk())),
    "a proxy of a wrapper": lambda: Proxy(Reassignable(sdk())),
    "a wrapper that hides what it wraps": lambda: Slotted(sdk()),
    "an SDK provider that delegates": lambda: Delegating(sdk()),
    "a subclass of a proxy's": lambda: Proxy(sdk(Subclass)),
}


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes a provider the global one, in the place of another if need be."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)

    def install(provider):
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    yield install

    monkeypatch.undo()
    look_again()


def foreign(count=1):
    """Record spans as a library does that knows OpenTelemetry's API and nothing else."""
    for _ in range(count):
        with trace.get_tracer("library").start_as_current_span("query"):
            pass


def queries(run):
    """Return the stored spans of the library."""
    return [span for span in run.spans if span.name == "query"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_set_before_the_run_is_adopted(configure, install, read, kind):
    """Whatever the provider is: its spans are in the run, each once, below the stage that was open."""
    install(KINDS[kind]())
    configure()
    with ox.start_run("r") as run, run.stage("load") as stage:
        foreign(3)
    foreign()

    found = queries(read("r"))
    assert [span.run_id for span in found] == [run.id] * 3
    assert {span.parent_span_id for span in found} == {
        trace.format_span_id(stage.span.get_span_context().span_id)
    }
    if kind != "with processors in threads":  # which are not those that open the spans
        assert {span.attributes["ml.span.lane"] for span in found} == {"main"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_set_inside_of_a_run_is_adopted_at_the_next_scope(configure, install, read, kind):
    """What starts before the provider is there goes nowhere; from the next stage on everything is in the run."""
    configure()
    with ox.start_run("r") as run:
        foreign()
        install(KINDS[kind]())
        with run.stage("load"):
            foreign(3)
        foreign(2)

    assert len(queries(read("r"))) == 5
    assert run.flush().lost == {}


@pytest.mark.parametrize("opener", ["stage", "step", "epoch", "trace", "decorator", "child run"])
def test_every_kind_of_scope_looks_again(configure, install, read, opener):
    """Whatever opens a span of ours notices a provider that is new."""
    configure()

    @ox.trace
    def decorated():
        foreign()

    with ox.start_run("r", experiment="e") as run:
        install(sdk())
        if opener == "decorator":
            decorated()
        elif opener == "child run":
            with ox.start_run("child"):
                foreign()
        else:
            with {"stage": run.stage, "step": run.step, "epoch": run.epoch, "trace": run.trace}[opener](
                *(["name"] if opener in {"stage", "trace"} else [1])
            ):
                foreign()

    assert len(queries(read("child" if opener == "child run" else "r"))) == 1


def test_a_provider_set_inside_of_a_run_without_scopes_is_noticed_soon(configure, install, read):
    """A run that opens no scope looks again by itself, twice a second."""
    configure()
    provider = sdk()
    adopted = threading.Event()
    provider.add_span_processor = lambda processor: (
        TracerProvider.add_span_processor(provider, processor),
        adopted.set(),
    )
    with ox.start_run("r"):
        install(provider)
        assert adopted.wait(60)
        foreign()

    assert len(queries(read("r"))) == 1


def test_a_provider_in_the_place_of_another_is_adopted_too(configure, install, read):
    """Tests of applications exchange the provider again and again; each is adopted, each span recorded once."""
    configure()
    first, second = sdk(), sdk()
    with ox.start_run("r") as run:
        for provider in (first, second, first, second):
            install(provider)
            with run.stage("load"):
                foreign()

    assert len(queries(read("r"))) == 4
    assert len(adoptions(first)) == len(adoptions(second)) == 1


def adoptions(provider):
    """Return the processors of ours that a provider has."""
    return [
        one
        for one in provider._active_span_processor._span_processors
        if isinstance(one, adoption.AdoptingSpanProcessor)
    ]


def test_a_wrapper_that_gets_another_provider_is_looked_through_again(configure, install, read):
    """Reconfiguring what stands behind the global provider, inside of a run, loses nothing."""
    wrapper = Reassignable(trace.NoOpTracerProvider())
    install(wrapper)
    configure()
    with ox.start_run("r") as run:
        foreign()
        for _ in range(2):
            wrapper.provider = sdk()
            with run.stage("load"):
                foreign()

    assert len(queries(read("r"))) == 2


def test_a_span_of_providers_that_share_their_processors_is_recorded_once(configure, install, read):
    """Two adopted providers over one chain of processors make no span twice."""
    shared = SynchronousMultiSpanProcessor()
    configure()
    with ox.start_run("r") as run:
        for _ in range(2):
            install(sdk(active_span_processor=shared))
            with run.stage("load"):
                foreign()

    stored = read("r")
    assert len(queries(stored)) == 2
    root = next(span for span in stored.spans if span.parent_span_id is None)
    assert root.attributes["ml.run.spans.ended"] == 5


def test_the_provider_of_a_run_is_not_adopted(configure, install, read):
    """Who makes the run's own provider the global one gets each span once."""
    configure()
    with ox.start_run("r") as run:
        install(run.tracer_provider)
        with run.stage("load"):
            foreign()

    stored = read("r")
    assert len(queries(stored)) == 1
    assert next(s for s in stored.spans if s.parent_span_id is None).attributes["ml.run.spans.ended"] == 3


def test_processors_in_threads_find_the_run_by_its_trace(configure, install, read):
    """With two runs at once and processors that run in threads of their own, each span is in its run."""
    install(sdk(active_span_processor=ConcurrentMultiSpanProcessor()))
    configure()
    with ox.start_run("first"), ox.start_run("second"), ox.current_run().stage("load"):
        foreign()

    assert len(queries(read("second"))) == 1
    assert queries(read("first")) == []


@pytest.mark.parametrize("inside", [False, True])
def test_a_provider_that_raises_changes_nothing(configure, install, read, inside, caplog):
    """A foreign provider may do anything when it is looked at: the run goes on, and it is said once."""
    if not inside:
        install(Broken())
    configure()
    with ox.start_run("r") as run:
        if inside:
            install(Broken())
        for _ in range(3):
            with run.stage("load"):
                foreign()

    assert [span.name for span in read("r").spans].count("stage load") == 3
    assert caplog.text.count("(Broken) takes no span processor") == 1


def test_without_a_provider_none_is_installed(configure, install, read):
    """Nothing is set globally, by no call of ours, and spans of libraries go nowhere."""
    configure()
    with ox.start_run("r") as run, run.stage("load"):
        foreign()

    assert queries(read("r")) == []
    ox.shutdown()
    assert trace._TRACER_PROVIDER is None


def test_the_application_may_flush_and_shut_down_its_provider_at_any_time(configure, install, read):
    """Its shutdown closes nothing of ours, and what it still makes afterwards is recorded, too."""
    provider = sdk()
    install(provider)
    configure()
    with ox.start_run("r") as run:
        foreign()
        assert provider.force_flush()
        foreign()
        provider.shutdown()
        foreign()
        run.log({"loss": 1.0})

    assert len(queries(read("r"))) == 3
    assert read("r").metrics["loss"].count == 1
    assert run.flush().lost == {}


def test_a_provider_keeps_one_processor_of_ours_however_often_recording_is_set_up(configure, install, read):
    """`configure()` again and again, as golden tests do, neither piles up processors nor keeps pipelines alive."""
    provider = sdk()
    install(provider)
    pipelines = []
    for number in range(5):
        pipelines.append(weakref.ref(configure()))
        with ox.start_run(f"r{number}") as run, run.stage("load"):
            foreign()
        left_open = trace.get_tracer("library").start_span("never ended")
        assert len(queries(read(f"r{number}"))) == 1
    ox.shutdown()
    del run, left_open
    gc.collect()

    assert len(adoptions(provider)) == 1
    assert [ref for ref in pipelines if ref() is not None] == []
    foreign()


def test_a_span_that_ends_after_recording_has_ended_does_no_harm(configure, install):
    """Started in a run, ended after `shutdown()` and in the next set-up: no error, and no span in another run."""
    install(sdk())
    configure()
    with ox.start_run("first"):
        span = trace.get_tracer("library").start_span("long")
    ox.shutdown()
    configure()
    with ox.start_run("second") as run:
        span.end()

    assert "long" not in [one.name for one in ox.run("second").spans]
    assert run.flush().lost == {}


def test_adoption_leaves_the_order_and_the_spans_of_the_applications_processors(configure, install):
    """Processors and exporters of the application see what they saw before, and ours comes last."""
    order = []

    class Noting(SpanProcessor):
        def on_start(self, span, parent_context=None):
            order.append(("start", span.name))

        def on_end(self, span):
            order.append(("end", span.name))

    exporter = InMemorySpanExporter()
    provider = sdk()
    provider.add_span_processor(Noting())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    install(provider)
    configure()
    with ox.start_run("r") as run, run.stage("load"):
        foreign()

    assert order == [("start", "query"), ("end", "query")]
    assert [span.name for span in exporter.get_finished_spans()] == ["query"]


def run_program(text, tmp_path, *launcher, **environ):
    """Run a program in a process of its own, where the global provider is still to be set."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(text))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [*launcher, sys.executable, str(script)],
        env={**clean, "LOGFIRE_SEND_TO_LOGFIRE": "false", "LOGFIRE_CONSOLE": "false", **environ},
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


SET_LATER = """
import otel_experiments as ox
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    early = trace.get_tracer("early")  # a proxy, until there is a provider
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    with run.stage("load"):
        with early.start_as_current_span("query"):
            pass
        with trace.get_tracer("late").start_as_current_span("query"):
            pass
assert trace.get_tracer_provider() is provider
print(len([span for span in ox.run("r").spans if span.name == "query"]))
"""


def test_a_program_that_sets_its_provider_inside_of_a_run_finds_its_spans_there(tmp_path):
    """In a real process: the application's `set_tracer_provider` after `start_run`, tracers of before it included."""
    assert run_program(SET_LATER, tmp_path) == "2\n"


NAMED_BY_THE_ENVIRONMENT = """
import otel_experiments as ox
from opentelemetry import trace
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r"), trace.get_tracer("library").start_as_current_span("query"):
    pass
print(len([span for span in ox.run("r").spans if span.name == "query"]))
"""


def test_a_provider_that_the_environment_names_is_adopted(tmp_path):
    """OTEL_PYTHON_TRACER_PROVIDER is OpenTelemetry's own way to choose a provider."""
    environ = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}
    assert run_program(NAMED_BY_THE_ENVIRONMENT, tmp_path, **environ) == "1\n"


LOGFIRE = """
import otel_experiments as ox
import logfire

def set_up():
    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)

def work():
    with logfire.span("asked {what}", what=1):
        logfire.info("answered")

if WHEN == "before":
    set_up()
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run:
    if WHEN == "after":
        set_up()
    with run.stage("load"):
        work()
    set_up()
    with run.stage("again"):
        work()
stages = {span.span_id: span.name for span in ox.run("r").spans}
print(sorted((span.name, stages.get(span.parent_span_id)) for span in ox.run("r").spans if span.scope.name == "logfire"))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_spans_of_logfire_land_in_the_run(tmp_path, when):
    """Logfire puts a provider of its own in front of the SDK's, and exchanges that when it is configured again."""
    pytest.importorskip("logfire", reason="logfire is not installed")
    printed = run_program(f"WHEN = {when!r}\n{textwrap.dedent(LOGFIRE)}", tmp_path)

    names = [("answered", "asked {what}")] * 2 + [
        ("asked {what}", "stage again"),
        ("asked {what}", "stage load"),
    ]
    assert printed == f"{names}\n"


LIBRARY = """
import sqlite3
import otel_experiments as ox
from opentelemetry import trace
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
with ox.start_run("r") as run, run.stage("load"):
    sqlite3.connect(":memory:").cursor().execute("select 'inside'")
print(len([span for span in ox.run("r").spans if span.attributes.get("db.statement") == "select 'inside'"]))
"""


@pytest.mark.parametrize(("launched", "asked", "count"), [(True, "", 1), (False, "true", 1), (False, "", 0)])
def test_an_instrumented_library_lands_in_the_run_as_the_readme_says(tmp_path, launched, asked, count):
    """Under opentelemetry-instrument and with set_global its spans are in the run; with neither they are nowhere."""
    pytest.importorskip("opentelemetry.instrumentation.sqlite3")
    launcher = [str(Path(sys.executable).parent / "opentelemetry-instrument")] if launched else []
    if launched and not (Path(launcher[0]).exists() and importlib.util.find_spec("opentelemetry.distro")):
        pytest.skip("opentelemetry-distro is not installed")
    text = textwrap.dedent(LIBRARY)
    if not launched:
        text = (
            "from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor\n"
            f"SQLite3Instrumentor().instrument()\n{text}"
        )
    environ = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    environ["OTEL_EXPERIMENTS_SET_GLOBAL"] = asked

    assert run_program(text, tmp_path, *launcher, **environ) == f"{count}\n"
