"""Log records and events of the application's LoggerProvider belong to the run that is current when they are emitted."""

import threading

import pytest
from opentelemetry import _logs, context, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry._logs import _internal as logs_api
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource

import otel_experiments as ox
from otel_experiments.exporters.logs import StoreLogExporter
from otel_experiments.record.base.provider_watch import look_again
from otel_experiments.store import open_store


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes a LoggerProvider the global one, in the place of another if need be."""
    monkeypatch.setattr(logs_api, "_LOGGER_PROVIDER", None)

    def install(provider):
        monkeypatch.setattr(logs_api, "_LOGGER_PROVIDER", provider)
        return provider

    yield install

    monkeypatch.undo()
    look_again()


def sdk(**options):
    """Return a provider of the SDK, with a resource of its own."""
    return LoggerProvider(resource=Resource({"service.name": "app"}), shutdown_on_exit=False, **options)


class Wrapper(_logs.LoggerProvider):
    """Has another provider, as instrumentation that wraps the SDK's does."""

    def __init__(self, wrapped):
        self.wrapped = wrapped

    def get_logger(self, *args, **kwargs):  # noqa: D102 - the API's
        return self.wrapped.get_logger(*args, **kwargs)


def emit(body="hello", **more):
    """Log as a library does that knows OpenTelemetry's API and nothing else."""
    _logs.get_logger_provider().get_logger("library", "1.2").emit(
        body=body, severity_number=SeverityNumber.INFO, **more
    )


def bodies(run):
    """Return the bodies of the library's stored records."""
    return [record.body for record in run.log_records if record.scope.name == "library"]


@pytest.mark.parametrize("wrap", [lambda provider: provider, Wrapper], ids=["plain", "wrapped"])
@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_record_of_the_applications_provider_is_in_the_run(configure, install, read, wrap, when):
    """Set before the run or inside of it, wrapped or not: the record is in the run, under the span that was open."""
    if when == "before":
        install(wrap(sdk()))
    configure()
    with ox.start_run("r") as run:
        if when == "inside":
            install(wrap(sdk()))
        with run.stage("load"):
            emit("loaded", attributes={"rows": 3}, event_name="library.loaded")
            span = trace.get_current_span().get_span_context()

    (record,) = [one for one in read("r").log_records if one.scope.name == "library"]
    assert (record.body, record.event_name, record.severity_number) == ("loaded", "library.loaded", 9)
    assert (record.run_id, record.attributes) == (run.id, {"rows": 3, "ml.run.id": run.id})
    assert (record.trace_id, record.span_id) == (run.id, trace.format_span_id(span.span_id))
    assert (record.resource.attributes, record.scope.version) == ({"service.name": "app"}, "1.2")
    assert [one.body for one in read("r").events("library.loaded")] == ["loaded"]


def test_what_the_applications_exporter_gets_stays_as_it_was(configure, install):
    """Adoption adds no attribute to what the application's exporters send, and sends nothing by itself."""
    provider, exporter = install(sdk()), InMemoryLogRecordExporter()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    configure()
    with ox.start_run("r"):
        emit("inside", attributes={"rows": 3})
    emit("outside")
    provider.force_flush()

    got = [one.log_record for one in exporter.get_finished_logs()]
    assert [(one.body, dict(one.attributes)) for one in got] == [("inside", {"rows": 3}), ("outside", {})]
    provider.shutdown()


def test_outside_of_runs_and_while_several_are_on_no_run_is_guessed(configure, install, read):
    """A record outside of runs is not recorded; with two runs at once, one from a thread without context neither."""
    install(sdk())
    configure()
    emit("before")
    with ox.start_run("first"), ox.start_run("second"):
        emit("within")
        other = threading.Thread(target=emit, args=("thread",))
        other.start()
        other.join()
    emit("after")

    assert (bodies(read("first")), bodies(read("second"))) == ([], ["within"])


def test_a_record_with_the_context_of_a_run_is_in_that_run(configure, install, read):
    """The context that a record names decides, wherever it is emitted."""
    install(sdk())
    configure()
    with ox.start_run("first"):
        here = context.get_current()
        with ox.start_run("second"):
            emit("explicit", context=here)
            logger = _logs.get_logger_provider().get_logger("library")
            logger.emit(LogRecord(body="made", context=here, severity_number=SeverityNumber.WARN))

    assert (bodies(read("first")), bodies(read("second"))) == (["explicit", "made"], [])


def test_a_paused_run_takes_no_record_and_says_how_many_came(configure, install, read):
    """What comes in a pause is counted and not recorded."""
    install(sdk())
    configure()
    with ox.start_run("r") as run:
        run.pause()
        emit("paused")
        run.resume()
        emit("on")
        refused = dict(run.refused)

    assert (bodies(read("r")), refused) == (["on"], {"log record": 1})


@pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
@pytest.mark.parametrize("is_first", [True, False], ids=["exporter before us", "exporter after us"])
def test_a_record_that_the_application_exports_to_the_same_store_is_in_the_run_once(
    configure, install, read, store_path, processor, is_first
):
    """With a store exporter of its own the application gets one row a record, in the run, however it exports."""
    provider = install(sdk())

    def export():
        provider.add_log_record_processor(processor(StoreLogExporter(store_path)))

    if is_first:
        export()
    configure()
    with ox.start_run("r") as run:
        if not is_first:
            export()
        emit("both")
    emit("outside")
    provider.force_flush()
    provider.shutdown()

    assert bodies(read("r")) == ["both"]
    ox.shutdown()
    store = open_store(store_path)
    rows = [one for one in store.log_records() if one.scope.name == "library"]
    store.close()
    assert [(one.body, one.run_id) for one in rows] == [("both", run.id), ("outside", None)]


def test_a_record_from_before_the_run_is_not_in_it_however_late_it_is_exported(
    configure, install, store_path
):
    """What waited in a batch of the application's since before the run stays outside of it."""
    provider = install(sdk())
    provider.add_log_record_processor(BatchLogRecordProcessor(StoreLogExporter(store_path)))
    configure()
    emit("before")
    with ox.start_run("r"):
        provider.force_flush()
    provider.shutdown()
    ox.shutdown()

    store = open_store(store_path)
    rows = [(one.body, one.run_id) for one in store.log_records() if one.scope.name == "library"]
    store.close()
    assert rows == [("before", None)]


def test_a_run_that_records_no_telemetry_adopts_nothing(configure, install, read, monkeypatch):
    """With OTEL_SDK_DISABLED the application's provider makes no loggers, and the run goes on."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    install(sdk())
    configure()
    with ox.start_run("r"):
        emit()

    assert read("r").log_records == []


def test_a_value_that_cannot_be_stored_reaches_no_caller(configure, install, read):
    """What cannot be stored of a record is kept as text; nothing is raised where it is emitted."""

    class Odd:
        def __repr__(self):
            raise ZeroDivisionError("repr")

        __str__ = __repr__

    install(sdk())
    configure()
    with ox.start_run("r"):
        emit({"odd": Odd()})
        emit("next")

    assert bodies(read("r"))[-1] == "next"


class Processor(LogRecordProcessor):
    """Takes the attribute `password` out of each record, and wants records or not."""

    def __init__(self, *, wants=True):
        self.wants = wants

    def on_emit(self, log_record):  # noqa: D102 - the SDK's
        given = log_record.log_record.attributes or {}
        log_record.log_record.attributes = {key: value for key, value in given.items() if key != "password"}

    def enabled(self, **_):  # noqa: D102 - the SDK's
        return self.wants

    def shutdown(self):  # noqa: D102 - the SDK's
        pass

    def force_flush(self, timeout_millis=0):  # noqa: D102 - the SDK's
        return True


@pytest.mark.parametrize("kind", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
def test_a_processor_may_put_other_attributes_into_a_record(configure, install, read, store_path, kind):
    """What a redacting processor leaves is in the run, once, also where our exporter stores it again."""
    provider = install(sdk())
    provider.add_log_record_processor(Processor())
    configure(on_error="raise")
    with ox.start_run("r") as run:
        provider.add_log_record_processor(kind(StoreLogExporter(store_path)))
        with ox.start_run("inner"):
            emit("hello", attributes={"a": 1, "password": "x"})
    provider.force_flush()

    (record,) = [one for one in read("inner").log_records if one.scope.name == "library"]
    assert (record.body, record.attributes["a"], "password" in record.attributes) == ("hello", 1, False)
    assert bodies(read("r")) == []
    assert run.id != record.run_id


@pytest.mark.parametrize("wants", [True, False])
def test_a_logger_is_enabled_in_a_run_as_outside_of_it(configure, install, wants):
    """Whether a library makes a record at all is for the application's processors to say."""
    provider = install(sdk())
    provider.add_log_record_processor(Processor(wants=wants))
    library = provider.get_logger("library")
    if not hasattr(library, "enabled"):
        pytest.skip("this SDK's loggers do not say it")
    configure()
    outside = library.enabled()
    with ox.start_run("r"):
        assert library.enabled() == outside
