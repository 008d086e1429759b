"""Prometheus, the strictest of the backends about time, takes by remote write what comes late and out of order."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from read_back import curves, in_milliseconds, point_count
from real_programs import HANGS_S, until

import otel_experiments as ox

HOUR_NS = 3600 * 10**9
AGES_H = {"now": 0, "this morning": 3, "three days ago": 72}
POINTS = 100
TRAINING = f"""
import sys
import otel_experiments as ox
from otel_experiments.testing import SteppingClock

name, start_ns = sys.argv[1], int(sys.argv[2])
ox.configure(clock=SteppingClock(start_ns, 50_000_000))
with ox.start_run(name, experiment="late") as run:
    for step in range({POINTS}):
        run.log({{"loss": step / 8}}, step=step)
"""


@pytest.fixture
def record(tmp_path):
    """Return a function that records a run of a given age into the store; without an endpoint nothing is sent."""

    def run(name, **variables):
        start_ns = time.time_ns() - AGES_H[name] * HOUR_NS - HOUR_NS // 60
        subprocess.run(
            [sys.executable, "-c", TRAINING, name, str(start_ns)],
            cwd=tmp_path,
            env=environment(tmp_path) | variables,
            check=True,
            timeout=HANGS_S,
        )
        return ox.run(name, store=tmp_path / "experiments.db")

    return run


def environment(folder):
    """Return the environment of a training and of a push."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return plain | {
        "OTEL_EXPERIMENTS_STORE": str(folder / "experiments.db"),
        "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
        "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
    }


@pytest.fixture
def push(tmp_path):
    """Return a function that sends the points of stored runs to an endpoint."""

    def send(runs, endpoint):
        command = [Path(sys.executable).parent / "otel-experiments", "push", "--signals", "metrics"]
        subprocess.run(
            [*command, "--to", endpoint, *(run.id for run in runs)],
            cwd=tmp_path,
            env=environment(tmp_path),
            check=True,
            timeout=HANGS_S,
        )

    return send


def test_what_prometheus_missed_is_kept_however_old_it_is(
    make_collector, prometheus_2, record, push, came_back
):
    """Runs of 3 hours and 3 days ago, pushed while Prometheus is away and once again, are there once, as is a new one."""
    collector = make_collector(
        "prometheus-remote-write.yaml", PROMETHEUS_REMOTE_WRITE_ENDPOINT=prometheus_2.remote_write_endpoint
    )
    old = [record(name) for name in ("this morning", "three days ago")]
    new = record("now", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=collector.endpoint)
    stored = {run.name: in_milliseconds(run) for run in [new, *old]}

    def read(run):
        return curves(prometheus_2.series('{__name__="ml_metric_value"}'), run)

    def sent():
        return sum(collector.counts("otelcol_exporter_sent_metric_points").values())

    until(lambda: read(new) == stored["now"], what=lambda: (stored["now"], read(new)))
    prometheus_2.kill()
    push(old, collector.endpoint)
    prometheus_2.start()
    for run in old:
        until(
            lambda run=run: read(run) == stored[run.name], what=lambda run=run: (stored[run.name], read(run))
        )

    before = sent()
    push(old, collector.endpoint)
    until(lambda: sent() >= before + 2 * POINTS, what=lambda: (before, sent()))

    assert {run.name: read(run) for run in [new, *old]} == stored
    came_back("prometheus-2", points=sum(map(point_count, stored.values())))
