"""Pausing a run: what comes meanwhile is counted, time does not pass, wrong orders name both states."""

import json

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import IllegalTransitionError

SECOND = 10**9


def test_what_comes_while_paused_is_counted_and_not_recorded(recording, read):
    """Points before and after the pause are there; those in it are counted, one for each value."""
    with ox.start_run("paused") as run:
        run.log({"loss": 1.0}, step=0)
        run.pause()
        run.log({"loss": 2.0, "accuracy": 0.5}, step=1)
        run.log({"loss": 3.0}, step=2)
        assert (run.state, run.refused_count) == ("paused", 3)
        run.resume()
        run.log({"loss": 4.0}, step=3)

    stored = read("paused")
    assert list(stored.metrics["loss"].values) == [1.0, 4.0]
    assert (stored.record.paused_count, stored.record.paused_dropped_count) == (1, 3)


def test_a_run_that_ends_paused_keeps_the_count(recording, read):
    """Ending a paused run counts its last pause and what was refused in it."""
    with ox.start_run("ended") as run:
        run.pause()
        run.resume()
        run.pause()
        run.log({"loss": 1.0})

    stored = read("ended")
    assert stored.state == "succeeded"
    assert (stored.record.paused_count, stored.record.paused_dropped_count) == (2, 1)


def test_durations_leave_pauses_out(configure):
    """With a clock that stands still but for the test's own steps, the duration is the time outside of pauses."""
    time_ns = [1_700_000_000 * SECOND]
    configure(clock=lambda: time_ns[0])

    run = ox.start_run("slept")
    time_ns[0] += 3 * SECOND
    run.pause()
    time_ns[0] += 100 * SECOND
    run.resume()
    time_ns[0] += 4 * SECOND
    run.pause()
    time_ns[0] += 50 * SECOND
    run.finish()

    (stored,) = ox.runs()
    assert stored.duration_s == 7.0
    assert stored.record.paused_total_ns == 150 * SECOND


@pytest.mark.parametrize(
    ("before", "call", "current", "requested"),
    [
        (["pause"], "pause", "paused", "paused"),
        ([], "resume", "running", "running"),
        (["finish"], "pause", "succeeded", "paused"),
        (["finish"], "resume", "succeeded", "running"),
    ],
    ids=["pause twice", "resume unpaused", "pause ended", "resume ended"],
)
def test_wrong_orders_name_both_states(recording, before, call, current, requested):
    """A change of state that may not be names the state the run is in and the one asked for."""
    run = ox.start_run()
    for step in before:
        getattr(run, step)()

    with pytest.raises(IllegalTransitionError) as caught:
        getattr(run, call)()

    assert f"is '{current}' and cannot become '{requested}'" in str(caught.value)
    assert run.state == current


def test_show_tells_of_pauses(recording, tmp_path):
    """`show` says how often a run was paused and how many values were refused; so does its JSON."""
    with ox.start_run("paused") as run:
        run.pause()
        run.log({"loss": 1.0})
    store = ["--store", str(tmp_path / "experiments.db")]

    text = CliRunner().invoke(root, ["show", "paused", *store]).output
    record = json.loads(CliRunner().invoke(root, ["show", "paused", "--json", *store]).output)

    assert "paused once" in text
    assert "1 point, event, param, tag or span was not recorded because of it" in text
    assert (record["paused"]["count"], record["paused"]["dropped_count"]) == (1, 1)
