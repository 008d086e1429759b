"""Node's official OpenTelemetry SDK sends to `otel-experiments serve`, and its program is a tracked run."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from real_programs import ROOT, until

import otel_experiments as ox

PROGRAM = Path(__file__).resolve().parent / "node"
RUN_ID = "0123456789abcdef" * 2
STEPS = 5
PAGE = ROOT / "docs/how-to/receive-from-any-language.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def node(record_property):
    """Return a function that runs a command line in a folder, with Node on the path; without npm's packages the test is skipped."""
    npm, program = shutil.which("npm"), shutil.which("node")

    def skip(reason):
        record_property("backend_missing", ("node", reason))
        pytest.skip(f"node cannot be had here: {reason}")

    if npm is None or program is None:
        skip("`npm` and `node` were not found")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    record_property("backend_version", ("node", version.stdout.strip()))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def run(line, folder):
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        if done.returncode != 0 and line.startswith("npm install"):
            skip(f"npm gives no packages: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    return run


def test_a_program_in_javascript_is_a_tracked_run(node, serve, came_back):
    """Three attributes of its resource make a run of it: its name, its result, its curve by step, its spans and events."""
    shutil.copytree(PROGRAM, serve.folder, dirs_exist_ok=True)
    node("npm install --no-audit --no-fund --ignore-scripts", serve.folder)
    node(f"OTEL_EXPORTER_OTLP_ENDPOINT={serve.http_endpoint} node train.mjs {RUN_ID}", serve.folder)

    def read():
        return next((run for run in ox.runs(store=serve.store) if run.id == RUN_ID), None)

    until(lambda: (run := read()) and len(run.spans) == STEPS + 1 and list(run.log_records), what=read)
    run = read()
    assert (run.name, run.experiment, str(run.state)) == ("from-node", "languages", "succeeded")
    assert dict(run.params) == {"rate": 0.25}
    points = run.metrics["train/loss"].points()
    assert list(points.steps) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert list(points.values) == [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    spans = list(run.spans)
    assert Counter(span.name for span in spans) == {"train": 1, "step": STEPS}
    (root,) = [span for span in spans if span.parent_span_id is None]
    steps = [span for span in spans if span is not root]
    assert {span.parent_span_id for span in steps} == {root.span_id}
    assert [dict(event.attributes) for span in steps for event in span.events] == [
        {"rows": 32, "names": ["a", "ß"]}
    ] * STEPS
    (rows,) = [point for point in run.instrument_points if point.name == "app.rows"]
    assert (rows.value, rows.unit, rows.scope.name) == (32 * STEPS, "{row}", "trainer")
    (event,) = run.events("trainer.done")
    assert event.body == {"epochs": 1}
    came_back("node", spans=len(spans), points=STEPS)


def test_the_program_of_the_page_is_followed_to_the_letter(node, serve, came_back):
    """What `receive-from-any-language` says of JavaScript works in an empty folder; only the port is another one."""
    (section,) = re.findall(
        r"^## A program in JavaScript\n(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    printed = ""
    for kind, file, body in BLOCK.findall(section):
        if kind == "js":
            (serve.folder / file).write_text(body, encoding="utf-8")
        else:
            assert kind == "bash"
            printed = node(body.replace("http://127.0.0.1:4318", serve.http_endpoint), serve.folder)

    (run,) = ox.runs(store=serve.store)
    points = run.metrics["loss"].points()
    assert (run.name, run.experiment, str(run.state)) == ("from-node", "languages", "succeeded")
    assert list(points.steps) == [float(step) for step in range(100)]
    assert list(points.values) == [1 / (step + 1) for step in range(100)]
    spans = list(run.spans)
    (root,) = [span for span in spans if span.parent_span_id is None]
    assert [span.parent_span_id for span in spans if span is not root] == [root.span_id] * 100
    assert "from-node" in printed
    assert "loss" in printed
    came_back("node", spans=len(spans), points=100)
