"""A Collector that is away in any phase of a run, or killed in it, costs nothing of it."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from read_back import curves, in_milliseconds, point_count, spans_of, stored_spans, without_schema_urls
from real_programs import HANGS_S, until

import otel_experiments as ox

TRAINING = """
import sys
import otel_experiments as ox

def phase(name):
    print(name, flush=True)
    sys.stdin.readline()

phase("before")
with ox.start_run("restarts", experiment="restarts") as run:
    for number, name in enumerate(["first", "second", "third"]):
        with run.stage(name):
            for step in run.steps(range(50 * number, 50 * number + 50), spans=True):
                run.log({"loss": step / 10}, step=step)
        run.flush()
        phase(name)
phase("after")
"""
PHASES = ("before", "first", "second", "third", "after")


@pytest.fixture
def train(make_collector, jaeger, victoriametrics, tmp_path):
    """Return a function that records a run, with the Collector killed in one phase and back in another.

    It returns the Collector, a function that reads what the store has, and one that reads what came back.
    """

    def run(away_from, back_at):
        collector = make_collector(
            "jaeger.yaml",
            "victoriametrics.yaml",
            JAEGER_ENDPOINT=jaeger.endpoint,
            VICTORIAMETRICS_ENDPOINT=victoriametrics.otlp_endpoint,
        )
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPERIMENTS_STORE": str(tmp_path / "experiments.db"),
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "5",
        }
        start = functools.partial(subprocess.Popen, cwd=tmp_path, env=environment, text=True)
        training = start([sys.executable, "-c", TRAINING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with training:
            for name in PHASES:
                assert training.stdout.readline() == f"{name}\n"
                if name == away_from:
                    collector.kill()
                elif name == back_at:
                    collector.start()
                training.stdin.write("\n")
                training.stdin.flush()
            assert training.wait(timeout=HANGS_S) == 0
        return collector, start

    return run


@pytest.fixture
def is_whole(jaeger, victoriametrics, tmp_path, came_back):
    """Return a function that waits until backends have all that is stored, and sees that they have it once."""

    def check():
        run = ox.run("restarts", store=tmp_path / "experiments.db")
        stored, points = without_schema_urls(stored_spans(run)), in_milliseconds(run)

        def spans():
            return spans_of(jaeger.trace(run.id))

        def read():
            return curves(victoriametrics.series('{__name__="ml.metric.value"}'), run)

        until(lambda: stored.keys() <= spans().keys(), what=lambda: (len(stored), len(spans())))
        until(
            lambda: point_count(read()) >= point_count(points),
            what=lambda: (point_count(points), point_count(read())),
        )
        assert spans() == stored
        assert read() == points
        came_back("jaeger", spans=len(stored))
        came_back("victoriametrics", points=point_count(points))

    return check


@pytest.mark.parametrize("away_from", PHASES[:-2])
def test_a_collector_that_is_killed_in_a_phase_of_a_run_costs_nothing(away_from, train, is_whole):
    """Killed before the run begins or after a stage, and back a stage later: each span and point arrives once."""
    train(away_from, PHASES[PHASES.index(away_from) + 1])

    is_whole()


@pytest.mark.parametrize("away_from", ["before", "second"])
def test_what_a_collector_missed_until_after_the_end_is_pushed(away_from, train, is_whole):
    """Killed before the run begins or in its midst and back after its end: `push` makes it whole, nothing twice."""
    collector, start = train(away_from, None)
    collector.start()

    with start([Path(sys.executable).parent / "otel-experiments", "push"], stdout=subprocess.PIPE) as push:
        assert push.wait(timeout=HANGS_S) == 0, push.stdout.read()

    is_whole()
