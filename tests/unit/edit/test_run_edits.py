"""Stored runs are edited from Python: one or many, beside recording processes, and what cannot be is refused."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments._retention import Retention, apply_retention, plan_retention, shrink_store
from otel_experiments.errors import (
    AmbiguousRunError,
    BundleReadOnlyError,
    ConfigurationError,
    InvalidNameError,
    NewerSchemaError,
    RunEditError,
    RunNotFoundError,
    RunRemovedError,
    StoreLockedError,
    StoreReadOnlyError,
)
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

DAY_NS = 24 * 3600 * 10**9


def run_id(number):
    """Return the id of a run that these tests make."""
    return f"{number:032x}"


def a_run(number, name="", *, age_days=0, **changes):
    """Return a run that ended, made so many days ago."""
    made_ns = time.time_ns() - int(age_days * DAY_NS) - 10**9
    values = {"state": RunState.SUCCEEDED, "started_ns": made_ns, "ended_ns": made_ns + 5}
    return Run(run_id(number), "digits", name or f"r{number}", created_ns=made_ns, **{**values, **changes})


@pytest.fixture
def path(tmp_path):
    """A store with five runs, two of which are called twice, and a parent with a child."""
    path = tmp_path / "experiments.db"
    runs = [
        a_run(1, "base", age_days=5),
        a_run(2, "try", age_days=4),
        a_run(3, "try", age_days=3),
        a_run(4, "parent", age_days=2),
        a_run(5, "child", age_days=1, parent_run_id=run_id(4)),
    ]
    with open_store(path) as store:
        store.apply(
            WriteBatch(runs=runs, params=[ParamSet(run.run_id, "n", i, 1) for i, run in enumerate(runs)])
        )
        store.apply(WriteBatch(spans=[Span(run_id(1), "1" * 16, "answer", 1, 2, run_id=run_id(1))]))
    return path


def names(path, where=None, **how):
    """Return the names of the runs that are found, newest first."""
    with ox.open(path) as reader:
        return [run.name for run in reader.runs(where, **how)]


def test_what_is_edited_is_shown_at_once_and_read_by_others(path):
    """The view that edits has the new values, and so has who opens the store."""
    run = ox.run("base", store=path)
    run.rename("better")
    run.add_tags("paper", team="vision")
    run.set_note("# why")
    run.set_group("g")
    run.pin()
    run.archive()
    for view in (run, ox.run(run.id, store=path)):
        assert (view.name, view.note, view.group) == ("better", "# why", "g")
        assert view.tags == {"paper": "", "team": "vision"}
        assert (view.is_pinned, view.is_archived, view.is_removed) == (True, True, False)
    run.remove_tags("paper", "none")
    run.set_tags({"team": None, "n": 3})
    run.unpin()
    run.restore()
    assert (run.tags, run.is_pinned, run.is_archived) == ({"n": "3"}, False, False)
    run.set_note("")
    assert ox.run("better", store=path).note == ""


def test_a_list_of_runs_is_edited_at_once(path):
    """Each view of the list shows it; a list without runs changes nothing."""
    runs = ox.runs('name == "try"', store=path)
    runs.add_tags("old")
    runs.set_group("tries")
    assert [(run.tags, run.group) for run in runs] == [({"old": ""}, "tries")] * 2
    runs.archive()
    assert names(path) == ["child", "parent", "base"]
    assert names(path, "exists(archived)") == ["try", "try"]
    runs.restore()
    ox.runs('name == "none"', store=path).delete()
    assert len(names(path)) == 5


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 1001, None])
def test_a_name_that_no_run_can_have_is_refused(path, name):
    """The error says why, and the run is called as before."""
    run = ox.run("base", store=path)
    with pytest.raises(InvalidNameError, match="run name"):
        run.rename(name)
    assert run.name == "base"
    with pytest.raises(InvalidNameError, match="tag"):
        run.add_tags("")


def test_a_note_that_is_too_long_is_refused(path):
    """A note is text for people; the error says where long texts go."""
    with pytest.raises(RunEditError, match="artifact"):
        ox.run("base", store=path).set_note("x" * (1 << 21))


def test_a_judgement_is_replaced_by_its_author_and_taken_back(path):
    """Of each author the latest of a name counts; one without content is none any more; spans have theirs."""
    run = ox.run("base", store=path)
    (span,) = run.spans
    run.annotate("quality", 0.5, author="ada")
    run.annotate("quality", 0.8, comment="sharp", author="ada")
    run.annotate("quality", label="good", author="bob")
    run.annotate("correct", True, author="ada", span=span)
    found = ox.run("base", store=path).annotations
    assert [(one.name, one.score, one.label, one.comment, one.author, one.span_id) for one in found] == [
        ("quality", 0.8, "", "sharp", "ada", ""),
        ("quality", None, "good", "", "bob", ""),
        ("correct", 1.0, "", "", "ada", span.span_id),
    ]
    run.annotate("quality", author="bob")
    assert len(run.annotations) == 2
    with pytest.raises(InvalidNameError, match="annotation"):
        run.annotate("")


def test_a_removed_run_is_found_nowhere_and_comes_back(path):
    """Lists, names, ids and experiments do without it; its error says how it is restored."""
    run = ox.run("base", store=path)
    run.delete()
    assert run.is_removed
    assert "base" not in names(path)
    assert names(path, visibility="removed") == ["base"]
    for wanted in ("base", run.id):
        with pytest.raises(RunRemovedError, match="otel-experiments restore"):
            ox.run(wanted, store=path)
    with ox.open(path) as reader:
        assert list(reader.spans) == []
        assert reader.experiments()[0].run_count == 4
        reader.only_run("base", with_removed=True).restore()
    assert ox.run("base", store=path).id == run.id


def test_a_purged_run_is_gone(path):
    """`now` leaves nothing of it, and no way back."""
    run = ox.run("base", store=path)
    run.delete(now=True)
    with pytest.raises(RunNotFoundError):
        ox.run(run.id, store=path)
    assert names(path, visibility="all") == ["child", "parent", "try", "try"]


def test_of_a_parent_it_has_to_be_said_what_becomes_of_its_children(path):
    """Nothing is removed before that; both answers do what they say."""
    parent = ox.run("parent", store=path)
    with pytest.raises(RunEditError, match="1 child run"):
        parent.delete()
    parent.delete(children=False)
    assert names(path) == ["child", "try", "try", "base"]
    parent.restore()
    parent.delete(children=True)
    assert names(path) == ["try", "try", "base"]


def test_children_come_back_with_the_parent_that_they_were_removed_with(path):
    """However deep they are; one that was removed by itself before stays removed, and one that was archived stays archived."""
    with open_store(path) as store:
        deeper = [a_run(6, "leaf", parent_run_id=run_id(5)), a_run(7, "bad", parent_run_id=run_id(4))]
        store.apply(WriteBatch(runs=deeper))
    ox.run("bad", store=path).delete()
    ox.run("leaf", store=path).archive()
    parent = ox.run("parent", store=path)
    parent.delete(children=True)
    parent.restore()
    assert sorted(names(path)) == ["base", "child", "parent", "try", "try"]
    assert (names(path, visibility="removed"), names(path, visibility="archived")) == (["bad"], ["leaf"])


def test_names_mean_the_newest_run_and_changes_need_a_unique_one(path):
    """`try` and `try~1` are read; `only_run`, by which changes go, refuses; archived runs come last."""
    assert ox.run("try", store=path).id == run_id(3)
    assert ox.run("try~1", store=path).id == run_id(2)
    assert ox.run("latest", store=path).name == "child"
    with ox.open(path) as reader, pytest.raises(AmbiguousRunError, match="names 2 runs"):
        reader.only_run("try")
    ox.run("try", store=path).archive()
    assert ox.run("try", store=path).id == run_id(2)
    ox.runs('name == "try"', store=path).archive()
    assert ox.run("try", store=path).id == run_id(3)


TRAIN = """
import sys, time
import otel_experiments as ox
ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False)
with ox.start_run("live", experiment="digits") as run:
    run.log({"loss": 1.0}, step=0)
    run.flush()
    print(run.id, flush=True)
    sys.stdin.readline()
    run.log({"loss": 0.5}, step=1)
ox.shutdown()
"""


def test_a_training_goes_on_beside_edits_and_undoes_none(path):
    """Its run is renamed, tagged and archived while it is recorded, but not removed; its points are all there."""
    with subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as training:
        live = training.stdout.readline().strip()
        run = ox.run(live, store=path)
        run.rename("renamed")
        run.add_tags("seen")
        run.archive()
        with pytest.raises(RunEditError, match=f"process {training.pid} on"):
            run.delete()
        with pytest.raises(RunEditError, match="running"):
            run.delete(now=True)
        ox.run("base", store=path).delete(now=True)
        training.communicate("\n", timeout=120)
    assert training.returncode == 0
    run = ox.run(live, store=path)
    assert (run.name, run.tags, run.is_archived, str(run.state)) == (
        "renamed",
        {"seen": ""},
        True,
        "succeeded",
    )
    assert list(run.metrics["loss"].points().values) == [1.0, 0.5]


def test_two_processes_that_edit_the_same_run_end_with_one_truth(path):
    """Each field is that of one of them, and each tag that either set is there."""
    code = """
import sys
import otel_experiments as ox
run = ox.run("base", store=sys.argv[1])
run = ox.run(run.id, store=sys.argv[1])
for i in range(20):
    run.set_group(f"{sys.argv[2]}-{i}")
    run.set_tags({f"{sys.argv[2]}{i}": i})
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), who]) for who in ("a", "b")]
    assert [one.wait(timeout=120) for one in processes] == [0, 0]
    run = ox.run("base", store=path)
    assert run.group in {"a-19", "b-19"}
    assert len(run.tags) == 40


def test_a_process_that_is_killed_while_it_purges_leaves_each_run_whole_or_gone(tmp_path):
    """No row is without the run that it belongs to, and purging again finishes it."""
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        for number in range(300):
            batch = WriteBatch(
                runs=[a_run(number + 1)], params=[ParamSet(run_id(number + 1), "n", number, 1)]
            )
            batch.spans = [
                Span(run_id(number + 1), f"{i:016x}", "s", 1, 2, run_id=run_id(number + 1))
                for i in range(1, 4)
            ]
            store.apply(batch)
    code = """
import os, signal, sys
import otel_experiments as ox
from otel_experiments.edit.runs import RunEditor
from otel_experiments.store import open_store
with ox.open(sys.argv[1]) as reader, open_store(sys.argv[1]) as store:
    ids = [run.id for run in reader.runs()]
    RunEditor(store).purge(ids, on_progress=lambda done: done < 100 or os.kill(os.getpid(), signal.SIGKILL))
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    left = ox.runs(store=path)
    assert 0 < len(left) < 300
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        assert connection.execute("select count(*) from spans").fetchone() == (3 * len(left),)
    left.delete(now=True)
    assert names(path) == []


def test_stores_that_take_nothing_say_so_and_stay_as_they_are(path, tmp_path):
    """A bundle, a store of a newer schema, one that is locked or may only be read: each error names what it is."""
    bundle = tmp_path / "runs.oxb"
    ox.bundle("base", bundle, store=path)
    with pytest.raises(BundleReadOnlyError):
        ox.run("base", store=bundle).rename("x")

    with closing(sqlite3.connect(path)) as holder:
        holder.execute("begin immediate")
        with pytest.raises(StoreLockedError):
            ox.run("base", store=path).rename("x")
        holder.rollback()

    with ox.open(path) as reader:
        run = reader.run("base")
        with closing(sqlite3.connect(path)) as other:
            version = other.execute("pragma user_version").fetchone()[0]
            other.execute(f"pragma user_version = {version + 1}")
        with pytest.raises(NewerSchemaError):
            run.rename("x")
        with closing(sqlite3.connect(path)) as other:
            other.execute(f"pragma user_version = {version}")
    with open_store(path, read_only=True) as store, pytest.raises(StoreReadOnlyError):
        store.apply(WriteBatch(purges=[RunPurge(run_id(1), 1)]))
    assert ox.run(run_id(1), store=path).name == "base"


def test_a_store_on_a_network_filesystem_is_not_edited(tmp_path):
    """There the journals are the truth, and the error says what to do instead."""
    path = tmp_path / "experiments.db"
    ox.configure(store=path, network_filesystem=True, system_metrics_s=0, capture_git=False)
    with ox.start_run("far"):
        pass
    ox.shutdown()
    with open_reader(path, is_network=True) as reader:
        (run,) = reader.runs()
        with pytest.raises(ConfigurationError, match="network filesystem"):
            run.rename("x")
        assert [run.name for run in reader.runs()] == ["far"]


def test_a_merge_brings_edits_and_marks_along(path, tmp_path):
    """What was edited later counts, on whichever side; a removed run is removed in the other store as well."""
    other = tmp_path / "other.db"
    shutil.copy(path, other)
    ox.run("base", store=path).rename("better")
    ox.run("parent", store=path).delete(children=False)
    ox.run("child", store=other).set_note("kept")
    ox.import_store(path, store=other)
    assert names(other) == ["child", "try", "try", "better"]
    assert ox.run("child", store=other).note == "kept"
    assert names(other, visibility="removed") == ["parent"]


def test_a_purged_run_comes_back_only_where_the_import_is_told_to(path, tmp_path):
    """Without that it is left out, which the report says; with it the whole run is there again."""
    bundle = tmp_path / "all.oxb"
    ox.bundle(None, bundle, store=path)
    ox.run("base", store=path).delete(now=True)
    report = ox.import_store(bundle, store=path)
    assert "base" not in names(path)
    assert (len(report.known_run_ids), report.is_complete) == (4, True)
    assert report.left_out[0].startswith("1 run was left out, 'base' first, since this store has purged it")
    report = ox.import_store(bundle, store=path, restore=True)
    assert (report.new_run_ids, report.left_out) == ([run_id(1)], [])
    run = ox.run("base", store=path)
    assert (len(run.spans), dict(run.params), run.is_removed) == (1, {"n": 0}, False)
    assert ox.import_store(bundle, store=path).left_out == []


def ids_of(plan):
    """Return the numbers of the runs that would be purged."""
    return sorted(int(run.id, 16) for run in plan.runs)


def test_retention_chooses_by_age_number_and_search_and_spares_what_it_must(path):
    """Pinned and recorded runs stay; removed ones go when they were removed long enough ago."""
    where = StoreLocation.parse(str(path))
    assert ids_of(plan_retention(where, Retention())) == []
    assert ids_of(plan_retention(where, Retention(older_than_s=2.5 * 86_400))) == [1, 2, 3]
    assert ids_of(plan_retention(where, Retention(keep_last=2))) == [1, 2, 3]
    assert ids_of(plan_retention(where, Retention(keep_last=4, older_than_s=2.5 * 86_400))) == [1]
    assert ids_of(plan_retention(where, Retention(keep_last=0, where='name == "try"'))) == [2, 3]

    ox.run("base", store=path).pin()
    with open_store(path) as store:
        live = a_run(
            2,
            "try",
            age_days=4,
            state=RunState.RUNNING,
            ended_ns=None,
            heartbeat_ns=time.time_ns(),
            attempt=2,
        )
        store.apply(WriteBatch(runs=[live]))
    plan = plan_retention(where, Retention(keep_last=0))
    assert (ids_of(plan), plan.pinned_count, plan.live_count) == ([3, 4, 5], 1, 1)

    ox.run(run_id(3), store=path).delete()
    assert ids_of(plan_retention(where, Retention())) == []
    assert ids_of(plan_retention(where, Retention(removed_days=0))) == [3]
    assert ids_of(apply_retention(where, Retention(removed_days=0))) == [3]
    assert names(path, visibility="all") == ["child", "parent", "try", "base"]


def test_retention_by_size_purges_the_oldest_until_it_fits(tmp_path):
    """The file and the bytes of artifacts that nothing else uses count; what is purged is given back to the disk."""
    path = tmp_path / "experiments.db"
    digest = f"sha256:{'1' * 64}"
    with open_store(path) as store:
        for number in range(1, 11):
            text = "x" * 100_000
            runs = [a_run(number, age_days=20 - number)]
            store.apply(WriteBatch(runs=runs, params=[ParamSet(run_id(number), "text", text, 1)]))
        logged = [
            ArtifactLogged(run_id(number), "digits", "model", digest, 1, size_bytes=10**9)
            for number in (1, 2)
        ]
        store.apply(WriteBatch(artifacts=logged))
    where = StoreLocation.parse(str(path))
    total = path.stat().st_size
    assert ids_of(plan_retention(where, Retention(max_bytes=2 * 10**9))) == []
    plan = plan_retention(where, Retention(max_bytes=10**9))
    assert (ids_of(plan), plan.artifact_bytes) == ([1, 2], 10**9)
    found = ids_of(plan_retention(where, Retention(max_bytes=total // 2)))
    assert found == list(range(1, len(found) + 1))
    assert 4 <= len(found) <= 6

    apply_retention(where, Retention(max_bytes=total // 2))
    freed, why = shrink_store(where)
    assert (freed > total // 4, why) == (True, "")
    assert path.stat().st_size == total - freed
    assert len(names(path)) == 10 - len(found)
    with pytest.raises(ConfigurationError, match="no size"):
        plan_retention(StoreLocation.parse("memory://"), Retention(max_bytes=1))


def test_a_store_that_is_recorded_into_is_not_written_anew(path):
    """The training is not held up; what was purged is used by new runs."""
    with subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as training:
        training.stdout.readline()
        where = StoreLocation.parse(str(path))
        apply_retention(where, Retention(keep_last=1))
        assert shrink_store(where) == (0, "a process records into it; new runs use the space")
        training.communicate("\n", timeout=120)
    assert training.returncode == 0
    assert names(path) == ["live"]


def test_what_cannot_be_noted_or_judged_says_what_to_pass(path):
    """A note, score or span that cannot be used is an error that names the run; None removes the note."""
    run = ox.run("base", store=path)
    run.set_note("old")
    run.set_note(None)
    assert run.note == ""
    wrong = [
        (lambda: run.set_note(5), "type int"),
        (lambda: run.annotate("q", "text"), "label="),
        (lambda: run.annotate("q", 1.0, span="x"), "type str"),
    ]
    for edit, said in wrong:
        with pytest.raises(RunEditError, match=said):
            edit()
    assert run.annotations == []
