"""A collector that goes away in any phase of a run and comes back in any later one, or never, costs nothing of the run."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import otel_experiments as ox
from otel_experiments.model.signal import SIGNALS
from otel_experiments.store import open_store

TRAINING = """
import sys
import otel_experiments as ox

def phase(name):
    print(name, flush=True)
    sys.stdin.readline()

phase("before")
with ox.start_run("away", experiment="away") as run:
    for number, name in enumerate(["first", "second", "third"]):
        with run.stage(name):
            for step in run.steps(range(40 * number, 40 * number + 40), spans=True):
                run.log({"loss": step / 10}, step=step)
        run.flush()
        phase(name)
    with run.stage("last"):
        run.log({"loss": -1.0}, step=120)
phase("ended")
ox.shutdown()
phase("shut down")
"""
PHASES = ("before", "first", "second", "third", "ended", "shut down")
COMMAND = Path(sys.executable).with_name("otel-experiments")
HANGS_S = 100


class Away:
    """A collector at one port that is there or not, and everything that came in all its lives."""

    def __init__(self, make_collector):
        self._make = make_collector
        self.lives = [make_collector()]
        self.endpoint = self.lives[0].endpoint

    def leave(self):
        """Stop."""
        self.lives[-1].close()

    def come_back(self):
        """Start anew at the same port."""
        self.lives.append(self._make(port=self.lives[0].port))

    def arrived(self):
        """Return the spans, points and log records that came, as what tells each from the others."""
        spans = [span.span_id.hex() for life in self.lives for span, _ in life.spans]
        points = [(point.as_double, point.time_unix_nano) for life in self.lives for point in life.points]
        logs = [(log.event_name, log.time_unix_nano) for life in self.lives for log, _ in life.log_records]
        return sorted(spans), sorted(points), sorted(logs)


@pytest.fixture
def away(make_collector):
    """Return a collector that comes and goes."""
    return Away(make_collector)


def environment(endpoint, store_path):
    """Return the variables of the training and of the push after it."""
    return {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPERIMENTS_STORE": str(store_path),
        "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        "OTEL_EXPERIMENTS_CAPTURE_GIT": "false",
        "OTEL_EXPERIMENTS_CAPTURE_ENVIRONMENT": "false",  # its event is written when it is gathered
        "OTEL_EXPERIMENTS_CAPTURE_OUTPUT": "off",  # lines stay in the store
    }


def stored(store_path):
    """Return what the store has, in the same form."""
    run = ox.run("away", store=store_path)
    points = run.metrics["loss"].points()
    with open_store(store_path, read_only=True, create=False) as store:
        logs = sorted((record.event_name, record.time_ns) for record in store.log_records(run_id=run.id))
    spans = sorted(span.span_id for span in run.spans)
    return spans, sorted(zip(points.values, points.times_ns, strict=True)), logs


def train(away, store_path, left_in, back_in):
    """Train, with the collector gone from one phase to another."""
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING],
        env=environment(away.endpoint, store_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        for name in PHASES:
            assert training.stdout.readline() == f"{name}\n"
            if name == left_in:
                away.leave()
            elif name == back_in:
                away.come_back()
            training.stdin.write("\n")
            training.stdin.flush()
        _, said = training.communicate(timeout=HANGS_S)
        assert training.returncode == 0
    return said


def push(away, store_path):
    """Push what is left; return what the command prints."""
    done = subprocess.run(
        [COMMAND, "push"],
        env=environment(away.endpoint, store_path),
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("left_in", "back_in"),
    [(left, back) for number, left in enumerate(PHASES) for back in (*PHASES[number + 1 : 5 : 2], None)],
)
def test_a_collector_that_is_away_for_a_part_of_a_run_has_all_of_it_in_the_end(
    away, store_path, left_in, back_in
):
    """Away from any phase to any later one: each span, point and event arrives once, at the latest by `push`."""
    said = train(away, store_path, left_in, back_in)
    if back_in is None:
        is_late = left_in in {"ended", "shut down"}
        assert ("otel-experiments push --unsent" in said) is not is_late
        away.come_back()
    pushed = push(away, store_path)

    assert away.arrived() == stored(store_path)
    if back_in is not None:
        assert pushed == "There is nothing to send.\n"
    with open_store(store_path) as store:
        assert store.unsent() == []


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_collector_that_leaves_while_the_end_is_sent_misses_nothing(away, store_path, signal):
    """It stops with the last request of a signal in its hands, unanswered: `push` sends that again, and nothing is missing."""
    first = away.lives[0]

    def answer(request, context):
        if signal == "traces":
            names = [s.name for r in request.resource_spans for o in r.scope_spans for s in o.spans]
            is_last = "run away" in names
        elif signal == "logs":
            is_last = "ml.run.state" in str(request)
        else:
            is_last = "as_double: -1" in str(request)
        if is_last:
            for one in SIGNALS:
                first.refuse(one, grpc.StatusCode.UNAVAILABLE, "it has stopped")
            context.abort(grpc.StatusCode.UNAVAILABLE, "it stops")

    first.answers[signal] = answer
    train(away, store_path, None, None)
    away.leave()
    away.come_back()
    push(away, store_path)

    assert [set(found) for found in away.arrived()] == [set(found) for found in stored(store_path)]
    with open_store(store_path) as store:
        assert store.unsent() == []
