"""OpenTelemetry's own variables in a real process: what they say is what a real gRPC server on this machine gets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_experiments.query import Reader
from otel_experiments.store import open_store

TRAIN = """
import json
import sqlite3

from opentelemetry import propagate

import otel_experiments as ox
from otel_experiments.record.spans import loops

loops.MAX_TRACE_SPANS = 20
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False)
carriers = []
for number in range(6):
    with ox.start_run(f"r{number}", experiment="e") as run:
        sqlite3.connect(":memory:").cursor().execute("select 1")
        for step in run.steps(range(100), spans=True):
            run.log({"loss": 1.0 / (step + 1)}, step=step)
        carrier = {}
        propagate.inject(carrier)
        carriers.append(carrier | {"run": run.id})
print(json.dumps(carriers))
"""


@pytest.fixture
def train(collector, tmp_path):
    """Return a function that trains in a process with these variables and returns the headers it would have sent."""

    def run(launcher=(), **variables):
        script = tmp_path / "train.py"
        script.write_text(TRAIN)
        done = subprocess.run(
            [*launcher, sys.executable, str(script)],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return json.loads(done.stdout), done.stderr

    return run


def spans_by_trace(spans):
    """Return how many spans each trace has."""
    counts = {}
    for trace_id in spans:
        counts[trace_id] = counts.get(trace_id, 0) + 1
    return counts


def stored_traces(tmp_path):
    """Return how many spans the store has of each trace."""
    with open_store(tmp_path / "experiments.db") as store:
        reader = Reader(store)
        return spans_by_trace(span.trace_id for n in range(6) for span in reader.run(f"r{n}").spans)


@pytest.mark.parametrize(
    ("sampler", "argument"),
    [("always_on", ""), ("always_off", ""), ("traceidratio", "0.5"), ("parentbased_traceidratio", "0.5")],
)
def test_a_sampler_decides_of_each_trace_as_a_whole(train, collector, tmp_path, sampler, argument):
    """The trace of a run and each of its chunk traces leave whole or not at all; points, events and the store are whole."""
    train(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)

    sent = spans_by_trace(span.trace_id.hex() for span, _ in collector.spans)
    stored = stored_traces(tmp_path)
    assert sum(stored.values()) > 600
    assert len(stored) > 24
    assert {trace_id: stored[trace_id] for trace_id in sent} == sent
    if sampler == "always_on":
        assert sent == stored
    elif sampler == "always_off":
        assert sent == {}
    else:
        bound = 1 << 63
        assert set(sent) == {one for one in stored if int(one[16:], 16) < bound}
    assert len(collector.points) == 600
    names = [record.event_name for record, _ in collector.log_records]
    assert (names.count("ml.run.start"), names.count("ml.run.state")) == (6, 6)
    flags = {record.trace_id.hex(): record.flags & 1 for record, _ in collector.log_records}
    assert flags == {trace_id: int(trace_id in sent) for trace_id in flags}
    with open_store(tmp_path / "experiments.db") as store:
        assert {record.flags & 1 for record in store.log_records()} == {1}


SAMPLERS = """
import random
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

class Named(Sampler):
    def __init__(self, wanted):
        self.wanted = wanted

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        if self.wanted == "raise":
            raise RuntimeError("it is broken")
        if self.wanted == "odd":
            is_wanted = trace_id % 2 == 1
        elif self.wanted == "any":
            is_wanted = random.SystemRandom().random() < 0.5
        else:
            is_wanted = self.wanted in (name, attributes["ml.run.name"], attributes["ml.operation.name"])
        return SamplingResult(Decision.RECORD_AND_SAMPLE if is_wanted else Decision.RECORD_ONLY)

    def get_description(self):
        return "named"

def make(argument):
    if not argument:
        raise ValueError("it needs an argument")
    return Named(argument)
"""


@pytest.fixture
def installed(tmp_path):
    """Return the variables that make a sampler known as an installed package does: by an entry point."""
    folder = tmp_path / "site"
    about = folder / "samplers-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "named_samplers.py").write_text(SAMPLERS)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: samplers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[opentelemetry_traces_sampler]\nnamed = named_samplers:make\n")
    return {"PYTHONPATH": str(folder), "OTEL_TRACES_SAMPLER": "named"}


@pytest.mark.parametrize("argument", ["run e", "chunk e", "r3", "trace", "odd", "any"])
def test_an_installed_sampler_decides_of_each_trace_as_a_whole(
    train, collector, tmp_path, installed, argument
):
    """It is asked once about the root of each trace, by name, run and operation; the store has all of them."""
    carriers, stderr = train(**installed, OTEL_TRACES_SAMPLER_ARG=argument)

    runs = [carrier["run"] for carrier in carriers]
    sent, stored = spans_by_trace(span.trace_id.hex() for span, _ in collector.spans), stored_traces(tmp_path)
    assert (stderr, sum(stored.values()) > 600) == ("", True)
    assert {trace_id: stored[trace_id] for trace_id in sent} == sent
    kept = {
        "run e": set(runs),
        "chunk e": set(stored) - set(runs),
        "trace": set(stored) - set(runs),
        "odd": {one for one in stored if int(one, 16) % 2},
    }
    if argument in kept:
        assert set(sent) == kept[argument]
    elif argument == "r3":
        spans = [resource["ml.run.id"] for _, resource in collector.spans]
        assert set(spans) == {runs[3]}
        assert len(sent) > 4
    else:
        assert set(sent) < set(stored)
    assert len(collector.points) == 600


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("", "named_samplers:make raised ValueError('it needs an argument')"),
        ("raise", "RuntimeError('it is broken')"),
    ],
)
def test_an_installed_sampler_that_fails_is_named_and_everything_is_sent(
    train, collector, tmp_path, installed, argument, said
):
    """Whether it cannot be made or raises when it is asked: one line, and no span is missing."""
    _, stderr = train(**installed, OTEL_TRACES_SAMPLER_ARG=argument)

    assert stderr.count("OTEL_TRACES_SAMPLER='named'") == 1
    assert said in stderr
    assert spans_by_trace(span.trace_id.hex() for span, _ in collector.spans) == stored_traces(tmp_path)


def test_a_sampler_that_is_not_known_is_named_and_everything_is_sent(train, collector, tmp_path):
    """What cannot be used ends nothing: one line says so."""
    _, stderr = train(OTEL_TRACES_SAMPLER="jaeger_remote")

    assert stderr.count("OTEL_TRACES_SAMPLER='jaeger_remote' names no sampler") == 1
    assert spans_by_trace(span.trace_id.hex() for span, _ in collector.spans) == stored_traces(tmp_path)


def test_resource_attributes_are_on_everything_that_leaves(train, collector):
    """Spans, points, instruments and events carry them, and the name of the service, beside the run's identity."""
    train(OTEL_RESOURCE_ATTRIBUTES="team=vision,deployment.environment.name=lab", OTEL_SERVICE_NAME="trainer")

    for things in (collector.spans, collector.metrics, collector.log_records):
        assert things
        for _, resource in things:
            assert (resource["team"], resource["deployment.environment.name"]) == ("vision", "lab")
            assert resource["service.name"] == "trainer"
            assert resource["ml.experiment.name"] == "e"


@pytest.mark.parametrize(
    ("propagators", "is_sent"), [("", True), ("tracecontext", True), ("baggage", False), ("none", False)]
)
def test_propagators_rule_what_requests_carry(train, propagators, is_sent):
    """A request made inside a run carries the run's trace where the propagators say so, and only there."""
    carriers, _ = train(**({"OTEL_PROPAGATORS": propagators} if propagators else {}))

    for carrier in carriers:
        run_id = carrier.pop("run")
        assert ("traceparent" in carrier) is is_sent
        if is_sent:
            assert carrier["traceparent"].split("-")[1] == run_id


def test_opentelemetry_instrument_brings_spans_of_libraries_into_the_run(train, collector, tmp_path):
    """Its span of a query is in the run's trace in the store and arrives once, from the application's exporter."""
    launcher = [str(Path(sys.executable).parent / "opentelemetry-instrument")]
    train(
        launcher,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )

    queries = [
        (span, resource) for span, resource in collector.spans if span.name.lower().startswith("select")
    ]
    with open_store(tmp_path / "experiments.db") as store:
        runs = [Reader(store).run(f"r{n}") for n in range(6)]
        stored = [
            span.span_id for run in runs for span in run.spans if span.name.lower().startswith("select")
        ]
    assert sorted(span.span_id.hex() for span, _ in queries) == sorted(stored)
    assert [span.trace_id.hex() for span, _ in queries] == [run.id for run in runs]
    assert {"ml.run.id" in resource for _, resource in queries} == {False}
    assert len(collector.points) == 600


def test_a_config_file_is_said_not_to_rule_runs(train, collector, tmp_path):
    """It is the application's providers' alone; one line says so, and the run leaves as the variables say."""
    path = tmp_path / "otel.yaml"
    path.write_text('file_format: "1.0"\n')

    _, stderr = train(OTEL_CONFIG_FILE=str(path))

    assert stderr.count(f"OTEL_CONFIG_FILE={str(path)!r} sets up the application's providers") == 1
    assert len(collector.points) == 600


CONFIGURATION = """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: configured}
tracer_provider:
  processors:
    - simple:
        exporter:
          otlp_grpc:
            endpoint: %s
            tls: {insecure: true}
"""


def test_what_a_config_file_sets_up_lands_in_the_runs_and_is_sent_once(train, collector, tmp_path):
    """Its provider stays the application's: library spans are in the run's trace, and leave by the file's exporter alone."""
    pytest.importorskip("opentelemetry.configuration", reason="opentelemetry-configuration is not installed")
    path = tmp_path / "otel.yaml"
    path.write_text(CONFIGURATION % collector.endpoint)
    launcher = [str(Path(sys.executable).parent / "opentelemetry-instrument")]

    _, stderr = train(launcher, OTEL_CONFIG_FILE=str(path))

    assert stderr.count(f"OTEL_CONFIG_FILE={str(path)!r} sets up the application's providers") == 1
    queries = [(span, about) for span, about in collector.spans if span.name.lower().startswith("select")]
    assert {about["service.name"] for _, about in queries} == {"configured"}
    assert {"ml.run.id" in about for _, about in queries} == {False}
    with open_store(tmp_path / "experiments.db") as store:
        runs = [Reader(store).run(f"r{n}") for n in range(6)]
        stored = [span for run in runs for span in run.spans if span.name.lower().startswith("select")]
    assert [span.trace_id.hex() for span, _ in queries] == [run.id for run in runs]
    assert sorted(span.span_id.hex() for span, _ in queries) == sorted(span.span_id for span in stored)
    assert len(collector.points) == 600
