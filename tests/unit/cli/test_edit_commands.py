"""`tag`, `note`, `annotate`, `rename`, `group`, `pin`, `archive`, `rm` and `restore`, as a person types them."""

import json

import pytest

from otel_experiments.model.artifact import ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store import open_store


def a_run(digit, name, **changes):
    """Return a run that has ended; its id is one digit."""
    values = {
        "state": RunState.SUCCEEDED,
        "created_ns": int(digit, 16),
        "started_ns": 1,
        "ended_ns": 2,
        **changes,
    }
    return Run(digit * 32, "digits", name, **values)


@pytest.fixture
def own(terminal, tmp_path):
    """The command line over a store of its own: four runs, two of one name, a parent with a child."""
    path = tmp_path / "own.db"
    runs = [
        a_run("1", "base"), a_run("2", "try"), a_run("3", "try"), a_run("4", "parent"),
        a_run("5", "child", parent_run_id="4" * 32),
    ]  # fmt: skip
    with open_store(path) as store:
        store.apply(WriteBatch(runs=runs, spans=[Span("1" * 32, "a" * 16, "answer", 1, 2, run_id="1" * 32)]))
    return type(terminal)(path)


def listed(terminal, *options):
    """Return the names that `runs` lists."""
    return [run["name"] for run in terminal.json("runs", *options)["runs"]]


def test_tags_are_set_and_removed_by_name_id_and_search(own):
    """A tag without a value is one; a search of several asks, and is refused where nobody can answer."""
    assert own.text("tag", "base", "paper") == "Set paper on 1 run: base (11111111).\n"
    assert own.text("tag", "base", "2222", "team=vision", "-t", "x").startswith(
        "Set team=vision, x on 2 runs"
    )
    refused = own.run("tag", "--where", 'name == "try"', "old")
    assert (refused.exit_code, "Add --yes" in refused.stderr) == (2, True)
    shown = own.json("tag", "--where", 'name == "try"', "old=yes", "--yes")
    assert (shown["action"], shown["count"], shown["tags"]) == ("tag", 2, {"old": "yes"})
    assert listed(own, "--where", 'tags.old == "yes"') == ["try", "try"]
    assert own.text("tag", "base", "paper", "--remove").startswith("Removed paper from 1 run")
    assert "paper" not in own.json("show", "base")["tags"]


def test_a_dry_run_changes_nothing(own):
    """It says what would be done, and needs no answer."""
    assert own.text("tag", "--where", 'name == "try"', "old", "--dry-run").startswith("Would tag 2 runs: try")
    assert own.text("archive", "base", "--dry-run") == "Would archive 1 run: base (11111111).\n"
    assert own.text("rm", "base", "--dry-run") == "Would remove 1 run with 1 span: base (11111111).\n"
    assert len(listed(own)) == 5
    assert own.json("show", "222")["tags"] == {}


def test_a_note_is_written_read_and_added_to(own):
    """From the command line and from stdin; without a text it is shown."""
    assert own.text("note", "base") == "There is no note.\n"
    own.text("note", "base", "# why")
    own.text("note", "base", "more", "--append")
    assert own.text("note", "base") == "# why\n\nmore\n"
    assert own.run("note", "base", "-", typed="from stdin").exit_code == 0
    assert own.json("note", "base")["note"] == "from stdin"
    assert "── note" in own.text("show", "base") or "-- note" in own.text("show", "base")
    assert own.text("note", "base", "").endswith("has no note.\n")
    assert own.run("note", "base", "x", "--edit").exit_code == own.run("note", "base", "-a").exit_code == 2


def test_an_editor_writes_the_note(own, tmp_path):
    """What is saved is the note; an editor that saves nothing leaves it."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "by hand" >> "$1"\n')
    editor.chmod(0o755)
    assert own.run("note", "base", "--edit", EDITOR=str(editor)).exit_code == 0
    assert own.text("note", "base") == "by hand\n"
    assert own.run("note", "base", "--edit", EDITOR="true").stderr == "The note is as it was.\n"


def test_runs_and_spans_are_judged(own):
    """The page of a run shows who judged what; a span is named by the beginning of its id."""
    own.text("annotate", "base", "quality", "0.8", "--comment", "sharp", "--author", "ada")
    text = own.text("annotate", "base", "correct", "--label", "yes", "--span", "aaa", "--author", "ada")
    assert text == "Noted correct of run base (11111111), span answer (aaaaaaaaaaaaaaaa).\n"
    found = own.json("show", "base")["annotations"]
    assert [(one["name"], one["score"], one["label"], one["author"], one["span_id"]) for one in found] == [
        ("quality", 0.8, None, "ada", None),
        ("correct", None, "yes", "ada", "a" * 16),
    ]
    page = own.text("show", "base")
    assert "quality" in page
    assert "of answer" in page
    for listed_by in (["show", "base"], ["spans", "base"], ["spans"], ["spans", "base", "--tree"]):
        (line,) = (
            one for one in own.text(*listed_by).splitlines() if "answer" in one and "of answer" not in one
        )
        assert line.rstrip().endswith("correct yes")
    (span,) = (one for one in own.json("spans") if one["annotations"])
    assert (span["span_id"], span["annotations"][0]["name"]) == ("a" * 16, "correct")
    lines = {one["name"]: one["annotations"] for one in own.json("spans", "base", "--tree")}
    assert [one["label"] for one in lines["answer"]] == ["yes"]
    assert own.json("show", "base")["span_tree"] == own.json("spans", "base", "--tree")
    wrong = own.run("annotate", "base", "x", "1", "--span", "b")
    assert (wrong.exit_code, "0 of its spans" in wrong.stderr) == (2, True)
    assert own.text("annotate", "base", "quality", "--author", "ada").startswith("Took back quality")
    assert len(own.json("annotate", "base", "x", "1")["annotations"]) == 2


def test_a_run_is_renamed_and_grouped(own):
    """The new name is what it is found by; an empty one is refused."""
    assert own.text("rename", "base", "better").startswith("Called 'better' now: 1 run")
    assert listed(own, "--where", 'name == "better"') == ["better"]
    refused = own.run("rename", "better", "")
    assert (refused.exit_code, "cannot be used: it is empty" in refused.stderr) == (2, True)
    own.text("group", "better", "child", "sweep")
    assert listed(own, "--where", 'group == "sweep"') == ["child", "better"]
    assert own.text("group", "better", "").startswith("In no group now")


def test_archived_runs_are_listed_apart_and_come_back(own):
    """`runs` says where they are when none is left."""
    own.text("archive", "--experiment", "digits", "--yes")
    assert "are hidden: otel-experiments runs --archived or --removed" in own.text("runs")
    assert len(listed(own, "--archived")) == 5
    assert own.text("runs", "--removed") == "No run that is removed is stored.\n"
    assert own.run("runs", "--archived", "--removed").exit_code == 2
    own.text("restore", "--where", "exists(archived)", "--yes")
    assert len(listed(own)) == 5
    assert own.run("restore", "--where", "exists(archived)").exit_code == 4


def test_a_name_of_two_runs_is_refused_with_both_ids(own):
    """Whatever changes a run wants to know which."""
    for command in (["rm", "try", "--yes"], ["tag", "try", "x"], ["rename", "try", "x"], ["pin", "try"]):
        refused = own.run(*command)
        assert refused.exit_code == 4
        assert "222222222222 (try)" in refused.stderr
        assert "333333333333 (try)" in refused.stderr
    assert own.run("rm", "--yes").exit_code == 2


def test_rm_asks_says_what_goes_and_how_it_comes_back(own):
    """Without a terminal it needs --yes; a removed run is hidden, listed apart, and restored by its id."""
    refused = own.run("rm", "base")
    assert (refused.exit_code, "Remove 1 run with 1 span: base (11111111)?" in refused.stderr) == (2, True)
    text = own.text("rm", "base", "--yes")
    assert text.startswith("Removed 1 run: base (11111111). In 30 days gc purges them.\n")
    assert "otel-experiments restore 11111111" in text
    assert listed(own, "--removed") == ["base"]
    hidden = own.run("show", "base")
    assert (hidden.exit_code, "was removed, and is hidden" in hidden.stderr) == (4, True)
    assert own.text("restore", "11111111") == "Restored 1 run: base (11111111).\n"
    assert "base" in listed(own)


def test_rm_of_a_parent_asks_about_its_children(own):
    """--children removes them as well, --no-children keeps them; without a word nothing is removed."""
    refused = own.run("rm", "parent", "--yes")
    assert (refused.exit_code, "1 run is a child" in refused.stderr) == (2, True)
    assert own.json("rm", "parent", "--yes", "--children")["count"] == 2
    both = "2 runs: parent (44444444), child (55555555).\n"
    assert own.text("restore", "parent", "--dry-run") == f"Would restore {both}"
    assert own.text("restore", "parent") == f"Restored {both}"
    assert "child" in listed(own)
    own.text("rm", "parent", "--yes", "--no-children")
    assert listed(own, "--removed") == ["parent"]


def test_rm_now_purges(own):
    """What is purged is gone, also from the list of what was removed."""
    own.text("rm", "2222", "--yes")
    assert own.text("rm", "2222", "base", "--now", "--yes").startswith(
        "Removed 2 runs for good, with 1 span: try"
    )
    assert listed(own, "--removed") == []
    assert listed(own) == ["child", "parent", "try"]
    assert own.run("restore", "2222").exit_code == 4


def test_rm_of_a_run_that_is_recorded_is_refused(own):
    """The error names the state; nothing else that was named is removed either."""
    with open_store(own.store) as store:
        store.apply(WriteBatch(runs=[a_run("6", "live", state=RunState.RUNNING, ended_ns=None)]))
    refused = own.run("rm", "base", "live", "--yes")
    assert (refused.exit_code, "cannot be removed: it is running" in refused.stderr) == (2, True)
    assert "base" in listed(own)


def test_gc_purges_by_age_number_and_size(own):
    """It says what goes and what is kept all the same; amounts that are none are refused."""
    own.text("pin", "base")
    assert own.text("gc", "--keep-last", "1", "--dry-run").startswith(
        "Would purge 2 runs with nothing else (about "
    )
    assert "Kept all the same: 1 pinned, 1 that a run which stays is part of" in own.text(
        "gc", "--keep-last", "1", "--dry-run"
    )
    refused = own.run("gc", "--keep-last", "1")
    assert (refused.exit_code, "for good?" in refused.stderr) == (2, True)
    assert own.text("gc", "--runs-older-than", "1d", "--max-size", "1TB", "--dry-run").startswith(
        "No run is purged."
    )
    for option, amount in (
        ("--runs-older-than", "soon"),
        ("--max-size", "20 cups"),
        ("--removed-for", "-1d"),
    ):
        assert own.run("gc", option, amount).exit_code == 2
    assert own.run("gc", "--where", "duration > 1").exit_code == 2
    own.text("rm", "2222", "--yes")
    shown = own.json("gc", "--removed-for", "0s", "--yes")["runs"]
    assert (shown["count"], shown["run_ids"]) == (1, ["2" * 32])
    shown = json.loads(own.run("gc", "--keep-last", "0", "--yes", "--json").stdout)["runs"]
    assert (shown["count"], shown["kept_pinned"]) == (3, 1)
    assert listed(own) == ["base"]


def test_rm_now_names_the_forks_that_lose_their_beginning(own, tmp_path):
    """It says so before anything is purged; what is only hidden loses nothing."""
    fork = {attr.ML_RUN_FORK_RUN_ID: "1" * 32, attr.ML_RUN_FORK_STEP: 3.0}
    with open_store(tmp_path / "own.db") as store:
        store.apply(WriteBatch(runs=[a_run("7", "fork", resource=fork)]))
    assert "fork" not in own.run("rm", "base", "--dry-run").stderr
    refused = own.run("rm", "base", "--now")
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        2,
        "Forks of what is removed lose the beginning of their curves: fork (77777777).",
    )
    assert "base" in listed(own)


def test_a_tag_that_is_taken_for_a_run_is_explained(own):
    """Only the last word is a tag; the option for more of them is named, and no run is changed."""
    refused = own.run("tag", "base", "paper", "team=x")
    assert refused.exit_code == 4
    assert "'paper' is taken for a run. Several tags: -t paper" in refused.stderr
    assert own.json("show", "base")["tags"] == {}
    assert "Several tags" not in own.run("tag", "nothing", "paper").stderr


def test_rm_now_names_the_runs_that_use_artifacts_of_what_goes(own, tmp_path):
    """It says so before it asks; what is only hidden stays an artifact, and who is removed as well is not named."""
    digest = f"sha256:{'d' * 64}"
    with open_store(tmp_path / "own.db") as store:
        logged = [ArtifactLogged("1" * 32, "digits", "model", digest, 1)]
        store.apply(WriteBatch(artifacts=logged, artifact_uses=[ArtifactUsed("2" * 32, digest, 2)]))
    assert "artifacts of" not in own.run("rm", "base", "--dry-run").stderr
    refused = own.run("rm", "base", "--now")
    said = "Other runs use artifacts of what is removed: try (22222222)."
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (2, said)
    assert said not in own.run("rm", "base", "2222", "--now", "--dry-run").stderr


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_purged_run_is_in_no_list_and_cannot_be_named(own, is_shared):
    """Also where its environment stays for another run: commands say that there is no such run, and trees leave it out."""
    if is_shared:
        start = {attr.ML_ENVIRONMENT_RUN_ID: "4" * 32}
        records = [
            LogRecord(1, 1, event_name=ML_RUN_ENVIRONMENT.name, body={"packages": "x"}, run_id="4" * 32),
            LogRecord(2, 2, event_name=ML_RUN_START.name, attributes=start, run_id="5" * 32),
        ]
        with open_store(own.store) as store:
            store.apply(WriteBatch(log_records=records))
    own.text("rm", "parent", "--now", "--no-children", "--yes")
    for command in (["restore"], ["rm", "--now", "--yes"], ["show"], ["tag"]):
        for wanted in ("parent", "4" * 32, "44444"):
            answer = own.run(*command[:1], wanted, *command[1:], *(["x"] if command == ["tag"] else []))
            assert (answer.exit_code, "Bring it back" in answer.output) == (4, False), (command, wanted)
    tree = own.text("runs", "--tree")
    assert ("parent" in tree, "4 of 4 runs" in tree) == (False, True)


def test_a_digit_is_no_id_where_a_run_is_changed(own):
    """What changes a run takes four digits of its id; a run that is called so is changed by its name."""
    for command in (["rm", "3", "--yes"], ["tag", "333", "x"], ["restore", "3"], ["note", "3", "x"]):
        answer = own.run(*command)
        assert (
            answer.exit_code,
            "takes 4 digits of its id, or more. Did you mean '3333" in answer.stderr,
        ) == (
            4,
            True,
        ), command
    assert own.json("show", "3")["name"] == "try"
    own.text("rename", "base", "7")
    assert own.text("rm", "7", "--yes").startswith("Removed 1 run: 7 (11111111).")


def test_a_tree_counts_what_was_asked_for(own):
    """Runs that are listed because others are part of them are counted apart, and removed ones are not listed."""
    assert own.text("runs", "--tree", "--where", 'name == "child"').endswith(
        "1 of 1 run, and 1 that they are part of\n"
    )
    own.text("rm", "parent", "--no-children", "--yes")
    assert own.text("runs", "--tree", "--where", 'name == "child"').endswith("\n1 of 1 run\n")
