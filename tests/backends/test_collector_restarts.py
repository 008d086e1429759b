"""A Collector that is away in any phase of a run, or killed in it, costs nothing of it."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize("away_from", PHASES[:-2])
def test_a_collector_that_is_killed_in_a_phase_of_a_run_costs_nothing(
    away_from, make_collector, jaeger, victoriametrics, tmp_path, came_back
):
    """Killed before the run begins or after a stage, and back a stage later: each span and point arrives once."""
    collector = make_collector(
        "jaeger.yaml",
        "victoriametrics.yaml",
        JAEGER_ENDPOINT=jaeger.endpoint,
        VICTORIAMETRICS_ENDPOINT=victoriametrics.otlp_endpoint,
    )
    back_at = PHASES[PHASES.index(away_from) + 1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPERIMENTS_STORE": str(tmp_path / "experiments.db"),
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "5",
    }
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as training:
        for name in PHASES:
            assert training.stdout.readline() == f"{name}\n"
            if name == away_from:
                collector.kill()
            elif name == back_at:
                collector.start()
            training.stdin.write("\n")
            training.stdin.flush()
        assert training.wait(timeout=HANGS_S) == 0

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
