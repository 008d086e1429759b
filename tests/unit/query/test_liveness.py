"""A run whose process is gone reads as lost at once; durations leave pauses out."""

import dataclasses
import subprocess
import sys

import pytest

from otel_experiments.journal.owner import current_owner
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.query.liveness import Liveness

SECOND = 10**9
NOW = 1_800_000_000 * SECOND


def run_in(state, **changes):
    """Return a run that was made 100 s ago."""
    base = Run(
        run_id="ab" * 16,
        experiment="digits",
        name="mlp",
        state=state,
        created_ns=NOW - 100 * SECOND,
        started_ns=NOW - 100 * SECOND,
    )
    return dataclasses.replace(base, **changes)


def dead_owner():
    """Return the identity of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = dataclasses.replace(current_owner(), pid=child.pid, start_ticks=0)
    child.communicate(b"\n")
    return owner


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.RUNNING, RunState.PAUSED])
def test_a_live_run_of_a_living_process_keeps_its_state(state):
    """As long as the process exists, the stored state is the state."""
    assert Liveness(NOW).state(run_in(state, owner=current_owner())) is state


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.RUNNING, RunState.PAUSED])
def test_a_live_run_of_a_dead_process_is_lost(state):
    """A run that should be alive and whose process is gone is lost, however young its heartbeat."""
    run = run_in(state, owner=dead_owner(), heartbeat_ns=NOW)

    assert Liveness(NOW).state(run) is RunState.LOST


def test_a_reused_pid_is_not_mistaken_for_the_run():
    """A process of the same number that started at another time is another process."""
    me = current_owner()
    other = dataclasses.replace(me, start_ticks=me.start_ticks + 1)

    assert Liveness(NOW).state(run_in(RunState.RUNNING, owner=other)) is RunState.LOST


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED])
def test_an_ended_run_is_never_lost(state):
    """Whoever has ended by its own word stays as it ended."""
    assert Liveness(NOW).state(run_in(state, owner=dead_owner())) is state


@pytest.mark.parametrize(
    ("heartbeat_age_s", "expected"),
    [(0, RunState.RUNNING), (59, RunState.RUNNING), (61, RunState.LOST), (None, RunState.RUNNING)],
)
def test_a_run_of_another_machine_is_judged_by_its_heartbeat(heartbeat_age_s, expected):
    """Of another host's process only the signs of life are known: after 60 s without one it is lost."""
    elsewhere = Owner(host="other-host", boot_id="other-boot:1", pid=1, start_ticks=1)
    beat = None if heartbeat_age_s is None else NOW - heartbeat_age_s * SECOND

    assert Liveness(NOW).state(run_in(RunState.RUNNING, owner=elsewhere, heartbeat_ns=beat)) is expected


@pytest.mark.parametrize(
    ("heartbeat_age_s", "expected"), [(0, RunState.RUNNING), (299, RunState.RUNNING), (301, RunState.LOST)]
)
def test_a_run_that_came_in_over_otlp_is_lost_when_nothing_more_comes(heartbeat_age_s, expected):
    """A run whose sender vanished is lost after five minutes without a request, and no longer with the next one."""
    run = run_in(RunState.RUNNING, heartbeat_ns=NOW - heartbeat_age_s * SECOND)

    assert Liveness(NOW).state(run) is expected


def test_a_run_that_nothing_is_known_of_keeps_its_state():
    """Without an owner and without a heartbeat the stored state is all there is."""
    assert Liveness(NOW).state(run_in(RunState.RUNNING)) is RunState.RUNNING


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        (run_in(RunState.PENDING, started_ns=None), None),
        (run_in(RunState.SUCCEEDED, ended_ns=NOW - 40 * SECOND), 60.0),
        (run_in(RunState.SUCCEEDED, ended_ns=NOW - 40 * SECOND, paused_total_ns=10 * SECOND), 50.0),
        (run_in(RunState.RUNNING, owner=current_owner()), 100.0),
        (run_in(RunState.PAUSED, owner=current_owner(), paused_ns=NOW - 30 * SECOND), 70.0),
        (run_in(RunState.SUCCEEDED, ended_ns=NOW - 200 * SECOND), 0.0),
    ],
    ids=["pending", "ended", "ended with a pause", "running", "paused now", "clock went back"],
)
def test_a_duration_counts_work_without_pauses(run, seconds):
    """Durations run from start to end, or to now, with pauses left out, and are never negative."""
    assert Liveness(NOW).duration_s(run) == seconds


def test_a_lost_run_lasted_until_its_last_sign_of_life():
    """The clock of a lost run stops at its heartbeat."""
    run = run_in(RunState.RUNNING, owner=dead_owner(), heartbeat_ns=NOW - 25 * SECOND)

    assert Liveness(NOW).duration_s(run) == 75.0


@pytest.mark.parametrize(
    ("last_point_ns", "seconds"),
    [(NOW - 10 * SECOND, 90.0), (NOW - 30 * SECOND, 75.0), (NOW + SECOND, 75.0)],
    ids=["after the heartbeat", "before it", "of a time to come"],
)
def test_a_point_is_a_sign_of_life_too(last_point_ns, seconds):
    """A run that was killed soon after a point lasted until that point, not until the heartbeat before."""
    run = run_in(RunState.RUNNING, owner=dead_owner(), heartbeat_ns=NOW - 25 * SECOND)

    assert Liveness(NOW).duration_s(run, last_point_ns=last_point_ns) == seconds
