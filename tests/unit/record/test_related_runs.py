"""Runs that are part of another run: what they take from it, and how each leads to the other."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, RunNotFoundError


def test_a_run_inside_of_another_is_its_child_and_of_its_experiment(recording):
    """Without a word on it, a trial is of the experiment and group of its sweep."""
    with ox.start_run("outer", experiment="digits", group="monday", tags=["a"]), ox.start_run("inner"):
        pass

    inner = ox.run("inner")
    assert (inner.experiment, inner.group, inner.tags) == ("digits", "monday", {})
    assert (inner.parent.name, inner.parent_id) == ("outer", ox.run("outer").id)


def test_what_a_child_is_given_itself_stays(recording):
    """An experiment or group of its own wins over the parent's."""
    with ox.start_run("outer", experiment="digits", group="monday"):
        ox.start_run("inner", experiment="letters", group="tuesday").finish()

    assert (ox.run("inner").experiment, ox.run("inner").group) == ("letters", "tuesday")


@pytest.mark.parametrize("given", ["run", "view", "id", "name"])
def test_the_parent_may_be_any_run(recording, given):
    """A run that has ended, one that was read, an id and a name are taken as the parent."""
    parent = ox.start_run("outer", experiment="digits")
    parent.finish()
    told = {"run": parent, "view": ox.run("outer"), "id": parent.id, "name": "outer"}[given]
    ox.start_run("inner", parent=told).finish()

    assert (ox.run("inner").parent_id, ox.run("inner").experiment) == (parent.id, "digits")


def test_a_run_may_have_no_parent_inside_of_another(recording):
    """parent=False makes a run that is part of none."""
    with ox.start_run("outer", experiment="digits"):
        ox.start_run("inner", parent=False).finish()

    assert (ox.run("inner").parent_id, ox.run("inner").parent) == (None, None)
    assert ox.run("inner").experiment != "digits"


def test_a_parent_that_is_no_run_is_refused(recording):
    """The error says what was given and what can be."""
    with pytest.raises(
        ConfigurationError, match=r"parent=3 is of type int, not a run\.\n  Pass what start_run"
    ):
        ox.start_run(parent=3)
    with pytest.raises(RunNotFoundError):
        ox.start_run(parent="nowhere")
    assert ox.runs() == []


def test_a_run_knows_its_children_oldest_first(recording):
    """`children` lists what is part of a run, and nothing of others."""
    with ox.start_run("outer"):
        for number in range(3):
            ox.start_run(f"inner-{number}").finish()
    ox.start_run("other").finish()

    assert [run.name for run in ox.run("outer").children] == ["inner-0", "inner-1", "inner-2"]
    assert ox.run("inner-0").children == ox.run("other").children == []


def test_a_parent_that_is_not_stored_is_none_and_its_id_stays(recording):
    """A child whose parent was recorded elsewhere says which run that is."""
    ox.start_run("outer").finish()
    ox.start_run("inner", parent=ox.run("outer")).finish()
    recorded = ox.run("inner").record
    from dataclasses import replace

    from otel_experiments.model.batch import WriteBatch
    from otel_experiments.store import open_store

    with open_store("memory://") as store:
        store.apply(WriteBatch(runs=[replace(recorded, resource={})]))
        from otel_experiments.query import Reader

        inner = Reader(store).run("inner")
        assert (inner.parent, inner.parent_id) == (None, recorded.parent_run_id)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ('parent == "outer"', ["inner-1", "inner-0"]),
        ('parent != "outer"', ["leaf"]),
        ('parent in ("outer", "inner-0")', ["leaf", "inner-1", "inner-0"]),
        ('parent not in ("outer", "inner-0")', []),
        ('parent == "nowhere"', []),
        ('parent != "nowhere"', ["leaf", "inner-1", "inner-0"]),
        ('not parent == "outer" and exists(parent)', ["leaf"]),
        ('parent == "outer" or name == "leaf"', ["leaf", "inner-1", "inner-0"]),
        ('parent_run_id == "inner-0"', ["leaf"]),
    ],
)
def test_runs_are_searched_by_their_parent(recording, where, names):
    """A search names the parent as people do: by name, or an id."""
    with ox.start_run("outer"):
        with ox.start_run("inner-0"):
            ox.start_run("leaf").finish()
        ox.start_run("inner-1").finish()

    assert sorted(run.name for run in ox.runs(where)) == sorted(names)


def test_the_beginning_of_an_id_names_a_parent(recording):
    """The eight digits that tables show are enough."""
    with ox.start_run("outer") as outer:
        ox.start_run("inner").finish()

    assert [run.name for run in ox.runs(f'parent == "{outer.id[:8]}"')] == ["inner"]


def test_a_run_that_is_resumed_inside_of_another_stays_part_of_what_it_was(recording):
    """Where no parent is given, a run that goes on gets none from the place where it does."""
    ox.start_run("alone", key="a").finish()
    with ox.start_run("outer"):
        ox.start_run("inner", key="b").finish()
    with ox.start_run("other"):
        ox.start_run(resume="alone").finish()
        ox.start_run(key="a").finish()
        ox.start_run(key="b").finish()

    assert ox.run("alone").parent is None
    assert ox.run("inner").parent.name == "outer"


def test_a_parent_that_is_given_to_a_run_that_goes_on_is_its_parent(recording):
    """What is given wins over what was before."""
    ox.start_run("outer").finish()
    ox.start_run("inner").finish()
    ox.start_run(resume="inner", parent="outer").finish()

    assert ox.run("inner").parent.name == "outer"


@pytest.mark.parametrize("above", ["child", "grandchild"])
def test_a_run_cannot_be_part_of_what_is_part_of_it(recording, above):
    """The error names both runs, and the run is not begun again."""
    with ox.start_run("run"), ox.start_run("child"):
        ox.start_run("grandchild").finish()
    with pytest.raises(ConfigurationError, match=r"for run .{8} \('run'\): that one is itself part of this"):
        ox.start_run(resume="run", parent=above)
    with ox.start_run("other", parent=above) as other, pytest.raises(ConfigurationError, match="is itself"):
        ox.start_run(resume="run", parent=other)

    assert (ox.run("run").parent, len(ox.run("run").attempts)) == (None, 1)


def test_runs_that_are_each_others_parents_are_in_the_tree(recording):
    """Telemetry of other programs may go in a circle: each run of it is listed once."""
    from dataclasses import replace

    from otel_experiments.cli.run_tree import in_tree_order
    from otel_experiments.model.batch import WriteBatch
    from otel_experiments.query import Reader
    from otel_experiments.store import open_store

    ox.start_run("one").finish()
    one = ox.run("one").record
    with open_store("memory://") as store:
        parents = {"1" * 32: "2" * 32, "2" * 32: "1" * 32, "3" * 32: "2" * 32, "4" * 32: None}
        rows = [replace(one, run_id=key, name=key[0], parent_run_id=of) for key, of in parents.items()]
        store.apply(WriteBatch(runs=[replace(row, resource={}) for row in rows]))
        tree = in_tree_order(Reader(store).runs())

        assert sorted(run.name for _, run in tree) == ["1", "2", "3", "4"]
        assert {run.name: depth for depth, run in tree}["4"] == 0


def test_runs_are_listed_as_a_tree(recording, tmp_path):
    """With --tree each run is below the one that it is part of, which is listed also where it does not match."""
    from click.testing import CliRunner

    from otel_experiments.cli.root import root

    with ox.start_run("outer"):
        with ox.start_run("inner-0"):
            ox.start_run("leaf").finish()
        ox.start_run("inner-1").finish()
    ox.start_run("other").finish()
    ox.shutdown()
    answer = CliRunner().invoke(
        root,
        ["runs", "--tree", "--store", str(tmp_path / "experiments.db")],
        prog_name="otel-experiments",
        env={"COLUMNS": "200"},
    )

    names = [line.split("  ", 2)[1:] for line in answer.output.splitlines() if "succeeded" in line]
    shown = [
        line[line.index("succeeded") + 9 :] for line in answer.output.splitlines() if "succeeded" in line
    ]
    depths = {text.split()[0]: len(text) - len(text.lstrip()) for text in shown}
    assert list(depths) == ["other", "outer", "inner-1", "inner-0", "leaf"], names
    base = depths["outer"]
    assert {name: depth - base for name, depth in depths.items()} == {
        "other": 0, "outer": 0, "inner-1": 2, "inner-0": 2, "leaf": 4,
    }  # fmt: skip

    answer = CliRunner().invoke(
        root,
        ["runs", "--tree", "--where", 'name == "leaf"', "--store", str(tmp_path / "experiments.db")],
        prog_name="otel-experiments",
        env={"COLUMNS": "200"},
    )
    assert [name in answer.output for name in ("outer", "inner-0", "leaf", "inner-1", "other")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_show_tells_attempts_and_forks(recording, tmp_path):
    """A page of a run says which attempt it is in, how the earlier ended, and what it is a fork of."""
    import json

    from click.testing import CliRunner

    from otel_experiments.cli.root import root

    run = ox.start_run("base")
    run.log({"loss": 1.0}, step=5)
    run.finish("failed", reason="no disk")
    ox.start_run(resume=run.id, rewind_to=3).finish()
    with ox.fork("base", step=2, name="forked"):
        ox.start_run("part").finish()
    ox.shutdown()

    def show(name, *flags):
        return (
            CliRunner()
            .invoke(
                root,
                ["show", name, *flags, "--store", str(tmp_path / "experiments.db")],
                prog_name="otel-experiments",
                env={"COLUMNS": "200"},
            )
            .output
        )

    page = show("base")
    assert "attempt 1 failed: no disk" in page
    assert "attempt 2, from step 3; the time is that of all attempts" in page
    assert f"fork of run {run.id} (base) at step 2" in show("forked")
    plain = json.loads(show("base", "--json"))
    assert [(one["number"], one["state"], one["rewound_to"]) for one in plain["attempts"]] == [
        (1, "failed", None), (2, "succeeded", 3.0),
    ]  # fmt: skip
    forked = json.loads(show("forked", "--json"))
    assert forked["forked_from"] == {"run_id": run.id, "step": 2.0}
    assert len(forked["children"]) == 1
    assert plain["forked_from"] is None
