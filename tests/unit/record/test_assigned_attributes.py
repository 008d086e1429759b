"""What is assigned to a run while it is recorded: a name, a group, a note and tags change it; the rest is told."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import RecordingError
from otel_experiments.record.base import notices


@pytest.fixture(autouse=True)
def unsaid(monkeypatch):
    """Have each test hear what is said once a process."""
    monkeypatch.setattr(notices, "_said", set())


def test_a_name_a_group_a_note_and_tags_that_are_assigned_change_the_run(forgiving):
    """As in wandb, `run.name = ...` and its like are stored at once, and the run says them, too."""
    run = ox.init("p", name="first", group="old", notes="first try", tags=["a"], job_type="train")
    assert (run.name, run.group, run.notes, run.tags) == (
        "first", "old", "first try", {"a": "", "job_type": "train"},
    )  # fmt: skip
    run.name, run.group, run.notes = "best", "sweep", "**the one**"
    run.tags = ["b"]
    run.tags += ("c",)
    run.tags["team"] = "vision"

    stored = ox.run(run.id)
    assert (stored.name, stored.group, stored.note) == ("best", "sweep", "**the one**")
    assert stored.tags == run.tags == {"b": "", "c": "", "job_type": "train", "team": "vision"}
    assert (run.name, run.group, run.note) == ("best", "sweep", "**the one**")
    ox.finish()
    assert [one.id for one in ox.runs('name == "best" and group == "sweep" and tags.b == ""')] == [run.id]
    assert ox.run("best").losses == []


def test_an_assigned_mapping_replaces_all_tags_and_none_removes_what_was_there(forgiving):
    """A mapping is exact; an empty group, note and list of names leave none."""
    with ox.start_run("r", group="g", tags={"team": "vision", "draft": ""}) as run:
        run.note = "text"
        run.tags = {"team": "audio"}
        assert ox.run("r").tags == {"team": "audio"}
        run.group, run.note = None, None

    assert (ox.run("r").group, ox.run("r").note) == ("", "")


def test_a_child_is_in_the_group_that_its_parent_was_put_into(forgiving):
    """What is inherited is what the parent has when the child starts."""
    with ox.start_run("parent") as parent:
        parent.group = "g"
        with ox.start_run("child"):
            pass

    assert ox.run("child").group == "g"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("name", "", "name"),
        ("name", None, "name"),
        ("group", 7, "name"),
        ("tags", 7, "tag"),
        ("note", "x" * (1 << 20) + "x", "text cut"),
    ],
)
def test_a_value_that_cannot_be_used_is_counted_and_leaves_the_run_as_it_is(forgiving, name, value, kind):
    """Nothing raises into the training; the run keeps its name, group and tags."""
    with ox.start_run("r", group="g", tags=["a"]) as run:
        setattr(run, name, value)
        assert (run.name, run.group, run.tags) == ("r", "g", {"a": ""})

    stored = ox.run("r")
    assert (stored.name, stored.group, stored.tags) == ("r", "g", {"a": ""})
    assert [one.kind for one in stored.losses] == [kind]


def test_an_attribute_that_runs_do_not_have_is_told_once_with_the_nearest_name(forgiving, caplog):
    """A misspelt one is counted, one of the program's own only told; both stay readable, as on any object."""
    with ox.start_run("r") as run:
        for _ in range(2):
            run.nmae = "best"
            run.fold_of_mine = 3
        assert (run.nmae, run.fold_of_mine) == ("best", 3)

    told = [record.getMessage() for record in caplog.records]
    assert [text for text in told if "run.nmae is not recorded" in text and "Did you mean run.name?" in text]
    assert len([text for text in told if "run.fold_of_mine is not recorded" in text]) == 1
    assert [(one.kind, one.name, one.count) for one in ox.run("r").losses] == [("attribute", "nmae", 2)]


@pytest.mark.parametrize("name", ["id", "state", "experiment", "summary", "refused_count"])
def test_an_attribute_that_stays_as_it_is_says_what_to_use(forgiving, caplog, name):
    """`run.state = "failed"` must not end a training, and must not look as if it had done something."""
    with ox.start_run("r") as run:
        before = getattr(run, name)
        setattr(run, name, "failed")
        assert getattr(run, name) == before

    assert [(one.kind, one.name) for one in ox.run("r").losses] == [("attribute", name)]
    assert f"run.{name} cannot be assigned" in caplog.text


def test_a_misspelt_attribute_raises_where_that_is_asked_for(configure):
    """`on_error="raise"` is for tests of a program's own."""
    configure(on_error="raise")
    with pytest.raises(RecordingError, match=r"Did you mean run\.name\?"), ox.start_run("r") as run:
        run.nmae = "best"


def test_a_method_of_a_run_may_be_replaced_on_the_object(forgiving):
    """A program that wraps `run.log` for itself goes on as it did."""
    with ox.start_run("r") as run:
        record, heard = run.log, []
        run.log = lambda values: (heard.append(values), record(values))
        run.log({"loss": 1.0})

    assert heard == [{"loss": 1.0}]
    assert ox.run("r").losses == []


def test_what_is_assigned_in_a_pause_or_after_the_end_is_refused(forgiving):
    """As points are: counted in a pause, lost after the end."""
    with ox.start_run("r") as run:
        run.pause()
        run.name = "paused"
        run.resume()
    run.note = "late"

    assert run.refused == {"name, group or note": 2}
    assert (ox.run(run.id).name, ox.run(run.id).note) == ("r", "")
    assert [one.kind for one in ox.run(run.id).losses] == ["name, group or note after the end"]


def test_the_note_of_init_does_not_undo_what_was_written_since(forgiving, caplog):
    """The same script goes on with its run: a note that a person has edited stays, and that is told."""
    ox.init("p", id="mine", notes="first try")
    ox.finish()
    ox.init("p", id="mine", resume="allow", notes="first try")
    assert caplog.text == ""
    ox.finish()
    ox.run("latest").set_note("It diverged.")
    run = ox.init("p", id="mine", resume="allow", notes="first try")
    ox.finish()

    assert ox.run(run.id).note == "It diverged."
    assert "init: notes= is not recorded" in caplog.text
