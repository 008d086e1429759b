"""What all runs of an experiment share: it is defined once, and each run that starts later has it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.experiment import with_defaults

SHARED = {"lr": 0.1, "optim": {"name": "sgd", "momentum": 0.9}}


def test_a_run_has_the_config_and_the_tags_of_its_experiment(read, recording):
    """A run that starts after its experiment was defined has the experiment's config and tags, in the program and stored."""
    ox.experiment("digits", config=SHARED, tags={"team": "vision"}, description="Which rate learns fastest.")
    with ox.start_run("baseline", experiment="digits") as run:
        assert (run.config.lr, run.config.optim.momentum, run.tags) == (0.1, 0.9, {"team": "vision"})
    view = read("baseline")
    assert view.params.flat == {"lr": 0.1, "optim.name": "sgd", "optim.momentum": 0.9}
    assert dict(view.tags) == {"team": "vision"}


def test_what_a_run_is_given_wins(read, recording):
    """A value of the run's own replaces that of the experiment, also a part that the experiment has as one value."""
    ox.experiment("digits", config={**SHARED, "model": "resnet"}, tags=["shared", "final"])
    config = {"lr": 1.0, "optim": "adam", "model": {"depth": 18}}
    with ox.start_run("own", experiment="digits", config=config, tags={"final": "no"}):
        pass
    assert read("own").params.flat == {"lr": 1.0, "optim": "adam", "model.depth": 18}
    assert dict(read("own").tags) == {"shared": "", "final": "no"}


def test_keys_above_and_below_a_key_are_no_defaults_of_it():
    """A default whose key begins with a given one, or is the beginning of one, is left out; one that only looks alike stays."""
    found = with_defaults({"a": 1, "b.c": 2}, {"a.x": 9, "b": 9, "ab": 3, "b.d": 4})
    assert found == {"a": 1, "b.c": 2, "ab": 3, "b.d": 4}


def test_runs_of_other_experiments_have_nothing_of_it(read, recording):
    """What one experiment defines is no other one's."""
    ox.experiment("digits", config=SHARED, tags=["shared"])
    with ox.start_run("other", experiment="letters"):
        pass
    assert (read("other").params.flat, dict(read("other").tags)) == ({}, {})


def test_defining_it_again_adds_and_changes_for_later_runs(read, recording):
    """A second call adds and changes keys and removes tags for the runs that start later; an earlier run stays as it was."""
    ox.experiment("digits", config={"lr": 0.1, "depth": 3}, tags=["old"], description="first")
    with ox.start_run("before", experiment="digits"):
        pass
    ox.experiment("digits", config={"lr": 0.2}, tags={"old": None, "new": ""})
    with ox.start_run("after", experiment="digits"):
        pass
    assert read("before").params.flat == {"lr": 0.1, "depth": 3}
    assert (read("after").params.flat, dict(read("after").tags)) == ({"lr": 0.2, "depth": 3}, {"new": ""})
    assert ox.experiments()["digits"].description == "first"


def test_a_resumed_run_keeps_what_it_started_with(read, recording):
    """A run that goes on has the params of its start, whatever its experiment was defined to be since."""
    with ox.start_run("long", experiment="digits", config={"lr": 0.1}) as run:
        pass
    ox.experiment("digits", config=SHARED, tags=["shared"])
    with ox.start_run(resume=run.id):
        pass
    assert (read("long").params.flat, dict(read("long").tags)) == ({"lr": 0.1}, {})


def test_experiments_are_read_by_name(recording):
    """`experiments()[name]` has what was defined, also before the experiment has a run; a wrong name says which there are."""
    ox.experiment("digits", config=SHARED, tags=["shared"], description="Which rate learns fastest.")
    found = ox.experiments()["digits"]
    assert (found.run_count, found.description, found.tags) == (
        0, "Which rate learns fastest.", {"shared": ""},
    )  # fmt: skip
    assert found.config == {"lr": 0.1, "optim.name": "sgd", "optim.momentum": 0.9}
    assert ox.experiments()[0] == found
    with pytest.raises(KeyError, match="digits"):
        ox.experiments()["nowhere"]


def test_secrets_of_an_experiment_are_left_out(recording):
    """A value of the config that looks like a secret is not stored."""
    ox.experiment("digits", config={"api_key": "sk-1234567890abcdef1234"})
    assert "sk-123" not in str(ox.experiments()["digits"].config["api_key"])


@pytest.mark.parametrize(
    ("name", "given"),
    [("", {}), (3, {}), ("digits", {"config": 3}), ("digits", {"tags": 3}), ("digits", {"description": 3})],
)
def test_what_cannot_be_used_is_refused_as_by_start_run(recording, name, given):
    """An empty name, or a config, tags or a description of a wrong type, is a ConfigurationError, and nothing is defined."""
    with pytest.raises(ConfigurationError):
        ox.experiment(name, **given)
    assert ox.experiments() == []


def test_runs_that_are_not_recorded_have_it_too(configure):
    """With recording off the program still reads the experiment's config, and nothing is stored."""
    configure(enabled=False)
    ox.experiment("digits", config=SHARED)
    with ox.start_run("silent", experiment="digits") as run:
        assert run.config.lr == 0.1
    assert not Path("experiments.db").exists()


def test_a_clock_that_was_set_back_changes_no_order(configure):
    """The later call counts, though the clock was set back between the two."""
    configure(clock=iter(range(10**18, 0, -1)).__next__)
    ox.experiment("digits", config={"lr": 0.1})
    ox.experiment("digits", config={"lr": 0.2})
    assert ox.experiments()["digits"].config == {"lr": 0.2}


def test_a_definition_is_offered_to_no_run(recording):
    """What defines an experiment is not among the telemetry that can be attached to a run."""
    ox.experiment("digits", config=SHARED)
    with ox.open_reader() as reader:
        assert (reader.unattached(), reader.store.has_telemetry()) == ([], False)


def test_a_store_in_memory_has_it_as_well(configure):
    """A recorder without a file keeps what is defined, and offers it to no run."""
    configure(store="memory://")
    ox.experiment("digits", config={"lr": 0.1})
    with ox.start_run("kept", experiment="digits"):
        pass
    with ox.open_reader() as reader:
        assert reader.run("kept").params.flat == {"lr": 0.1}
        assert (reader.unattached(), reader.store.has_telemetry()) == ([], False)


def test_a_bundle_and_its_import_have_what_the_experiment_defines(recording, tmp_path):
    """A bundle has the definitions of the experiments of its runs and of no others, and so has the store that takes it in."""
    ox.experiment("digits", config=SHARED)
    ox.experiment("letters", config={"lr": 5})
    with ox.start_run("baseline", experiment="digits"):
        pass
    ox.bundle("baseline", tmp_path / "one.oxb")
    with ox.open(tmp_path / "one.oxb") as reader:
        assert [one.name for one in reader.experiments()] == ["digits"]
        assert reader.experiments()["digits"].config["lr"] == 0.1
    ox.import_store(tmp_path / "one.oxb", store=tmp_path / "other.db")
    assert ox.experiments(store=tmp_path / "other.db")["digits"].config["lr"] == 0.1


def test_an_anonymous_bundle_has_the_definition_without_what_says_who_and_where(recording, tmp_path):
    """A bundle that is made anonymous has the shared config, without its paths."""
    ox.experiment("digits", config={"lr": 0.1, "data": "/home/ann/data"}, description="Data of /home/ann.")
    with ox.start_run("baseline", experiment="digits"):
        pass
    ox.bundle("baseline", tmp_path / "one.oxb", anonymize=True)
    with ox.open(tmp_path / "one.oxb") as reader:
        (found,) = reader.experiments()
    assert found.config["lr"] == 0.1
    assert "ann" not in f"{found.config} {found.description}"


def test_an_export_of_all_as_otlp_has_the_definition(recording, tmp_path):
    """What an experiment defines is in an export of all runs, and in the store that reads it back."""
    ox.experiment("digits", config=SHARED, tags=["shared"], description="Which rate learns fastest.")
    with ox.start_run("baseline", experiment="digits"):
        pass
    ox.export_otlp(tmp_path / "all.jsonl")
    ox.import_otlp(tmp_path / "all.jsonl", store=tmp_path / "other.db")
    assert ox.experiments(store=tmp_path / "other.db") == ox.experiments()


def test_a_forked_child_knows_what_its_parent_defined(recording):
    """A run of a forked child has the config that the parent process gave the experiment."""
    ox.experiment("digits", config={"lr": 0.1})
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = 0 if ox.start_run("child", experiment="digits").config.lr == 0.1 else 4
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_is_killed_after_the_call_loses_nothing(tmp_path):
    """What a process defined before it was killed is there for the runs of the next one."""
    path = tmp_path / "experiments.db"
    code = (
        "import os, signal, otel_experiments as ox\n"
        f"ox.configure(store={str(path)!r})\n"
        "ox.experiment('digits', config={'lr': 0.1})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert ox.experiments(store=path)["digits"].config == {"lr": 0.1}
    with ox.Recorder(store=path) as recorder, recorder.start_run("next", experiment="digits") as run:
        assert run.config.lr == 0.1
