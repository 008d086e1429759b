"""What an endpoint did not take is shown wherever somebody looks: at exit, in `runs`, `show` and `doctor`, until it is sent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

COMMAND = Path(sys.executable).with_name("otel-experiments")
TRAIN = """
import otel_experiments as ox

for name in ("first", "second"):
    with ox.start_run(name) as run:
        run.log({"loss": 1.0})
"""
LOCKED = """
import sqlite3
import otel_experiments as ox

with ox.start_run("locked") as run:
    run.log({"loss": 0.0}, step=0)
    run.flush(timeout_s=30.0)
    other = sqlite3.connect("experiments.db", isolation_level=None)
    other.execute("begin immediate")
    for step in range(1, 500):
        run.log({"loss": float(step)}, step=step)
"""


@pytest.fixture
def run_in(tmp_path):
    """Return a function that runs Python or a command beside the store, and returns what it printed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    plain |= {
        "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0",
        "OTEL_EXPERIMENTS_CAPTURE_GIT": "false",
        "COLUMNS": "200",
    }

    def run(*command, endpoint="", exit_timeout_s="5"):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPERIMENTS_EXIT_TIMEOUT": exit_timeout_s}
        done = subprocess.run(
            list(command), env=plain | variables, capture_output=True, text=True, timeout=100, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_commands_that_show_runs_say_what_was_not_sent(run_in, collector):
    """`runs` for all runs, `show` for one, `doctor` for the store; a push that is complete ends it."""
    run_in(sys.executable, "-c", TRAIN, endpoint="http://127.0.0.1:9")

    _, runs, _ = run_in(COMMAND, "runs")
    _, show, _ = run_in(COMMAND, "show", "first")
    _, plain, _ = run_in(COMMAND, "show", "first", "--json")
    _, doctor, _ = run_in(COMMAND, "doctor")
    rows = {row["signal"]: row for row in json.loads(plain)["unsent"]}
    count = sum(row["count"] for row in rows.values())
    other = json.loads(run_in(COMMAND, "show", "second", "--json")[1])["unsent"]
    total = count + sum(row["count"] for row in other)
    assert set(rows) == {"traces", "metrics", "logs"}
    assert (rows["traces"]["count"], rows["logs"]["count"]) == (1, 3)
    assert {row["destination"] for row in rows.values()} == {"127.0.0.1:9"}
    assert f"{total} items of 2 runs did not reach 127.0.0.1:9: UNAVAILABLE" in runs
    assert runs.rstrip().endswith("To send them: otel-experiments push")
    assert "not sent" in show
    assert f"{count} items of 1 run did not reach 127.0.0.1:9" in show
    assert "To send them: otel-experiments push" in show
    assert f"{total} items of 2 runs did not reach 127.0.0.1:9" in " ".join(doctor.split())
    assert all("UNAVAILABLE" in row["reason"] for row in rows.values())

    code, _, errors = run_in(COMMAND, "push", "--unsent", "--to", collector.endpoint)
    assert (code, errors) == (0, "")
    assert "did not reach" not in run_in(COMMAND, "runs")[1] + run_in(COMMAND, "doctor")[1]
    assert "not sent" not in run_in(COMMAND, "show", "first")[1]
    assert json.loads(run_in(COMMAND, "show", "first", "--json")[1])["unsent"] == []


def test_an_exit_that_leaves_items_in_the_journal_says_what_sends_them(run_in, collector):
    """The store is locked to the end: the endpoint waits for what is in the journal, the exit says so, a push sends it."""
    _, _, said = run_in(sys.executable, "-c", LOCKED, endpoint=collector.endpoint, exit_timeout_s="1")

    (line,) = [line for line in said.splitlines() if line.startswith("OTLP: ")]
    assert line == (
        f"OTLP: {collector.endpoint.removeprefix('http://')} did not get what waits in the journal, since there was no time "
        "to store it. `otel-experiments push --unsent` sends it."
    )
    assert len(collector.points) == 1

    code, _, errors = run_in(COMMAND, "push", endpoint=collector.endpoint)
    assert (code, errors) == (0, "")
    assert {point.as_double for point in collector.points} == {float(step) for step in range(500)}


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
def test_what_a_wrong_token_kept_back_is_sent_with_the_right_one(run_in, collector, code):
    """It is no loss: it is said at the end and shown, a push with the wrong token keeps it, one with the right token sends it."""
    for signal in ("traces", "metrics", "logs"):
        collector.refuse(signal, code, "bad token")

    _, _, errors = run_in(sys.executable, "-c", TRAIN, endpoint=collector.endpoint)
    assert f"({code.name}" in errors
    assert "The store has them; `otel-experiments push --unsent` sends them." in errors
    assert "Not everything was recorded" not in errors
    _, runs, _ = run_in(COMMAND, "runs")
    assert f"items of 2 runs did not reach 127.0.0.1:{collector.port}: {code.name}" in runs

    code_of_push, said, errors = run_in(COMMAND, "push", "--unsent", endpoint=collector.endpoint)
    assert (code_of_push, said) == (8, "Sent nothing of 2 runs.\n")
    assert f"did not take the rest: {code.name}" in errors
    assert "for good" not in errors
    assert "did not reach" in run_in(COMMAND, "doctor")[1]

    collector.answers.clear()
    assert run_in(COMMAND, "push", "--unsent", endpoint=collector.endpoint)[0] == 0
    assert len(collector.spans) == 2
    assert "did not reach" not in run_in(COMMAND, "doctor")[1]


def test_what_is_refused_for_good_is_said_to_be_lost_to_the_endpoint(run_in, collector):
    """No word of a push of the rest, which would send nothing: only a push of the run sends it again."""
    for signal in ("traces", "metrics", "logs"):
        collector.refuse(signal, grpc.StatusCode.INVALID_ARGUMENT, "too old")

    _, _, errors = run_in(sys.executable, "-c", TRAIN, endpoint=collector.endpoint)

    assert "for good (INVALID_ARGUMENT" in errors
    assert "The store has them; `otel-experiments push RUN` sends a whole run again." in errors
    assert "--unsent" not in errors
    assert "show RUN" not in errors
    assert "there was no time" not in errors
    assert (
        run_in(COMMAND, "push", "--unsent", endpoint=collector.endpoint)[1] == "There is nothing to send.\n"
    )


def test_one_signal_that_is_not_let_in_holds_up_no_other(run_in, collector):
    """The traces of all runs arrive by a push, though the endpoint lets in no metrics."""
    run_in(sys.executable, "-c", TRAIN, endpoint="http://127.0.0.1:9")
    collector.refuse("metrics", grpc.StatusCode.PERMISSION_DENIED, "no metrics for you")

    code, _, errors = run_in(COMMAND, "push", "--unsent", "--to", collector.endpoint)

    assert (code, "no metrics for you" in errors) == (8, True)
    assert len(collector.spans) == 2
    rows = json.loads(run_in(COMMAND, "show", "second", "--json")[1])["unsent"]
    assert {row["signal"] for row in rows} == {"metrics"}
