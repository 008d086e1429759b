"""Calls as they are written for other trackers: taken where there is the thing, else told once; never a TypeError."""

import itertools
import re

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, RecordingError, RunNotFoundError
from otel_experiments.record.base import notices, other_trackers


@pytest.fixture(autouse=True)
def unsaid(monkeypatch):
    """Have each test hear what is said once a process."""
    monkeypatch.setattr(notices, "_said", set())


def points(run, name):
    """Return [(step, value)] of a metric."""
    found = run.metrics[name].points()
    return list(zip(found.steps, found.values, strict=True))


LOGS = {
    "step": lambda log: log({"loss": 1.0}, 5),
    "step and commit": lambda log: log({"loss": 1.0}, 5, True),
    "commit": lambda log: log({"loss": 1.0}, step=5, commit=False),
    "commit and sync": lambda log: log({"loss": 1.0}, 5, False, True),
    "unknown": lambda log: log({"loss": 1.0}, step=5, stpe=7),
}


@pytest.mark.parametrize("call", LOGS.values(), ids=LOGS)
@pytest.mark.parametrize("way", ["run", "module", "stage"])
def test_log_takes_what_log_of_others_takes(forgiving, caplog, call, way):
    """The point is recorded at its step; what does nothing is told once, however often it comes."""
    with ox.start_run("r") as run, run.stage("work") as stage:
        log = {"run": run.log, "module": ox.log, "stage": stage.log}[way]
        call(log)
        told = len(caplog.records)
        call(log)

    assert points(ox.run("r"), "loss") == [(5, 1), (5, 1)]
    assert len(caplog.records) == told
    assert (
        told
        == {"step": 0, "step and commit": 0, "commit": 0, "commit and sync": 1, "unknown": 1}[
            next(name for name, one in LOGS.items() if one is call)
        ]
    )


def test_a_misspelt_argument_is_counted_and_raised_where_it_is_asked_for(configure):
    """`stpe=7` is an argument that somebody meant."""
    configure(on_error="log")
    with ox.start_run("r") as run:
        run.log({"loss": 1.0}, stpe=7)
        run.define_metric("loss", gaol="min")
    assert {(one.kind, one.name) for one in ox.run("r").losses} == {
        ("unknown argument", "stpe"),
        ("unknown argument", "gaol"),
    }
    configure(on_error="raise")
    with ox.start_run("s") as run, pytest.raises(RecordingError, match=r"run\.log has no argument 'stpe'"):
        run.log({"loss": 1.0}, stpe=7)


@pytest.mark.parametrize(
    ("call", "state", "reason"),
    [
        pytest.param(lambda run: run.finish(), "succeeded", "", id="none"),
        pytest.param(lambda run: run.finish(None), "succeeded", "", id="None"),
        pytest.param(lambda run: run.finish(0), "succeeded", "", id="0"),
        pytest.param(lambda run: run.finish(1), "failed", "exit code 1", id="1"),
        pytest.param(
            lambda run: run.finish(exit_code=3, quiet=True), "failed", "exit code 3", id="exit_code"
        ),
        pytest.param(lambda run: run.finish(exit_code=0), "succeeded", "", id="exit_code 0"),
        pytest.param(lambda run: run.finish("failed", reason="mine"), "failed", "mine", id="ours"),
        pytest.param(lambda run: ox.finish(2), "failed", "exit code 2", id="module"),
        pytest.param(
            lambda run: ox.finish(exit_code=2, quiet=False), "failed", "exit code 2", id="module exit_code"
        ),
    ],
)
def test_finish_takes_an_exit_code(forgiving, call, state, reason):
    """A program that hands its exit code on has its run end as it did."""
    run = ox.init("e", name="r")
    call(run)

    assert (ox.run("r").state, ox.run("r").reason) == (state, reason)


def test_config_update_and_define_metric_take_what_they_take_elsewhere(forgiving, caplog):
    """A value may always change; goals are directions."""
    with ox.start_run("r", config={"lr": 0.1}) as run:
        run.config.update({"lr": 0.2}, allow_val_change=True)
        run.config.update({"a": 1}, True)
        run.config.update(b=2)
        run.define_metric("acc", summary="max", step_metric="epoch")
        run.define_metric("loss", goal="minimize")
        run.define_metric("note", summary="last", hidden=True)
        run.log({"acc": 0.5, "loss": 0.1, "note": 1.0})

    stored = ox.run("r")
    assert stored.params.flat == {"lr": 0.2, "a": 1, "b": 2}
    assert [stored.metrics[name].direction for name in ("acc", "loss", "note")] == ["max", "min", None]
    assert [stored.metrics[name].step_metric for name in ("acc", "loss", "note")] == ["epoch", "", ""]
    assert [stored.metrics[name].is_hidden for name in ("acc", "loss", "note")] == [False, False, True]
    assert caplog.records == []


def test_an_assigned_config_is_recorded(forgiving):
    """`run.config = {...}` adds to the params; it never takes the recording config away in silence."""
    with ox.start_run("r", config={"lr": 0.1}) as run:
        run.config = {"lr": 0.2, "depth": 3}
        run.config.width = 8
        run.config = [("bad", 1)]

    assert run.config["depth"] == 3
    assert ox.run("r").params.flat == {"lr": 0.2, "depth": 3, "width": 8}
    assert [(loss.kind, loss.count) for loss in ox.run("r").losses] == [("params", 1)]


def test_an_attribute_of_other_runs_says_what_to_use(forgiving):
    """`run.summary[...] = x` is an AttributeError with the call to type, and each call that it names is there."""
    run = ox.init(project="p", name="r")

    for name, here in other_trackers._OF_RUNS_ELSEWHERE.items():
        with pytest.raises(AttributeError) as caught:
            getattr(run, name)
        assert str(caught.value) == f"'Run' object has no attribute {name!r}: {here}"
        assert all(hasattr(run, used) for used in re.findall(r"run\.(\w+)", here))
    assert not hasattr(run, "nothing")
    with pytest.raises(AttributeError, match=r"^'Run' object has no attribute 'nothing'$"):
        _ = run.nothing


def test_a_run_at_the_prompt_says_which_it_is(forgiving):
    """The last line of a notebook's cell shows name, id and state."""
    run = ox.init(project="p", name="first")

    assert repr(run) == f"Run('first', id='{run.id}', state='running')"
    run.finish()
    assert repr(run).endswith("state='succeeded')")


def test_init_takes_what_init_of_others_takes(forgiving, caplog):
    """No argument ends a program; notes, job type, tags and keys of the config are recorded."""
    run = ox.init(
        project="digits", entity="team", name="r", notes="first try", tags=["baseline"], job_type="eval", group="g",
        config={"lr": 0.1, "path": "/x", "debug": 1}, config_exclude_keys=["path"], mode="online", dir="/tmp",
        reinit=True, save_code=True, settings={"x": 1}, allow_val_change=True, sync_tensorboard=True, monitor_gym=True,
        anonymous="allow", force=False, magic=None,
    )  # fmt: skip
    run.finish()

    stored = ox.run("r")
    assert (stored.experiment, stored.note, stored.group) == ("digits", "first try", "g")
    assert stored.tags == {"job_type": "eval", "baseline": ""}
    assert stored.params.flat == {"lr": 0.1, "debug": 1}
    assert stored.losses == []
    ignored = [
        "entity",
        "dir",
        "save_code",
        "settings",
        "sync_tensorboard",
        "monitor_gym",
        "anonymous",
        "force",
    ]
    assert [record.getMessage().split("=")[0] for record in caplog.records] == [
        f"init: {name}" for name in ignored
    ]


def test_a_misspelt_argument_of_init_is_told_with_the_one_that_is_meant(forgiving, caplog):
    """A program that says projct= trains, and a line in the log says how the argument is called."""
    ox.init(projct="digits", tag=["x"], xyzzy=1).finish()

    assert [record.getMessage() for record in caplog.records] == [
        "init: projct='digits' is ignored: did you mean project=.",
        "init: tag=['x'] is ignored: did you mean tags=.",
        "init: xyzzy=1 is ignored: it does nothing here.",
    ]


def test_every_pair_of_arguments_of_init_starts_a_run(forgiving):
    """Whatever combination a program was written with, it trains."""
    arguments = {
        "id": "abc", "resume": "allow", "mode": "offline", "job_type": "t", "reinit": "finish_previous", "dir": "x",
        "entity": "e", "config": {"a": 1}, "tags": ("x",), "notes": "n", "group": "g", "settings": object(),
    }  # fmt: skip
    for one, two in itertools.combinations(arguments.items(), 2):
        run = ox.init(project="p", **dict([one, two]))
        ox.log({"loss": 1.0}, 0)
        run.finish()
        assert ox.run(run.id).metrics["loss"].count >= 1


@pytest.mark.parametrize("resume", ["allow", "must", True, "auto", None], ids=str)
def test_an_id_is_found_again(forgiving, resume):
    """A run under an id of its own goes on as its next attempt, params and steps included."""
    first = ox.init("p", id="my-run-7", config={"lr": 0.1})
    first.log({"loss": 1.0})
    first.fail("crashed")
    again = ox.init("p", id="my-run-7", resume=resume)
    again.log({"loss": 2.0})
    again.finish()

    stored = ox.run("my-run-7")
    assert again.id == first.id == stored.id
    assert (stored.record.attempt, stored.state, again.config.lr) == (2, "succeeded", 0.1)
    assert points(stored, "loss") == [(0, 1), (1, 2)]


def test_an_id_of_our_form_is_the_id(forgiving):
    """32 hexadecimal digits are taken as they are: the trace id."""
    wanted = "0af7651916cd43dd8448eb211c80319c"
    assert ox.init(id=wanted).id == wanted


def test_one_id_in_two_projects_is_two_runs(forgiving):
    """An id is one of its project, as elsewhere."""
    assert ox.init("one", id="x").id != ox.init("two", id="x").id


def test_resume_words_say_what_has_to_be_there(forgiving):
    """`never` refuses an id that is taken, `must` one that is not; an error says what to do."""
    ox.init("p", id="x").finish()
    with pytest.raises(ConfigurationError, match='resume="never" wants a new one'):
        ox.init("p", id="x", resume="never")
    with pytest.raises(RunNotFoundError):
        ox.init("p", id="y", resume="must")
    with pytest.raises(ConfigurationError, match="needs the id"):
        ox.init("p", resume="must")
    with pytest.raises(ConfigurationError, match="of type int"):
        ox.init("p", resume=3)
    with pytest.raises(ConfigurationError, match="a run's id is a text"):
        ox.init("p", id=3)
    assert ox.init("p", id="y", resume="never").is_active


@pytest.mark.parametrize("resume", [True, "auto"])
def test_the_last_run_goes_on_if_it_did_not_end_well(forgiving, resume):
    """Without an id, what crashed is continued, and what has ended well is not."""
    crashed = ox.init("p", resume=resume)
    crashed.fail("out of memory")
    again = ox.init("p", resume=resume)
    assert again.id == crashed.id
    again.finish()
    assert ox.init("p", resume=resume).id != crashed.id


@pytest.mark.parametrize("resume", [False, "allow", "never", None])
def test_without_an_id_these_words_start_a_new_run(forgiving, resume):
    """There is nothing to go on with."""
    ox.init("p").fail("x")
    assert ox.init("p", resume=resume).state == "running"
    assert len(ox.runs()) == 2


def test_our_own_resume_is_as_it_was(forgiving):
    """The beginning of an id, or a name."""
    first = ox.init("p", name="first")
    first.finish()
    assert ox.init(resume=first.id[:12]).id == first.id


def test_start_run_stays_strict(forgiving):
    """What is of ours takes a run's id or one of the words, and says so."""
    with pytest.raises(
        ConfigurationError, match="Pass the id of a run, True, or one of allow, must, never, auto"
    ):
        ox.start_run(resume=3)
    with pytest.raises(TypeError):
        ox.start_run(mode="disabled")


def test_a_disabled_run_records_nothing_and_the_next_one_does(forgiving):
    """`mode="disabled"` is of the run that is started so."""
    off = ox.init("p", name="off", mode="disabled")
    off.log({"loss": 1.0}, 3)
    off.config.update({"a": 1})
    off.finish()
    on = ox.init("p", name="on")
    on.log({"loss": 1.0})
    on.finish()

    assert [run.name for run in ox.runs()] == ["on"]


def test_a_program_that_is_disabled_makes_no_file(tmp_path, monkeypatch):
    """Nothing is set up that nobody wants."""
    monkeypatch.chdir(tmp_path)
    run = ox.init("p", mode="disabled")
    run.log({"loss": 1.0})
    run.finish()
    ox.shutdown()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("reinit", "is_same", "is_left"),
    [
        (True, False, False),
        (None, False, False),
        (False, True, True),
        ("return_previous", True, True),
        ("create_new", False, True),
        ("finish_previous", False, False),
    ],
)
def test_reinit_says_what_becomes_of_the_run_before(forgiving, reinit, is_same, is_left):
    """Finished, returned or left alone."""
    first = ox.init("p")
    second = ox.init("p", reinit=reinit)

    assert (second is first, first.is_active) == (is_same, is_left)
    for run in dict.fromkeys([second, first]):
        run.finish()


def test_artifacts_are_kept_and_used_by_the_words_of_wandb(forgiving, tmp_path):
    """`artifact_or_path=`, `artifact_or_name=` and `root=` name what they name in wandb, and nothing is lost."""
    with ox.start_run("r") as run:
        run.log_artifact(artifact_or_path=b"x", name="m", type="model")
        used = run.use_artifact(artifact_or_name="m:latest")
        downloaded = used.download(root=tmp_path / "copy")

    assert downloaded == tmp_path / "copy"
    assert downloaded.read_bytes() == b"x"
    assert not ox.run("r").losses


def test_config_has_the_methods_of_wandb(forgiving):
    """`as_dict` gives the params as plain dicts; `setdefaults` records only what is not there yet."""
    with ox.start_run("r", config={"lr": 0.1, "net": {"width": 8}}) as run:
        run.config.setdefaults({"lr": 0.2, "depth": 3})

    assert run.config.as_dict() == {"lr": 0.1, "net": {"width": 8}, "depth": 3}
    assert type(run.config.as_dict()["net"]) is dict
    assert ox.run("r").params.flat == {"lr": 0.1, "net.width": 8, "depth": 3}


@pytest.mark.parametrize("name", ["Api", "agent", "Settings", "set_tracking_uri", "log_code", "unwatch"])
def test_a_name_of_other_trackers_says_what_to_use(name):
    """A function that is not here is an AttributeError that goes on with what to do instead."""
    with pytest.raises(AttributeError, match=f"no attribute '{name}'[.:] .{{20}}"):
        getattr(ox, name)
