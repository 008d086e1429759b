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
