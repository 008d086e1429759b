"""Trainings go through a real Collector to real backends, and each backend gives back every span and point.

The trainings of `trainings/` are run once for all tests here: one in several stages, one that fails, one that is
killed, one of four processes.
"""

import functools
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from read_back import (
    curves,
    differences,
    in_milliseconds,
    instruments_of,
    logged_points_of,
    logs_of,
    point_count,
    rounded,
    spans_of,
    stored_instruments,
    stored_logs,
    stored_points,
    stored_spans,
    without_schema_urls,
)
from real_programs import (
    CONFIGS,
    HANGS_S,
    Collector,
    Jaeger,
    Prometheus,
    Prometheus2,
    Serve,
    VictoriaMetrics,
    until,
)

import otel_experiments as ox

HERE = Path(__file__).resolve().parent
TRAININGS = HERE / "trainings"
RUNS = ("stages", "fails", "killed", "ranks")
VALUE = "ml.metric.value"
EACH_SERVE = pytest.mark.parametrize("backend", ["serve", "serve-json"])
"""Stores of `otel-experiments serve`, which a Collector sends protobuf over gRPC, and JSON over HTTP."""


def train(folder, endpoint):
    """Run the trainings one after the other and see that each ends as it should."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPERIMENTS_STORE": str(folder / "experiments.db"),
        "OTEL_EXPERIMENTS_SET_GLOBAL": "true",
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
    }
    start = functools.partial(
        subprocess.Popen, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def run(*scripts, **variables):
        processes = [
            start([sys.executable, TRAININGS / script], env=environment | variables | {"RANK": str(rank)})
            for rank, script in enumerate(scripts)
        ]
        return [(process.communicate(timeout=HANGS_S)[0], process.returncode) for process in processes]

    ((printed, code),) = run("stages.py")
    assert code == 0, printed
    ((printed, code),) = run("fails.py")
    assert (code, printed.splitlines()[-1]) == (1, "ZeroDivisionError: the second epoch")
    ((printed, code),) = run("killed.py")
    assert code == -signal.SIGKILL, printed
    ranks = run(*["ranks.py"] * 4, WORLD_SIZE="4", OTEL_EXPERIMENTS_JOB_ID="job")
    assert [code for _, code in ranks] == [0] * 4, ranks


@pytest.fixture(scope="module")
def chain(kept, tmp_path_factory):
    """Run all trainings through one Collector to all backends that can be had; return what there is to read."""
    if kept("collector").file is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("chain")
    servers = {}
    configs, environment = ["file.yaml"], {}
    if (file := kept("jaeger").file) is not None:
        servers["jaeger"] = Jaeger(file, folder / "jaeger")
        configs.append("jaeger.yaml")
        environment["JAEGER_ENDPOINT"] = servers["jaeger"].endpoint
    if (file := kept("victoriametrics").file) is not None:
        servers["victoriametrics"] = VictoriaMetrics(file, folder / "victoriametrics")
        configs.append("victoriametrics.yaml")
        environment["VICTORIAMETRICS_ENDPOINT"] = servers["victoriametrics"].otlp_endpoint
    if (file := kept("prometheus").file) is not None:
        servers["prometheus"] = Prometheus(file, folder / "prometheus")
        configs.append("prometheus-otlp.yaml")
        environment["PROMETHEUS_OTLP_ENDPOINT"] = servers["prometheus"].otlp_endpoint
    if (file := kept("prometheus-2").file) is not None:
        servers["prometheus-2"] = Prometheus2(file, folder / "prometheus-2")
        configs.append("prometheus-remote-write.yaml")
        environment["PROMETHEUS_REMOTE_WRITE_ENDPOINT"] = servers["prometheus-2"].remote_write_endpoint
    servers["serve"] = Serve(folder / "serve")
    servers["serve-json"] = Serve(folder / "serve-json")
    configs += ["serve.yaml", HERE / "serve-json.yaml"]
    environment["SERVE_ENDPOINT"] = servers["serve"].endpoint
    environment["SERVE_JSON_ENDPOINT"] = servers["serve-json"].http_endpoint
    collector = servers["collector"] = Collector(
        kept("collector").file, folder / "collector", [CONFIGS / name for name in configs], environment
    )
    try:
        for server in servers.values():
            server.start()
        train(folder, collector.endpoint)
        runs = {run.name: run for run in ox.runs(store=folder / "experiments.db")}
        assert sorted(runs) == sorted(RUNS)
        yield SimpleNamespace(runs=runs, servers=servers, **servers)
    finally:
        for server in reversed(servers.values()):
            server.stop()


@pytest.fixture
def through(chain, binary):
    """Return a function that gives the chain, when it has the named backend, and notes its version."""

    def get(backend):
        binary("collector")
        binary(backend)
        return chain

    return get


@pytest.fixture
def received(chain, binary, note_serve):
    """Return a function that waits until a store of `serve` has a run, and returns it and what was recorded."""

    def get(backend, name):
        binary("collector")
        recorded, store = chain.runs[name], chain.servers[backend].store
        until(
            lambda: recorded.id in {run.id for run in ox.runs(store=store)},
            what=lambda: [run.name for run in ox.runs(store=store)],
        )
        return recorded, lambda: ox.run(recorded.id, store=store)

    return get


def test_the_trainings_are_what_they_should_be(through):
    """One run succeeded, one failed, one is lost, and one has the points of four processes."""
    runs = through("collector").runs

    assert {name: str(run.state) for name, run in runs.items()} == {
        "stages": "succeeded",
        "fails": "failed",
        "killed": "lost",
        "ranks": "succeeded",
    }
    assert runs["ranks"].metrics.ranks == [0, 1, 2, 3]
    (request,) = runs["stages"].spans.named("GET /weights")
    assert (len(request.links), len(request.events), request.status_message) == (1, 2, "no number")


@pytest.mark.parametrize("name", RUNS)
def test_a_file_has_every_span_as_it_was_recorded(name, through, came_back):
    """The file exporter's lines have each span of a run once: parent, times, links, events, attributes, status."""
    chain = through("collector")
    run = chain.runs[name]
    stored = stored_spans(run)

    def read():
        return {
            key: span for key, span in spans_of(chain.collector.lines).items() if span["run_id"] == run.id
        }

    until(lambda: stored.keys() <= read().keys(), what=lambda: differences(stored, read()))
    assert differences(stored, read()) == []
    came_back("collector", spans=len(stored))


@pytest.mark.parametrize("name", RUNS)
def test_a_file_has_every_point_with_its_step(name, through, came_back):
    """The file exporter's lines have each point of a run once: time to the nanosecond, each bit of it, its step."""
    chain = through("collector")
    run = chain.runs[name]
    stored = stored_points(run)

    def read():
        return logged_points_of(chain.collector.lines, run)

    until(lambda: point_count(read()) >= point_count(stored), what=lambda: (stored, read()))
    assert read() == stored
    came_back("collector", points=point_count(stored))


@pytest.mark.parametrize("name", RUNS)
def test_a_file_has_every_event_and_every_measurement(name, through):
    """Log records of a run, and what its instruments measured, are in the file as they are in the store."""
    chain = through("collector")
    run = chain.runs[name]
    logs, measured = stored_logs(run), stored_instruments(run)

    until(
        lambda: len(instruments_of(chain.collector.lines, run)) >= len(measured),
        what=lambda: (measured, instruments_of(chain.collector.lines, run)),
    )
    assert instruments_of(chain.collector.lines, run) == measured
    assert [log for log in logs_of(chain.collector.lines, run) if log in logs] == logs


@pytest.fixture(scope="module")
def imported(chain, tmp_path_factory):
    """Return the runs that an empty store has when the file exporter's file was imported into it, by name."""
    if chain is None:
        return {}

    def is_whole():
        lines = chain.collector.lines
        return all(
            stored_spans(run).keys() <= spans_of(lines).keys()
            and logged_points_of(lines, run) == stored_points(run)
            and len(instruments_of(lines, run)) >= len(stored_instruments(run))
            for run in chain.runs.values()
        )

    until(is_whole, what=lambda: "the file does not have all")
    store = tmp_path_factory.mktemp("imported") / "experiments.db"
    report = ox.import_otlp(chain.collector.folder / "telemetry.jsonl", store=store)
    assert report.is_complete, report.problems
    return {run.name: run for run in ox.runs(store=store)}


@pytest.mark.parametrize("name", RUNS)
def test_a_file_of_the_collector_comes_in_as_the_run(name, through, imported, came_back):
    """What the file exporter wrote of a run is that run in another store: what it is, its params, points, spans, events."""
    run, found = through("collector").runs[name], imported[name]

    assert (found.id, found.experiment) == (run.id, run.experiment)
    assert dict(found.params) == dict(run.params)
    assert found.tags == run.tags
    assert found.record.resource == run.record.resource
    assert name == "killed" or (str(found.state), found.reason, found.record.error_type) == (
        str(run.state), run.reason, run.record.error_type,
    )  # fmt: skip
    assert stored_points(found) == stored_points(run)
    assert differences(stored_spans(run), stored_spans(found)) == []
    assert stored_instruments(found) == stored_instruments(run)
    assert [log for log in stored_logs(found) if log in stored_logs(run)] == stored_logs(run)
    came_back("import", spans=len(stored_spans(run)), points=point_count(stored_points(run)))


@pytest.mark.parametrize("name", RUNS)
def test_jaeger_gives_back_every_span_as_it_was_recorded(name, through, came_back):
    """Jaeger's API has each span of a run: parent, times to the nanosecond, links, events, attributes, status.

    It keeps no schema URLs.
    """
    chain = through("jaeger")
    stored = without_schema_urls(stored_spans(chain.runs[name]))
    traces = sorted({trace_id for trace_id, _ in stored})

    def read():
        return spans_of(document for trace_id in traces for document in chain.jaeger.trace(trace_id))

    until(lambda: stored.keys() <= read().keys(), what=lambda: differences(stored, read()))
    assert differences(stored, read()) == []
    came_back("jaeger", spans=len(stored))


def test_a_run_is_found_in_jaeger_by_its_id_and_name(through):
    """The run's id is its trace id, and its attributes are what a search finds it by."""
    chain = through("jaeger")
    run = chain.runs["stages"]
    service = run.resource["service.name"]

    until(lambda: chain.jaeger.search(service, **{"ml.run.name": "stages"}), what="the run is found")
    assert chain.jaeger.search(service, **{"ml.run.name": "stages"}) == {run.id}
    assert chain.jaeger.search(service, **{"ml.run.id": run.id}) == {run.id}


@pytest.mark.parametrize("name", RUNS)
def test_victoriametrics_gives_back_every_point(name, through, came_back):
    """VictoriaMetrics has each point of each curve of each process in its millisecond; it drops NaN."""
    chain = through("victoriametrics")
    run = chain.runs[name]
    stored = in_milliseconds(run, keep=lambda value: not math.isnan(value))

    def read():
        return curves(chain.victoriametrics.series(f'{{__name__="{VALUE}"}}'), run)

    until(lambda: point_count(read()) >= point_count(stored), what=lambda: (stored, read()))
    assert read() == stored
    came_back("victoriametrics", points=point_count(stored))


@pytest.mark.parametrize("name", RUNS)
def test_victoriametrics_gives_back_what_instruments_measured(name, through, came_back):
    """Counters, gauges, and count and sum of each histogram have the stored values at the stored times."""
    chain = through("victoriametrics")
    run = chain.runs[name]
    stored = []
    for point in run.instrument_points:
        at = point.time_ns // 1_000_000
        if point.histogram is None:
            stored.append((point.name, at, rounded(point.value)))
        else:
            stored += [
                (f"{point.name}_{part}", at, rounded(point.histogram[part])) for part in ("count", "sum")
            ]

    def read():
        other = f'__name__!="{VALUE}",__name__!~".+_bucket"'
        series = chain.victoriametrics.series(f'{{{other},"ml.run.id"="{run.id}"}}')
        return sorted(
            (labels["__name__"], time_ms, rounded(value))
            for labels, samples in series
            for time_ms, value in samples
        )

    until(lambda: len(read()) >= len(stored), what=lambda: (stored, read()))
    assert read() == sorted(stored)
    came_back("victoriametrics", points=len(stored))


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("backend", ["prometheus", "prometheus-2"])
def test_prometheus_gives_back_every_point_that_it_can_hold(backend, name, through, came_back):
    """Prometheus 3 by OTLP and 2 by remote write have each point of each curve; of one millisecond they keep one value."""
    chain = through(backend)
    run = chain.runs[name]
    stored = in_milliseconds(run)
    times = {key: sorted({time_ms for time_ms, _ in points}) for key, points in stored.items()}

    def read():
        return curves(chain.servers[backend].series('{__name__=~"ml_metric_value(_ratio)?"}'), run)

    until(lambda: point_count(read()) >= point_count(times), what=lambda: (stored, read()))
    found = read()
    assert {key: [time_ms for time_ms, _ in points] for key, points in found.items()} == times
    assert [
        one for key, points in found.items() for one in points if repr(one) not in map(repr, stored[key])
    ] == []
    came_back(backend, points=point_count(found))


@pytest.mark.parametrize("name", RUNS)
@EACH_SERVE
def test_serve_has_every_span_as_it_was_recorded(backend, name, received, came_back):
    """A store that a Collector feeds has each span once: parent, times, links, events, attributes, status."""
    recorded, read = received(backend, name)
    stored = stored_spans(recorded)

    until(
        lambda: stored.keys() <= stored_spans(read()).keys(),
        what=lambda: differences(stored, stored_spans(read())),
    )
    assert differences(stored, stored_spans(read())) == []
    came_back("serve", spans=len(stored))


@pytest.mark.parametrize("name", RUNS)
@EACH_SERVE
def test_serve_has_every_point_at_its_step(backend, name, received, came_back):
    """Each point of each curve of each rank is there once: step, time to the nanosecond, each bit of the value."""
    recorded, read = received(backend, name)
    stored = stored_points(recorded)

    until(
        lambda: point_count(stored_points(read())) >= point_count(stored),
        what=lambda: (stored, stored_points(read())),
    )
    assert stored_points(read()) == stored
    came_back("serve", points=point_count(stored))


@pytest.mark.parametrize("name", RUNS)
@EACH_SERVE
def test_serve_has_every_event_and_every_measurement(backend, name, received):
    """Log records of a run, and what its instruments measured, are what was recorded."""
    recorded, read = received(backend, name)
    measured, logs = stored_instruments(recorded), stored_logs(recorded)

    until(
        lambda: len(stored_instruments(read())) >= len(measured),
        what=lambda: (measured, stored_instruments(read())),
    )
    assert stored_instruments(read()) == measured
    found = stored_logs(read())
    assert [log for log in found if log in logs] == logs


@pytest.mark.parametrize("name", RUNS)
@EACH_SERVE
def test_serve_has_the_run_itself(backend, name, received):
    """Name, experiment, parameters, ranks and how it ended are those of the run that was recorded.

    Of a run that was killed `serve` knows after five minutes without a request that it is lost.
    """
    recorded, read = received(backend, name)

    def facts(run):
        state = "lost" if name == "killed" and str(run.state) == "running" else str(run.state)
        return run.name, run.experiment, dict(run.params), run.metrics.ranks, state

    until(lambda: facts(read()) == facts(recorded), what=lambda: (facts(recorded), facts(read())))
