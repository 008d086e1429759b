"""What instruments of the application's MeterProvider measure while one run is on belongs to that run."""

import itertools
import random
import threading

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import Observation
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

import otel_experiments as ox
from otel_experiments.record.base.provider_watch import look_again
from otel_experiments.store import open_store


@pytest.fixture
def install(monkeypatch):
    """Return a function that makes a MeterProvider the global one, in the place of another if need be."""
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", None)

    def install(provider):
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)
        return provider

    yield install

    monkeypatch.undo()
    look_again()


def sdk(*readers, **options):
    """Return a provider of the SDK, with a resource of its own."""
    return MeterProvider(readers, Resource({"service.name": "app"}), shutdown_on_exit=False, **options)


def counter():
    """Return a counter as a library makes it."""
    return metrics.get_meter_provider().get_meter("library", "1.2").create_counter("requests", "{request}")


def counts(run):
    """Return the values of the library's stored counter."""
    return [point.value for point in run.instrument_points if point.name == "requests"]


@pytest.mark.parametrize("when", ["before", "inside"])
def test_what_is_counted_inside_a_run_is_in_the_run(configure, install, read, when):
    """Set before the run or inside of it: the run has what was counted in it, as the application's instrument says it."""
    if when == "before":
        install(sdk())
        counter().add(100)
    configure()
    with ox.start_run("r") as run:
        if when == "inside":
            install(sdk())
        with run.stage("load"):
            requests = counter()
            requests.add(2, {"code": "200"})
            requests.add(3, {"code": "200"})
            requests.add(1, {"code": "500"})
    requests.add(50)

    points = [point for point in read("r").instrument_points if point.name == "requests"]
    assert {point.attributes["code"]: point.value for point in points} == {"200": 5, "500": 1}
    assert {(point.run_id, point.unit, point.temporality, point.is_monotonic) for point in points} == {
        (run.id, "{request}", 1, True)
    }
    (resource,) = {tuple(point.resource.attributes.items()) for point in points}
    assert dict(resource) == {"service.name": "app", "ml.run.id": run.id, "ml.run.adopted": True}
    assert {(point.scope.name, point.scope.version) for point in points} == {("library", "1.2")}


def test_runs_one_after_the_other_have_their_share_each(configure, install, read):
    """A counter belongs to the process; each run has what was added while it was on."""
    install(sdk())
    requests = counter()
    configure()
    for name, count in (("first", 2), ("second", 5)):
        with ox.start_run(name):
            requests.add(count)
        requests.add(1000)

    assert (counts(read("first")), counts(read("second"))) == ([2], [5])


def test_what_is_measured_while_several_runs_are_on_belongs_to_none(configure, install, read, store_path):
    """A measurement does not say its run: with two runs at once it is kept without one."""
    install(sdk())
    requests = counter()
    configure()
    with ox.start_run("outer"):
        requests.add(1)
        with ox.start_run("inner"):
            requests.add(10)
        requests.add(4)

    assert (counts(read("outer")), counts(read("inner"))) == ([1, 4], [])
    ox.shutdown()
    store = open_store(store_path)
    kept = [point for point in store.instrument_points() if point.run_id is None]
    store.close()
    assert [(point.name, point.value, dict(point.resource.attributes)) for point in kept] == [
        ("requests", 10, {"service.name": "app"})
    ]


def test_the_applications_readers_get_what_they_got(configure, install):
    """Its own exporters see cumulative counts and every instrument, as without a run."""
    reader = InMemoryMetricReader()
    install(sdk(reader))
    requests = counter()
    requests.add(1)
    configure()
    with ox.start_run("r"):
        requests.add(2)
    requests.add(4)

    (of_resource,) = reader.get_metrics_data().resource_metrics
    (metric,) = of_resource.scope_metrics[0].metrics
    (point,) = metric.data.data_points
    assert (point.value, int(metric.data.aggregation_temporality)) == (7, 2)
    assert dict(of_resource.resource.attributes) == {"service.name": "app"}


def test_every_kind_of_instrument_is_read(configure, install, read):
    """Gauges come with their value, up-down counters with the level since adoption, others with what was added."""
    install(sdk())
    meter = metrics.get_meter_provider().get_meter("library")
    observed = itertools.count(10, 10)
    meter.create_observable_counter("observed", [lambda _: [Observation(next(observed))]])
    meter.create_observable_gauge("temperature", [lambda _: [Observation(21.5)]])
    depth, level = meter.create_up_down_counter("depth"), meter.create_gauge("level")
    duration = meter.create_histogram("duration", "s")
    depth.add(5)
    duration.record(100.0)
    configure()
    with ox.start_run("r"):
        depth.add(2)
        level.set(0.25)
        duration.record(0.5)
        duration.record(1.5)

    found = {point.name: point for point in read("r").instrument_points}
    assert {name: point.value for name, point in found.items() if point.value is not None} == {
        "observed": 10, "temperature": 21.5, "depth": 2, "level": 0.25,
    }  # fmt: skip
    assert (found["duration"].histogram["count"], found["duration"].histogram["sum"]) == (2, 2.0)


def test_reading_instruments_draws_no_random_numbers(configure, install):
    """The SDK's reservoirs of exemplars draw from the global `random`; ours keep none, for every kind of instrument."""
    install(sdk(exemplar_filter=AlwaysOnExemplarFilter()))
    meter = metrics.get_meter_provider().get_meter("library")
    configure()
    with ox.start_run("r"):
        before = random.getstate()
        for _ in range(50):
            meter.create_counter("a").add(1)
            meter.create_up_down_counter("b").add(1)
            meter.create_gauge("c").set(1)
            meter.create_histogram("d").record(1)
        after = random.getstate()

    assert before == after


def test_a_callback_that_never_returns_does_not_hold_up_the_run(configure, install, read):
    """A run ends though a callback of the application's hangs, and its points are kept."""
    install(sdk())
    release, entered = threading.Event(), threading.Event()

    def hang(_):
        entered.set()
        release.wait(60)
        return [Observation(1)]

    configure()
    with ox.start_run("r") as run:
        metrics.get_meter_provider().get_meter("library").create_observable_gauge("slow", [hang])
        run.log({"loss": 0.5})

    assert entered.is_set()
    assert read("r").metrics["loss"].last == 0.5
    release.set()
    for thread in threading.enumerate():
        if thread.name == "otel-experiments-instruments":
            thread.join(60)


def test_a_callback_may_start_a_run(configure, install, read):
    """What a callback does while it is asked does not wait for itself."""
    install(sdk())

    names = ["inner"]  # once: the provider may live on, and is read in later tests

    def start(_):
        if names:
            with ox.start_run(names.pop()):
                pass
        return [Observation(1)]

    configure()
    with ox.start_run("r"):
        metrics.get_meter_provider().get_meter("library").create_observable_gauge("odd", [start])

    assert read("inner").state == "succeeded"


def test_adopted_instruments_are_not_sent_a_second_time(exporting, install):
    """The application sends its instruments itself; what the run has of them stays in the store."""
    install(sdk())
    with ox.start_run("r") as run:
        counter().add(1)
        run.meter.create_counter("own").add(1)
    ox.shutdown()

    names = {
        metric.name
        for request in exporting.of("metrics")
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    }
    assert "own" in names
    assert "requests" not in names


def gauge(calls):
    """Have the global provider observe a gauge, and note each time that it is asked."""

    def observe(_):
        calls.append(1)
        return [Observation(1.0)]

    metrics.get_meter_provider().get_meter("library").create_observable_gauge("asked", [observe])


def test_a_provider_that_is_the_global_one_no_more_is_not_read(configure, install, read):
    """Its callbacks are not called for later runs, though something still holds the provider."""
    calls = []
    replaced = install(sdk())
    gauge(calls)
    configure()
    with ox.start_run("first"):
        pass
    asked = len(calls)
    install(sdk())
    requests = counter()
    with ox.start_run("second"):
        requests.add(2)

    assert asked > 0
    assert len(calls) == asked
    assert "asked" not in {point.name for point in read("second").instrument_points}
    assert counts(read("second")) == [2]
    assert replaced is not metrics.get_meter_provider()


def test_what_a_replaced_provider_measured_in_the_run_stays_in_it(configure, install, read):
    """A provider that is replaced inside a run is read once more, and again when it comes back."""
    first = install(sdk())
    of_first = counter()
    configure()
    with ox.start_run("r") as run:
        of_first.add(3)
        install(sdk())
        with run.stage("replaced"):
            counter().add(4)
    of_first.add(100)
    install(first)
    with ox.start_run("back"):
        of_first.add(5)

    assert sorted(counts(read("r"))) == [3, 4]
    assert counts(read("back")) == [5]
