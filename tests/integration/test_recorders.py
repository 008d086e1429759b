"""Several recorders in one process: each records into a store of its own, and none disturbs another."""

import inspect
import os
import signal
import subprocess
import sys
import threading

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, StoreError
from otel_experiments.record.base.settings import SETTINGS

QUIET = {"capture_git": False, "system_metrics_s": 0.0}


def losses(store):
    """Return the values of the metric `loss` of each run of a store, by name, the smallest first."""
    return {run.name: sorted(run.metrics["loss"].points().values) for run in ox.runs(store=store)}


def test_two_recorders_record_into_two_stores_at_once():
    """Runs that are open side by side, in threads, with spans and params, are each in their recorder's store alone."""
    together = threading.Barrier(2, timeout=60)

    def train(recorder, name, factor):
        with recorder.start_run(name, experiment=name, config={"factor": factor}) as run:
            for step in range(100):
                together.wait()
                with run.stage(str(step)) if step % 50 == 0 else run.span("work"):
                    run.log({"loss": step * factor}, step=step)

    with ox.Recorder(store="a.db", **QUIET) as first, ox.Recorder(store="b.db", **QUIET) as second:
        threads = [
            threading.Thread(target=train, args=(first, "a", 1)),
            threading.Thread(target=train, args=(second, "b", 2)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for name, factor in (("a", 1), ("b", 2)):
        assert losses(f"{name}.db") == {name: [step * factor for step in range(100)]}
        run = ox.run(name, store=f"{name}.db")
        assert (run.params["factor"], run.experiment, str(run.state)) == (factor, name, "succeeded")
        assert len(run.spans.named("work")) == 98
        assert [span.name for span in run.spans.named("stage *")] == ["stage 0", "stage 50"]


def test_the_module_functions_are_one_recorder_among_others():
    """`configure` and `start_run` go on with their store while another recorder comes and goes."""
    ox.configure(store="default.db", **QUIET)
    with ox.start_run("default") as run:
        with ox.Recorder(store="other.db", **QUIET) as recorder, recorder.start_run("other") as other:
            other.log({"loss": 1.0}, step=0)
            run.log({"loss": 2.0}, step=0)
        run.log({"loss": 3.0}, step=1)
    ox.shutdown()

    assert losses("default.db") == {"default": [2.0, 3.0]}
    assert losses("other.db") == {"other": [1.0]}


def test_a_run_inside_a_run_of_another_store_is_no_part_of_it():
    """A reader of a store never meets a parent that the store does not hold; in one store a run inside is a part."""
    with ox.Recorder(store="a.db", **QUIET) as first, ox.Recorder(store="b.db", **QUIET) as second:
        with first.start_run("outer") as outer, second.start_run("elsewhere"), first.start_run("inner"):
            pass
        with first.start_run("above") as above, first.start_run("below"):
            pass

    assert ox.run("elsewhere", store="b.db").record.parent_run_id is None
    assert ox.run("below", store="a.db").record.parent_run_id == above.id
    assert ox.run("outer", store="a.db").id == outer.id


def test_the_end_of_one_recorder_ends_its_runs_alone():
    """`shutdown` finishes what the recorder has open; what another has open goes on."""
    with ox.Recorder(store="a.db", **QUIET) as first, ox.Recorder(store="b.db", **QUIET) as second:
        left = first.start_run("left")
        kept = second.start_run("kept")
        left.log({"loss": 0.5}, step=0)

        report = first.shutdown()

        assert report is not None
        assert report.is_stored
        assert first.shutdown() is not None, "and once more is no error"
        kept.log({"loss": 0.25}, step=0)
        kept.finish()

    assert losses("a.db") == {"left": [0.5]}
    assert losses("b.db") == {"kept": [0.25]}


PROGRAM = """
import os, sys
import otel_experiments as ox

recorders = [ox.Recorder(store=f"{name}.db", system_metrics_s=0.0, capture_git=False) for name in "ab"]
runs = [recorder.start_run(name) for recorder, name in zip(recorders, "ab")]
for value, run in enumerate(runs):
    run.log({"loss": value}, step=0)
child = os.fork()
if not child:
    for value, run in enumerate(runs):
        run.log({"loss": value + 10}, step=1)
    os._exit(0)
os.waitpid(child, 0)
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_each_recorder_keeps_what_a_fork_and_a_sudden_end_leave(end, tmp_path):
    """A forked child's points are in the store of their run, and neither the exit nor SIGKILL loses any."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, end], cwd=tmp_path, check=False, timeout=120)

    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0)
    assert losses("a.db") == {"a": [0, 10]}
    assert losses("b.db") == {"b": [1, 11]}


def test_a_recorder_is_set_up_by_arguments_then_by_the_environment(monkeypatch):
    """The settings are those of `configure`, and what cannot be used is refused as there."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_EXPERIMENT", "from the environment")
    with ox.Recorder(store="a.db", store_mode=0o640, **QUIET) as recorder:
        assert recorder.settings.experiment == "from the environment"
        assert os.stat("a.db").st_mode & 0o777 == 0o640  # noqa: PTH116 - as a user would look

    with pytest.raises(ConfigurationError, match="no setting 'stroe'"):
        ox.Recorder(stroe="b.db")
    with pytest.raises(ConfigurationError, match="no setting 'stroe'"):
        ox.configure(stroe="b.db")
    with pytest.raises(StoreError, match="Did you mean memory://"):
        ox.Recorder(store="memory")


@pytest.mark.parametrize("function", [ox.configure, ox.Recorder.__init__])
def test_help_shows_every_setting(function):
    """Each setting is an argument by keyword that may be left out."""
    shown = inspect.signature(function).parameters

    assert set(SETTINGS) <= set(shown)
    assert all(shown[name].default is None for name in SETTINGS)
