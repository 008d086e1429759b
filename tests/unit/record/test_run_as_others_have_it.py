"""`ox.run` as `wandb.run` is used: it stands for the current run, and is a function as well."""

import inspect
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.errors import NoActiveRunError


def test_what_is_assigned_to_run_is_the_current_runs(recording):
    """Name, notes, tags, group, config and summary are those of the run that is on."""
    run = ox.init("e", name="first")
    ox.run.name, ox.run.notes, ox.run.group, ox.run.tags = "second", "a note", "sweep", ["paper"]
    ox.run.summary["best"] = 0.5
    ox.run.config.lr = 0.1
    ox.run.config.update({"depth": 3})
    ox.run.log({"loss": 1.0})
    ox.run.tags += ["final"]
    assert (ox.run.id, ox.run.name, bool(ox.run)) == (run.id, "second", True)
    ox.run.finish()

    stored = ox.run("second")
    assert (stored.id, stored.note, stored.group) == (run.id, "a note", "sweep")
    assert stored.tags == {"paper": "", "final": ""}
    assert (stored.summary["best"], stored.params.flat) == (0.5, {"lr": 0.1, "depth": 3})
    assert stored.metrics["loss"].count == 1


def test_without_a_run_it_is_false_and_says_so(recording):
    """What would be lost raises instead, as `ox.log` does; a program may ask whether there is a run."""
    assert not ox.run
    with pytest.raises(NoActiveRunError, match=r"ox\.run\.name needs a current run, and none is active"):
        ox.run.name = "lost"
    with pytest.raises(NoActiveRunError, match=r"ox\.run\.summary needs"):
        ox.run.summary["best"] = 1.0
    for name in ("id", "experiment", "tracer"):
        with pytest.raises(NoActiveRunError, match=rf"ox\.run\.{name} needs"):
            getattr(ox.run, name)
    assert not hasattr(ox.run, "nmae")
    with pytest.raises(
        AttributeError, match=r"'url': there is no server; see it with: otel-experiments show"
    ):
        _ = ox.run.url
    with ox.start_run("r"), pytest.raises(AttributeError, match="nmae"):
        _ = ox.run.nmae


def test_it_still_is_the_function(recording):
    """It reads a stored run, decorates, and says its signature."""

    @ox.run(name="decorated")
    def train(lr):
        ox.run.summary["lr"] = lr

    train(0.5)

    assert ox.run("decorated").summary["lr"] == 0.5
    assert "store" in inspect.signature(ox.run).parameters
    assert (ox.run.__name__, ox.run.__doc__[:20]) == ("run", "Read a stored run, o")
    assert repr(ox.run) == "<function run>"
    with ox.start_run("current") as run:
        assert repr(ox.run) == f"<function run for {run!r}>"


def test_where_recording_is_switched_off_nothing_is_recorded_or_raised(tmp_path):
    """A script for wandb goes through with `OTEL_EXPERIMENTS_ENABLED=false`."""
    code = (
        "import otel_experiments as ox\n"
        "ox.run.name = 'x'; ox.run.summary['best'] = 1; ox.run.config.lr = 2; ox.run.log({'loss': 1})\n"
        "ox.init(); ox.run.name = 'x'; ox.run.log({'loss': 1}); ox.run.finish()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": "", "OTEL_EXPERIMENTS_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, list(tmp_path.iterdir())) == (0, []), done.stderr
