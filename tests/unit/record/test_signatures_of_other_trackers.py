"""Every argument that wandb 0.31, MLflow 3.17 and Trackio 0.43 take is taken, by name and in their order, whatever its value.

The tables are their signatures, read with `inspect`; what is no argument of them is no part of it.
"""

import inspect
import math

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, RunNotFoundError
from otel_experiments.record.base import notices

INIT = {
    "wandb": {
        "entity": "team", "project": "p", "dir": "/tmp", "id": "abc", "name": "n", "notes": "a note", "tags": ["t"],
        "config": {"lr": 0.1}, "config_exclude_keys": ["x"], "config_include_keys": ["lr"], "allow_val_change": True,
        "group": "g", "job_type": "train", "mode": "online", "force": True, "reinit": True, "resume": "allow",
        "resume_from": "abc?_step=2", "fork_from": "abc?_step=2", "save_code": True, "tensorboard": True,
        "sync_tensorboard": True, "monitor_gym": True, "settings": {"x": 1}, "anonymous": "allow",
    },
    "trackio": {
        "project": "p", "name": "n", "group": "g", "space_id": "user/space", "server_url": "http://x", "dataset_id": "d",
        "bucket_id": "b", "config": {"lr": 0.1}, "resume": "never", "settings": object(), "private": True, "embed": False,
        "auto_log_gpu": True, "gpu_log_interval": 1.0, "auto_log_cpu": True, "cpu_log_interval": 1.0,
        "webhook_url": "http://x", "webhook_min_level": "WARN",
    },
}  # fmt: skip

MLFLOW_START = {
    "experiment_id": "digits", "run_name": "n", "nested": True, "parent_run_id": "c" * 32, "tags": {"a": 1},
    "description": "d", "log_system_metrics": True,
}  # fmt: skip

RECORDING = {
    "wandb.log": ("log", {"data": {"a": 1.0}, "step": 3, "commit": False}),
    "trackio.log": ("log", {"metrics": {"a": 1.0}, "step": 3}),
    "wandb.define_metric": (
        "define_metric",
        {
            "name": "a", "step_metric": "b", "step_sync": True, "hidden": True, "summary": "min,max", "overwrite": True,
        },
    ),
    "wandb.log_artifact": (
        "log_artifact", {"artifact_or_path": b"x", "name": "a", "type": "t", "aliases": ["best"], "tags": ["x"]},
    ),
    "trackio.log_artifact": (
        "log_artifact", {"artifact_or_path": b"x", "name": "a", "type": "t", "aliases": ["best"], "overwrite": True},
    ),
    "mlflow.log_metric": (
        "log_metric",
        {
            "key": "a", "value": 1.0, "step": 3, "synchronous": True, "timestamp": 1577836800_000, "run_id": None,
            "model_id": "m", "dataset": object(),
        },
    ),
    "mlflow.log_metrics": (
        "log_metrics",
        {
            "metrics": {"a": 1.0}, "step": 3, "synchronous": True, "run_id": None, "timestamp": 1577836800_000,
            "model_id": "m", "dataset": object(),
        },
    ),
    "mlflow.log_param": ("log_param", {"key": "a", "value": 1, "synchronous": True}),
    "mlflow.log_params": ("log_params", {"params": {"a": 1}, "synchronous": True, "run_id": None}),
    "mlflow.set_tag": ("set_tag", {"key": "a", "value": 1, "synchronous": True}),
    "mlflow.set_tags": ("set_tags", {"tags": {"a": 1}, "synchronous": True}),
    "mlflow.log_artifact": ("log_artifact", {"local_path": b"x", "artifact_path": "folder", "run_id": None}),
    "mlflow.log_artifacts": ("log_artifacts", {"local_dir": ".", "artifact_path": "folder", "run_id": None}),
    "mlflow.log_text": ("log_text", {"text": "x", "artifact_file": "a.txt", "run_id": None}),
    "mlflow.log_dict": ("log_dict", {"dictionary": {"a": 1}, "artifact_file": "a.json", "run_id": None}),
    "mlflow.log_image": (
        "log_image",
        {
            "image": [[0, 255]], "artifact_file": "a.png", "key": "a", "step": 3, "timestamp": 1577836800_000,
            "synchronous": False,
        },
    ),
    "mlflow.log_table": ("log_table", {"data": {"x": [1, 2]}, "artifact_file": "a.json", "run_id": None}),
    "mlflow.set_experiment": (
        "set_experiment", {"experiment_name": "e", "experiment_id": None, "trace_location": object()},
    ),
    "mlflow.end_run": ("end_run", {"status": "FINISHED"}),
    "wandb.finish": ("finish", {"exit_code": 0}),
}  # fmt: skip
"""By the call of another tracker: the name of ours, and each argument with a value."""

ODD = [None, math.nan, -1, 2**70, "", "x", b"x", [], {}, object(), float, {"a": {"b": object()}}]


@pytest.fixture(autouse=True)
def unsaid(monkeypatch):
    """Have each test hear what is said once a process."""
    monkeypatch.setattr(notices, "_said", set())


@pytest.mark.parametrize("tracker", INIT)
def test_each_argument_of_init_starts_a_run(forgiving, caplog, tracker):
    """Alone, and all of them together: the run records, and an argument that does nothing is told once."""
    arguments = INIT[tracker]
    together = {name: value for name, value in arguments.items() if name not in {"resume_from", "fork_from"}}
    for one in [*[{name: value} for name, value in arguments.items()], together, together]:
        with ox.init(**one) as run:
            run.log({"a": 1.0})
        assert ox.run(run.id).metrics["a"].count >= 1

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("by", ["id", "name", "id of ours"])
def test_init_forks_and_rewinds_by_the_words_of_wandb(forgiving, by):
    """`fork_from="ID?_step=N"` is a run with that one's curve up to the step; `resume_from=` goes on after it."""
    with ox.init("digits", id="mine", name="source", config={"lr": 0.1}) as source:
        for step in range(5):
            source.log({"loss": 5.0 - step}, step=step)
    wanted = {"id": "mine", "name": "source", "id of ours": source.id}[by]
    with ox.init("digits", fork_from=f"{wanted}?_step=2", id="forked") as fork:
        fork.log({"loss": 9.0})
    with ox.init("digits", fork_from=f"{wanted}?_step=2", id="forked") as restarted:
        restarted.log({"loss": 8.0})
    assert (restarted.id, ox.run(fork.id).record.attempt) == (fork.id, 2)
    assert points(fork) == [(0, 5), (1, 4), (2, 3), (3, 9), (4, 8)]
    assert ox.run(fork.id).params["lr"] == 0.1

    with ox.init("digits", resume_from=f"{wanted}?_step=1") as again:
        again.log({"loss": 7.0})
    assert (again.id, ox.run(source.id).record.attempt) == (source.id, 2)
    assert points(source) == [(0, 5), (1, 4), (2, 7)]


def points(run):
    """Return [(step, value)] of the loss of a stored run."""
    found = ox.run(run.id).metrics["loss"].points()
    return list(zip(found.steps, found.values, strict=True))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"resume_from": "mine"}, "does not name a run and a step"),
        ({"fork_from": "mine?_step=x"}, "does not name a run and a step"),
        ({"resume_from": "mine?_step=1", "fork_from": "mine?_step=1"}, "cannot be both"),
        ({"resume_from": "mine?_step=1", "id": "other"}, "name two runs"),
        ({"resume": "must", "id": "mine", "fork_from": "source?_step=1"}, "is no fork"),
        ({"id": "mine", "fork_from": "mine?_step=1"}, "is no fork"),
    ],
)
def test_words_that_contradict_each_other_start_no_run(forgiving, given, why):
    """A run that goes on cannot be a fork of another, and nothing is left out in silence."""
    for name in ("mine", "source"):
        with ox.init("digits", id=name):
            pass
    with pytest.raises(ConfigurationError, match=why):
        ox.init("digits", **given)

    assert len(ox.runs()) == 2
    assert ox.active_run() is None


def test_a_run_to_rewind_or_to_fork_has_to_be_there(forgiving):
    """As in wandb, a wrong id is an error at the start and not a new run."""
    for word in ("resume_from", "fork_from"):
        with pytest.raises(RunNotFoundError):
            ox.init("digits", **{word: "nothing?_step=3"})


def test_start_run_does_not_leave_out_a_fork_in_silence(forgiving):
    """`resume=` and `fork_from=` together say two things."""
    with ox.start_run("source"), ox.start_run("mine"):
        pass
    with pytest.raises(ConfigurationError, match="is no fork"):
        ox.start_run(resume="mine", fork_from="source?step=1")


def test_each_argument_of_mlflow_starts_a_run(forgiving):
    """`run_name`, `experiment_id`, `nested`, ... say what they say there; `run_id` goes on with a run."""
    for one in [*[{name: value} for name, value in MLFLOW_START.items()], MLFLOW_START]:
        with ox.start_run(**one) as run:
            run.log({"a": 1.0})

    stored = ox.run(run.id)
    assert (stored.name, stored.experiment, stored.record.parent_run_id) == ("n", "digits", "c" * 32)
    assert (stored.tags, stored.record.description) == ({"a": "1"}, "d")
    with ox.start_run(run_id=run.id) as again:
        again.log({"a": 2.0})
    assert (again.id, ox.run(run.id).record.attempt) == (run.id, 2)


def test_a_nested_run_is_current_without_a_block_until_it_ends(forgiving):
    """MLflow's `start_run(nested=True)` and `end_run()`, outside and inside of a block: values go to the newest run."""
    ox.start_run(run_name="outer")
    ox.start_run(run_name="inner", nested=True)
    ox.log_metric("loss", 1.0)
    ox.end_run()
    ox.log_metric("loss", 2.0)
    ox.end_run()
    with ox.start_run(run_name="block"):
        trial = ox.start_run(run_name="trial", nested=True)
        ox.log_metric("loss", 3.0)
        assert ox.active_run() is trial
        ox.end_run()
        with ox.start_run(run_name="trial in a block", nested=True):
            ox.log_metric("loss", 4.0)
        ox.log_metric("loss", 5.0)

    last = {
        name: ox.run(name).metrics["loss"].values.tolist() for name in ("inner", "outer", "trial", "block")
    }
    assert last == {"inner": [1.0], "outer": [2.0], "trial": [3.0], "block": [5.0]}
    assert ox.run("inner").parent.name == "outer"
    assert {ox.run(name).state for name in ("inner", "outer", "trial", "trial in a block")} == {"succeeded"}


def test_a_nested_run_that_is_pending_waits_for_its_block(forgiving):
    """`pending=True` only writes the run down."""
    with ox.start_run("outer") as outer:
        waiting = ox.start_run("inner", nested=True, pending=True)
        assert (ox.active_run(), str(waiting.state)) == (outer, "pending")


def test_a_misspelt_argument_of_start_run_is_a_type_error(forgiving):
    """It is nobody's argument, and the run has not started."""
    with pytest.raises(TypeError, match=r"^start_run\(\) got an unexpected keyword argument 'expriment'$"):
        ox.start_run(expriment="x")


@pytest.mark.parametrize("call", RECORDING)
def test_each_argument_is_taken_by_name_and_in_order(forgiving, caplog, call, tmp_path, monkeypatch):
    """Each alone with those that have to be there, all by name, and all in the order of the other tracker."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    name, arguments = RECORDING[call]
    function = getattr(ox, name)
    needed = (
        {key: arguments[key] for key in list(arguments)[:2]}
        if name != "log"
        else dict([next(iter(arguments.items()))])
    )
    for one in [*[{**needed, key: value} for key, value in arguments.items()], arguments, arguments]:
        with ox.init("p"):
            function(**one)
    if not call.startswith("wandb.finish"):
        parameters = inspect.signature(function).parameters.values()
        count = sum(1 for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD)
        with ox.init("p"):
            function(*list(arguments.values())[:count])

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told))
    assert [one for run in ox.runs() for one in run.losses] == []


@pytest.mark.parametrize("call", [one for one in RECORDING if one != "mlflow.set_experiment"])
def test_no_value_of_an_argument_ends_a_training(forgiving, call, tmp_path, monkeypatch):
    """What cannot be used is counted; nothing of ours is raised."""
    monkeypatch.chdir(tmp_path)
    name, arguments = RECORDING[call]
    ox.init("p")
    for key in arguments:
        for value in ODD:
            if name == "finish" or (key == "local_dir" and isinstance(value, str)):
                continue
            if ox.active_run() is None:
                ox.init("p")
            getattr(ox, name)(**{**arguments, key: value})
    ox.finish()


def test_a_value_for_another_run_is_not_recorded_in_this_one(forgiving):
    """`run_id` of a run that is active here records there; of any other, what was given is a loss that says so."""
    other = ox.start_run("other")
    with ox.start_run("current") as run:
        ox.log_metric("a", 1.0, run_id=other.id)
        ox.log_metrics({"a": 2.0}, run_id="0" * 32)
    other.finish()

    assert ox.run("other").metrics["a"].last == 1.0
    assert "a" not in ox.run("current").metrics
    assert [(one.kind, one.count) for one in ox.run(run.id).losses] == [("run id", 1)]


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("log", ({"a": 1.0},)),
        ("log_param", ("a", 1)),
        ("log_params", ({"a": 1},)),
        ("set_tag", ("a", 1)),
        ("set_tags", ({"a": 1},)),
        ("log_artifact", (b"x", "a")),
        ("log_text", ("x", "a")),
    ],
)
def test_each_call_takes_the_run_that_it_is_for(forgiving, call, arguments):
    """With `run_id` of an active run each call records there; with any other id it records nowhere, and the loss says so."""
    other = ox.start_run("other")
    with ox.start_run("current") as run:
        getattr(ox, call)(*arguments, run_id=other.id)
        getattr(ox, call)(*arguments, run_id="0" * 32)
    other.finish()

    def held(name):
        view = ox.run(name)
        return [name for kept in (view.metrics, view.params, view.tags) for name in kept] + [
            one.name for one in view.artifacts.all()
        ]

    assert (held("other"), held("current")) == (["a"], [])
    assert [(one.kind, one.count) for one in ox.run(run.id).losses] == [("run id", 1)]


def test_what_mlflow_keeps_is_kept(forgiving, tmp_path):
    """A text, a mapping, a picture and a table are read back as what they are."""
    with ox.start_run("r") as run:
        ox.log_text("hé", "note.txt")
        ox.log_dict({"b": [1, None], "a": "é"}, "config/all.json")
        ox.log_image([[0, 255]], key="picture", step=7, timestamp=1577836800_000)
        ox.log_table({"x": [1, 2], "y": ["a", "b"]}, "rows.json")
        ox.log_artifacts(tmp_path, "out")
        assert ox.log_param("lr", 0.1) == 0.1
        assert ox.active_run() is run
        ox.log_metric("loss", 0.5, timestamp=1577836800_500)
        ox.end_run("KILLED")

    stored = ox.run("r")
    assert ox.active_run() is None
    assert stored.state == "cancelled"
    assert stored.artifacts["note.txt"].read_text() == "hé"
    assert (
        stored.artifacts["config/all.json"].read_text()
        == '{\n  "b": [\n    1,\n    null\n  ],\n  "a": "é"\n}'
    )
    assert stored.media["picture"].last.step == 7
    assert stored.media["rows.json"].last.type == "table"
    assert f"out/{tmp_path.name}" in stored.artifacts
    assert list(stored.metrics["loss"].times_ns) == [1577836800_500_000_000]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("FINISHED", "succeeded"),
        ("FAILED", "failed"),
        ("KILLED", "cancelled"),
        ("failed", "failed"),
        ("odd", "succeeded"),
    ],
)
def test_a_status_of_mlflow_is_a_state(forgiving, status, state):
    """What is no status ends the run well, and says so."""
    run = ox.init("p")
    ox.end_run(status)
    assert ox.run(run.id).state == state


def test_set_experiment_is_for_the_runs_to_come(forgiving):
    """The run that is on stays where it is; what it returns can be given to `start_run`."""
    with ox.start_run("before") as run:
        found = ox.set_experiment("digits")
        run.log({"a": 1.0})
    with ox.start_run("after"):
        pass
    with ox.start_run("of its own", experiment_id="other"):
        pass

    assert (found.name, found.experiment_id) == ("digits", "digits")
    assert [ox.run(name).experiment for name in ("before", "after", "of its own")] == [
        "default",
        "digits",
        "other",
    ]
    with pytest.raises(ConfigurationError):
        ox.set_experiment("")


def test_config_and_summary_are_those_of_the_current_run(forgiving):
    """`ox.config.lr = 1` and `ox.summary["best"] = 2` record, and are read back."""
    with ox.start_run("r", config={"lr": 0.1, "optim": {"name": "sgd"}}):
        ox.config.lr = 0.01
        ox.config["depth"] = 3
        ox.config.update({"width": 8}, allow_val_change=True)
        ox.summary.best = 0.5
        ox.summary["note"] = "done"
        ox.summary.update({"last": {"epoch": 3}})
        assert (ox.config.lr, ox.config["depth"], ox.config.optim.name) == (0.01, 3, "sgd")
        assert (ox.summary.best, ox.summary["last"], "note" in ox.summary) == (0.5, {"epoch": 3}, True)
        assert sorted(ox.config) == ["depth", "lr", "optim", "width"]

    assert ox.run("r").params.flat == {"lr": 0.01, "depth": 3, "width": 8, "optim.name": "sgd"}
    assert dict(ox.run("r").summary) == {"best": 0.5, "note": "done", "last": {"epoch": 3}}
    with pytest.raises(ox.errors.NoActiveRunError):
        ox.config.lr = 1
    with pytest.raises(ox.errors.NoActiveRunError):
        _ = ox.summary["best"]


def test_a_run_that_there_has_to_be_is_looked_for(forgiving):
    """`run_id` of MLflow names a stored run."""
    with pytest.raises(RunNotFoundError):
        ox.start_run(run_id="nothing")
