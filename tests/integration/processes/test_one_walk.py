"""From a CI job over a run, its child run and a rank to an HTTP request is one walk, by links and parents."""

import http.server
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.findings.codes import Code
from otel_experiments.query import Reader
from otel_experiments.store import open_store

SWEEP = """
import os, subprocess, sys
import otel_experiments as ox

with ox.start_run("sweep", experiment="walk") as sweep, sweep.stage("trials"):
    job = {"OTEL_EXPERIMENTS_JOB_ID": "trial-1", "WORLD_SIZE": "2"}
    environ = {**os.environ, **sweep.environment(joins=False), **job}
    ranks = [subprocess.Popen([sys.executable, "trial.py"], env={**environ, "RANK": rank}) for rank in "01"]
    assert [rank.wait() for rank in ranks] == [0, 0]
"""
TRIAL = """
import functools, multiprocessing, os, pickle
import otel_experiments as ox
from work import ask

if __name__ == "__main__":
    with ox.start_run("trial", experiment="walk") as trial, trial.stage("fit"):
        trial.log({"loss": 0.5})
        if os.environ["RANK"] == "1":
            task = functools.partial(ask, trial.environment())
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.apply(pickle.loads(pickle.dumps(task)))
"""
WORK = """
import os, urllib.request
import otel_experiments as ox
from opentelemetry import propagate

def ask(environ):
    with ox.join_run(environ) as run, run.stage("ask"):
        headers = {}
        propagate.inject(headers)
        urllib.request.urlopen(urllib.request.Request(os.environ["SERVER"], headers=headers)).read()
"""


@pytest.fixture
def server():
    """Return the address of an HTTP server, and the `traceparent` of each request."""
    seen = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("traceparent"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Noting) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}/", seen
        made.shutdown()
        thread.join()


def run_program(path, environ):
    """Run a program in its folder, with these variables and without OpenTelemetry's."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACEPARENT"))
    }
    subprocess.run(
        [sys.executable, str(path)], env={**clean, **environ}, cwd=path.parent, timeout=180, check=True
    )


def test_the_whole_way_can_be_walked(tmp_path, server):
    """Each step is a parent in the same trace, or the link of a run's root; the CI job's span is the end of the way."""
    for name, text in (("sweep", SWEEP), ("trial", TRIAL), ("work", WORK)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    address, seen = server
    job = TracerProvider(shutdown_on_exit=False).get_tracer("ci").start_span("job")
    context, carrier = job.get_span_context(), {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(job))

    store_path = tmp_path / "experiments.db"
    run_program(
        tmp_path / "sweep.py",
        {
            "TRACEPARENT": carrier["traceparent"], "SERVER": address,
            "OTEL_EXPERIMENTS_STORE": str(store_path), "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        },
    )  # fmt: skip

    ox.runs(store=store_path)  # merges what the processes left
    store = open_store(store_path)
    try:
        reader = Reader(store)
        spans = {
            (span.trace_id, span.span_id): span
            for name in ("sweep", "trial")
            for span in reader.run(name).spans
        }
        (header,) = seen
        at, way = tuple(header.split("-")[1:3]), []
        while at in spans:
            span = spans[at]
            way.append((span.name, span.resource.attributes["ml.run.name"]))
            (link,) = span.links or (None,)
            at = (link.trace_id, link.span_id) if link is not None else (span.trace_id, span.parent_span_id)
        sweep, trial = reader.run("sweep"), reader.run("trial")
        parents = (trial.record.parent_run_id, sweep.record.parent_run_id)
        outside, inside = sweep.started_from, trial.started_from
    finally:
        store.close()

    assert way == [
        ("stage ask", "trial"), ("stage fit", "trial"), ("stage rank 1", "trial"), ("run walk", "trial"),
        ("stage trials", "sweep"), ("run walk", "sweep"),
    ]  # fmt: skip
    assert at == (format_trace_id(context.trace_id), format_span_id(context.span_id))
    assert parents == (sweep.id, None)
    assert (outside.trace_id, outside.attributes) == (at[0], {"ml.run.started_from": "environment"})
    assert inside.trace_id == sweep.id


def recorded_start(tmp_path, monkeypatch, traceparent, **more):
    """Return a run that was started with this TRACEPARENT, as it is stored."""
    monkeypatch.setenv("TRACEPARENT", traceparent)
    ox.configure(store=str(tmp_path / "x.db"), system_metrics_s=0.0, capture_git=False)
    with ox.start_run("r", **more):
        pass
    ox.shutdown()
    return ox.run("r", store=tmp_path / "x.db")


OUTER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_an_outer_context_is_a_link_and_no_parent(tmp_path, monkeypatch):
    """The run keeps its id as the trace id of its root; the state of the outer trace travels with the link."""
    monkeypatch.setenv("TRACESTATE", "vendor=abc")
    run = recorded_start(tmp_path, monkeypatch, OUTER)

    (root,) = run.spans
    assert (root.trace_id, root.parent_span_id) == (run.id, None)
    (link,) = root.links
    assert (link.trace_id, link.span_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (link.trace_state, link.attributes) == ("vendor=abc", {"ml.run.started_from": "environment"})
    assert run.record.parent_run_id is None


@pytest.mark.parametrize("text", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", OUTER[:-3]])
def test_a_traceparent_that_names_no_span_is_no_link(tmp_path, monkeypatch, text):
    """What is no W3C trace context is left alone, and ends no training."""
    run = recorded_start(tmp_path, monkeypatch, text)

    assert run.started_from is None
    assert [span.links for span in run.spans] == [()]


def test_a_pending_run_links_to_where_it_starts(tmp_path, monkeypatch):
    """A run that is written down first and started later has the link as well."""
    run = recorded_start(tmp_path, monkeypatch, OUTER, pending=True)

    assert run.started_from.span_id == "00f067aa0ba902b7"


def test_a_span_that_is_current_comes_before_the_variable(tmp_path, monkeypatch):
    """A run inside of another, or of a span of the program, links to that one alone."""
    monkeypatch.setenv("TRACEPARENT", OUTER)
    ox.configure(store=str(tmp_path / "x.db"), system_metrics_s=0.0, capture_git=False)
    with ox.start_run("outer") as outer, ox.start_run("inner"):
        pass
    ox.shutdown()

    inner = ox.run("inner", store=tmp_path / "x.db")
    assert inner.started_from.trace_id == outer.id
    assert inner.started_from.attributes == {"ml.run.started_from": "context"}


def test_the_variables_of_a_child_run_take_back_those_of_a_worker(tmp_path):
    """A worker of a run that starts a program with runs of its own hands on neither its own run nor its rank."""
    ox.configure(store=str(tmp_path / "x.db"), system_metrics_s=0.0, capture_git=False)
    with ox.start_run("r", experiment="e") as run:
        joining, starting = run.environment(), run.environment(joins=False)
    ox.shutdown()

    assert joining["OTEL_EXPERIMENTS_RUN_ID"] == run.id
    assert "OTEL_EXPERIMENTS_PARENT_RUN_ID" not in joining
    assert starting["OTEL_EXPERIMENTS_PARENT_RUN_ID"] == run.id
    assert (starting["OTEL_EXPERIMENTS_RUN_ID"], starting["OTEL_EXPERIMENTS_RANK"]) == ("", "")
    assert starting["TRACEPARENT"].startswith(f"00-{run.id}-")
    assert starting["TRACESTATE"] == ""


def test_a_parent_that_is_no_run_is_refused(tmp_path, monkeypatch):
    """A variable of ours that names no run is the user's to correct, before training starts."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_PARENT_RUN_ID", "sweep")
    ox.configure(store=str(tmp_path / "x.db"), system_metrics_s=0.0)
    with pytest.raises(ConfigurationError) as caught:
        ox.start_run("r")
    ox.shutdown()

    assert str(caught.value) == (
        "OTEL_EXPERIMENTS_PARENT_RUN_ID='sweep' is not the id of a run (32 hexadecimal digits).\n"
        "  Pass on what run.environment(joins=False) returns in the process of that run, or unset the variable."
    )


def test_a_golden_of_a_laptop_passes_in_a_ci_job(tmp_path, monkeypatch):
    """The link to the job is there in CI only, and is compared no more than the run's id is."""
    (tmp_path / "laptop").mkdir()
    (tmp_path / "ci").mkdir()
    laptop = recorded_start(tmp_path / "laptop", monkeypatch, "")
    ci = recorded_start(tmp_path / "ci", monkeypatch, OUTER)
    assert [len(span.links) for run in (laptop, ci) for span in run.spans] == [0, 1]

    comparison = compare(make_golden([CapturedRun(list(laptop.spans))]), [CapturedRun(list(ci.spans))])

    assert Code.LINK not in {finding.code for finding in comparison.findings}
