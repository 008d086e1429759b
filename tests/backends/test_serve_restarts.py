"""`otel-experiments serve` behind a Collector is killed under load, and started again: all arrives, once."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from read_back import differences, point_count, stored_logs, stored_points, stored_spans
from real_programs import HANGS_S, until

import otel_experiments as ox

ROUNDS, STEPS = 4, 3_000
TRAINING = f"""
import sys
import otel_experiments as ox

with ox.start_run("killed", experiment="restarts") as run:
    for round in range({ROUNDS}):
        with run.stage(f"round {{round}}"):
            for step in run.steps(range(round * {STEPS}, (round + 1) * {STEPS}), spans=True):
                run.log({{"loss": step / 10, "accuracy": step / 7}}, step=step)
        print(round, flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def training(tmp_path):
    """Return a function that starts a training that sends to an endpoint and waits for a line after each round."""
    started = []

    def start(endpoint):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPERIMENTS_STORE": str(tmp_path / "experiments.db"),
            "OTEL_EXPERIMENTS_EXIT_TIMEOUT": "60",
            "OTEL_EXPERIMENTS_CAPTURE_OUTPUT": "off",  # lines of output are not sent
        }
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_receiver_that_is_killed_under_load_loses_nothing_and_doubles_nothing(
    make_collector, serve, training, tmp_path, came_back
):
    """Killed three times while spans and points come in, and back each time: each is there once, in its run."""
    collector = make_collector("serve.yaml", SERVE_ENDPOINT=serve.endpoint)
    process = training(collector.endpoint)

    def taken():
        return sum(collector.counts("otelcol_exporter_sent_spans").values())

    for number in range(ROUNDS):
        before = taken()
        assert process.stdout.readline() == f"{number}\n"
        process.stdin.write("\n")
        process.stdin.flush()
        if number < ROUNDS - 1:
            until(lambda before=before: taken() > before, what=lambda before=before: (before, taken()))
            serve.kill()
            serve.start()
    assert process.wait(timeout=HANGS_S) == 0

    recorded = ox.run("killed", store=tmp_path / "experiments.db")

    def read():
        return ox.run(recorded.id, store=serve.store)

    stored, points = stored_spans(recorded), stored_points(recorded)
    logs = list(map(repr, stored_logs(recorded)))

    def missing():
        return Counter(logs) - Counter(map(repr, stored_logs(read())))

    until(lambda: stored.keys() <= stored_spans(read()).keys(), what=lambda: len(stored_spans(read())))
    until(lambda: point_count(stored_points(read())) >= point_count(points), what="every point is there")
    until(lambda: not missing(), what=missing)
    assert differences(stored, stored_spans(read())) == []
    assert stored_points(read()) == points
    assert Counter(map(repr, stored_logs(read()))) >= Counter(logs)
    assert [log for log, count in Counter(map(repr, stored_logs(read()))).items() if count > 1] == []
    assert point_count(points) >= 2 * ROUNDS * STEPS
    came_back("serve", spans=len(stored), points=point_count(points))
