"""A run that goes on: its duration, its attempts, and clocks that are set back."""

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.errors import RunInUseError
from otel_experiments.model.batch import RunStateChange, WriteBatch
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_CHECKPOINT_SAVED
from otel_experiments.store import open_store

FORMER = Path(__file__).parents[2] / "data" / "store_v7.db"
SECOND = 10**9
START = 1_700_000_000 * SECOND
ID = "ab" * 16


def test_the_duration_of_a_run_is_that_of_all_its_attempts(configure):
    """Three attempts of 2, 3 and 4 s with hours between them, and a pause in the second, make 9 s."""
    time_ns = [START]
    configure(clock=lambda: time_ns[0])
    run = ox.start_run("r")
    for worked_s in (2, 3, 4):
        if worked_s > 2:
            run = ox.start_run(resume=run.id)
        if worked_s == 3:
            run.pause()
            time_ns[0] += 50 * SECOND
            run.resume()
        time_ns[0] += worked_s * SECOND
        run.finish("failed")
        time_ns[0] += 3600 * SECOND

    stored = ox.run("r")
    assert (stored.duration_s, stored.record.attempt) == (9.0, 3)
    assert stored.started_ns == START
    assert [found.name for found in ox.runs("duration > 8.9 and duration < 9.1")] == ["r"]


def test_a_resumed_run_was_made_when_its_first_attempt_was(configure):
    """What is resumed is no newer run: it stays where it was in every list by age."""
    time_ns = [START]
    configure(clock=lambda: time_ns[0])
    old = ox.start_run("old")
    for step in range(3):
        time_ns[0] += 60 * SECOND
        old.finish("failed")
        if step == 0:
            ox.start_run("new").finish()
        time_ns[0] += 60 * SECOND
        old = ox.start_run(resume=old.id)
    old.finish()

    stored = ox.run(old.id)
    assert (stored.created_ns, stored.started_ns, stored.record.attempt) == (START, START, 4)
    assert [run.name for run in ox.runs()] == ["new", "old"]
    assert ox.run("latest").name == "new"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_records_of_attempts_agree_on_when_the_run_was_made(tmp_path, order):
    """Whichever attempt is heard of first, the run was made when the first one was."""
    records = [
        Run(ID, "e", "r", RunState.RUNNING, created_ns=START + 10 * number * SECOND, attempt=number + 1,
            started_ns=START + 10 * number * SECOND + 1, heartbeat_ns=START + 10 * number * SECOND + 1,
            owner=Owner("here", "boot", number + 1, 1))
        for number in range(3)
    ]  # fmt: skip
    with open_store(tmp_path / "runs.db") as store:
        for number in order:
            store.apply(WriteBatch(runs=[records[number]]))
        run = store.get_run(ID)

    assert (run.created_ns, run.started_ns, run.attempt) == (START, START + 1, 3)


def test_a_killed_attempt_counts_up_to_its_last_sign_of_life(configure, tmp_path):
    """A run that was killed and is resumed has worked as long as it was seen to work, and then some."""
    body = """
import os, sys, time
import otel_experiments as ox
ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0)
started_ns = time.time_ns()
run = ox.start_run("r")
while time.time_ns() - started_ns < 300_000_000:
    run.log({"loss": 1.0})
os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", body, str(tmp_path / "experiments.db")]
    assert subprocess.run(command, check=False).returncode == -9
    configure()
    first_s = ox.run("r").duration_s
    with ox.start_run(resume=ox.run("r").id):
        pass

    assert 0.1 < first_s <= ox.run("r").duration_s < first_s + 60


def test_a_clock_that_is_set_back_makes_nothing_negative(configure):
    """An hour back in the middle of a stage and of the run: no span and no run is shorter than nothing."""
    time_ns = [START]
    configure(clock=lambda: time_ns[0])
    with ox.start_run("r") as run, run.stage("s"):
        inner = run.tracer.start_span("sdk", start_time=time_ns[0])
        time_ns[0] -= 3600 * SECOND
        with run.trace("inside"):
            pass
        inner.end(time_ns[0])
        failing = run.tracer.start_span("sdk failing", start_time=START)
        failing.add_event("late")
        failing.end(time_ns[0])
        run.pause()
        time_ns[0] -= 3600 * SECOND
        run.resume()

    stored = ox.run("r")
    assert stored.duration_s >= 0
    assert len(stored.spans) == 5
    assert [span.name for span in stored.spans if span.duration_ns < 0] == []
    assert [found.name for found in ox.runs("duration >= 0")] == ["r"]


def test_an_attempt_after_the_clock_was_set_back_is_the_later_one(configure):
    """State, attempt, params and tags are those of the second attempt, though its clock is an hour behind."""
    time_ns = [START]
    configure(clock=lambda: time_ns[0])
    with ox.start_run("r", config={"lr": 0.1}, tags={"stage": "draft"}) as first:
        time_ns[0] += SECOND
    time_ns[0] -= 3600 * SECOND
    second = ox.start_run(resume=first.id, config={"lr": 0.2}, tags={"stage": "final"})
    second.log_params({"epochs": 3})
    time_ns[0] += SECOND
    second.fail("late")

    stored = ox.run("r")
    assert (stored.state, stored.reason, stored.record.attempt) == ("failed", "late", 2)
    assert (stored.params.flat, stored.tags) == ({"lr": 0.2, "epochs": 3}, {"stage": "final"})
    assert stored.duration_s >= 1.0


def record(attempt, started_s):
    """Return the record of an attempt as its process writes it."""
    time_ns = START + started_s * SECOND
    return WriteBatch(
        runs=[Run(ID, "e", "r", RunState.RUNNING, time_ns, started_ns=time_ns, attempt=attempt)]
    )


def change(attempt, state, at_s):
    """Return the word on the end of an attempt."""
    return WriteBatch(
        state_changes=[RunStateChange(ID, state, START + at_s * SECOND, reason=f"{attempt}", attempt=attempt)]
    )


NEWS = (
    record(1, 0), change(1, RunState.FAILED, 500), record(2, 100), change(2, RunState.SUCCEEDED, 200),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_end_of_an_earlier_attempt_never_replaces_a_later_one(kind, order, tmp_path):
    """In whatever order the words of two processes arrive, the later attempt has the last one."""
    with open_store("memory://" if kind == "memory" else tmp_path / "runs.db") as store:
        for number in order:
            store.apply(NEWS[number])

        found = store.get_run(ID)
        assert (found.state, found.reason, found.attempt) == (RunState.SUCCEEDED, "2", 2)


def test_a_run_that_is_still_recorded_is_not_resumed(configure, tmp_path):
    """While a living process records it, resume says who does and what to do; afterwards it goes on."""
    body = """
import sys
import otel_experiments as ox
ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0)
with ox.start_run("r"):
    print("ready", flush=True)
    input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", body, str(tmp_path / "experiments.db")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        process.stdout.readline()
        configure()
        with pytest.raises(RunInUseError, match=f"process {process.pid} on .* still records it"):
            ox.start_run(resume=ox.run("r").id)
        process.communicate("\n")

    with ox.start_run(resume=ox.run("r").id) as run:
        assert run.name == "r"
        with pytest.raises(RunInUseError):
            ox.start_run(resume=run.id)
    assert ox.run("r").record.attempt == 2


def test_a_run_of_another_machine_that_may_live_goes_on_and_that_is_said(configure, caplog):
    """Nobody here can tell whether it was preempted a moment ago: training goes on, as its next attempt."""
    pipeline = configure()
    with ox.start_run("r") as run:
        pass
    elsewhere = Owner("another-host", "boot:1", 7, 7)
    now_ns = pipeline.clock()
    from otel_experiments._configure import active_store

    active_store().apply(
        WriteBatch(
            runs=[Run(run.id, "default", "r", RunState.RUNNING, now_ns, started_ns=now_ns, heartbeat_ns=now_ns,
                      owner=elsewhere, attempt=2)]
        )
    )  # fmt: skip
    with ox.start_run(resume=run.id):
        pass

    assert "may still be recorded by process 7 on another-host; this is its attempt 3" in caplog.text
    assert (ox.run("r").state, ox.run("r").record.attempt) == ("succeeded", 3)


PLACES = {
    # how a checkpoint is saved: the step and the epoch of its event
    "given": (lambda run: run.checkpoint("c", step=7), 7, None),
    "attribute": (lambda run: run.checkpoint("c", **{attr.ML_EPOCH_INDEX: 3}), None, 3),
    "nowhere": (lambda run: run.checkpoint("c"), None, None),
}


@pytest.mark.parametrize("around", ["", "epoch", "epoch and stage", "epoch and step", "sdk"])
@pytest.mark.parametrize("place", PLACES)
def test_the_event_of_a_checkpoint_says_when_it_was_saved(place, around, recording, tmp_path):
    """Step and epoch are those that are given, else those of the scopes around."""
    save, step, epoch = PLACES[place]
    (tmp_path / "w.bin").write_bytes(b"1234")
    with ox.start_run("r") as run:
        scopes = [run.epoch(5)] if around else []
        scopes += [run.stage("s")] if "stage" in around else []
        scopes += [run.step(9)] if "step" in around else []
        scopes += [run.tracer.start_as_current_span("x")] if "sdk" in around else []
        for scope in scopes:
            scope.__enter__()
        with save(run) as checkpoint:
            checkpoint.wrote(tmp_path / "w.bin")
        for scope in reversed(scopes):
            scope.__exit__(None, None, None)

    (event,) = ox.run("r").events(ML_CHECKPOINT_SAVED.name)
    step = 9 if step is None and "step" in around else step
    epoch = 5 if epoch is None and around else epoch
    assert event.attributes.get(attr.ML_STEP_INDEX) == step
    assert event.attributes.get(attr.ML_EPOCH_INDEX) == epoch
    assert event.attributes.keys() <= set(ML_CHECKPOINT_SAVED.attributes)


def test_points_with_times_of_their_own_are_those_of_the_attempt_that_recorded_them(configure):
    """What the second attempt logs with a time before its start replaces the first one's of the step, which stays readable."""
    configure()
    with ox.start_run("r") as run:
        for step in range(4):
            run.log({"loss": 1.0}, step=step)
        early_s = ox.run("r").metrics["loss"].times_ns[0] / 1e9
        run.log({"late": 1.0}, step=0)
    with ox.start_run(resume="r") as run:
        for step in range(2, 6):
            run.log({"loss": 2.0}, step=step, time=early_s - 100 + step)
        run.log({"late": 2.0}, step=0)
    ox.shutdown()

    configure()
    loss = ox.run("r").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [
        (0, 1.0), (1, 1.0), (2, 2.0), (3, 2.0), (4, 2.0), (5, 2.0),
    ]  # fmt: skip
    assert (loss.attempts, loss.count, loss.max) == ([1, 2], 6, 2.0)
    assert list(loss.points(attempt=1).values) == [1.0] * 4
    assert list(loss.points(attempt=2).steps) == [2, 3, 4, 5]
    assert list(ox.run("r").metrics["late"].values) == [2.0]


def test_what_was_rewound_stays_away_whatever_times_the_points_have(configure):
    """A rewind takes away what the attempt before it recorded, and none of what comes after."""
    configure()
    with ox.start_run("r") as run:
        for step in range(4):
            run.log({"loss": 1.0}, step=step)
        early_s = ox.run("r").metrics["loss"].times_ns[0] / 1e9
    with ox.start_run(resume="r", rewind_to=1) as run:
        run.log({"loss": 2.0}, step=7, time=early_s - 100)

    loss = ox.run("r").metrics["loss"]
    assert list(zip(loss.steps, loss.values, strict=True)) == [(0, 1.0), (1, 1.0), (7, 2.0)]


def test_points_that_an_older_release_recorded_are_of_the_attempt_of_their_time(tmp_path):
    """A store in which nothing says who recorded a point is read as before, and goes on."""
    path = tmp_path / "old.db"
    shutil.copy(FORMER, path)
    ox.configure(store=path)

    loss = ox.run("brave-otter").metrics["loss"]
    assert list(loss.values) == [1.0] * 3 + [2.0] * 5
    assert (loss.attempts, len(loss.points(attempt=1))) == ([1, 2], 5)

    with ox.start_run(resume="brave-otter") as run:
        run.log({"loss": 3.0}, step=4, time=0.0001)
    loss = ox.run("brave-otter").metrics["loss"]
    assert (list(loss.values), loss.attempts) == ([1.0] * 3 + [2.0] * 1 + [2.0] * 3 + [3.0], [1, 2, 3])
    ox.shutdown()
