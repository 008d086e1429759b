"""What `gc` may purge: what it showed and nobody wants by now, removed runs first, and by when a run last ended."""

import time

import pytest

import otel_experiments as ox
from otel_experiments._retention import Retention, apply_retention, plan_retention
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import TagSet, WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.semconv import attributes as attr
from otel_experiments.store import open_store

DAY_NS = 24 * 3600 * 10**9
GB = 10**9


def run_id(number):
    """Return the id of a run that these tests make."""
    return f"{number:032x}"


def a_run(number, *, age_days, ended_days=None, **changes):
    """Return a run that was made so many days ago, and ended then or later."""
    now_ns = time.time_ns()
    made_ns = now_ns - int(age_days * DAY_NS)
    ended_ns = made_ns + 5 if ended_days is None else now_ns - int(ended_days * DAY_NS)
    values = {"state": RunState.SUCCEEDED, "started_ns": made_ns, "ended_ns": ended_ns, **changes}
    return Run(run_id(number), "digits", f"r{number}", created_ns=made_ns, **values)


def store_of(path, runs, sizes=None):
    """Make a store of these runs, each with an artifact of as many bytes as `sizes` says."""
    logged = [
        ArtifactLogged(run_id(n), "digits", "model", f"sha256:{n:064x}", 1, size_bytes=size)
        for n, size in (sizes or {}).items()
    ]
    with open_store(path) as store:
        store.apply(WriteBatch(runs=runs, artifacts=logged))
    return StoreLocation.parse(str(path))


def names(path):
    """Return the names of all runs that are there, by name."""
    with ox.open(path) as reader:
        return sorted(run.name for run in reader.runs(visibility="present"))


@pytest.fixture
def path(tmp_path):
    """Where the store is."""
    return tmp_path / "experiments.db"


def test_removed_runs_go_first_where_a_size_is_asked_for(path):
    """What somebody removed yesterday goes before a run that is wanted, and a pinned one stays."""
    where = store_of(path, [a_run(n, age_days=9 - n) for n in (1, 2, 3)], {1: GB, 2: 5 * GB, 3: GB})
    ox.run("r2", store=path).delete()
    most = Retention(max_bytes=4 * GB)
    assert [run.name for run in plan_retention(where, most).runs] == ["r2"]
    with ox.open(path) as reader:
        reader.only_run(run_id(2), with_removed=True).pin()
    plan = plan_retention(where, most)
    assert ([run.name for run in plan.runs], plan.pinned_count) == (["r1", "r3"], 1)
    with ox.open(path) as reader:
        reader.only_run(run_id(2), with_removed=True).unpin()
    assert [run.name for run in apply_retention(where, most).runs] == ["r2"]
    assert names(path) == ["r1", "r3"]


def test_the_answer_purges_what_the_question_named(path):
    """Runs that ended meanwhile are not purged; the next question names them."""
    where = store_of(path, [a_run(n, age_days=9 - n) for n in (1, 2, 3)])
    keep = Retention(keep_last=2)
    shown = plan_retention(where, keep)
    store_of(path, [a_run(n, age_days=9 - n) for n in (4, 5)])
    assert [run.name for run in apply_retention(where, keep, shown=shown).runs] == ["r1"]
    assert names(path) == ["r2", "r3", "r4", "r5"]


def test_the_answer_spares_what_is_wanted_by_now(path):
    """A run that was pinned, restored or resumed after the question stays."""
    where = store_of(path, [a_run(n, age_days=50 - n) for n in (1, 2, 3, 4)])
    ox.run("r2", store=path).delete()
    rule = Retention(removed_days=0, older_than_s=40 * 86_400)
    shown = plan_retention(where, rule)
    assert sorted(run.name for run in shown.runs) == ["r1", "r2", "r3", "r4"]
    ox.run("r1", store=path).pin()
    with ox.open(path) as reader:
        reader.only_run(run_id(2), with_removed=True).restore()
        reader.only_run(run_id(2)).pin()
    store_of(path, [a_run(3, age_days=47, ended_days=0.1, attempt=2)])
    done = apply_retention(where, rule, shown=shown)
    assert ([run.name for run in done.runs], done.pinned_count) == (["r4"], 2)
    assert names(path) == ["r1", "r2", "r3"]


def test_the_age_of_a_run_is_that_of_its_last_end(path):
    """A run of last year that was resumed yesterday is not old, and goes last where a size is asked for."""
    runs = [a_run(1, age_days=91, ended_days=1, attempt=2), a_run(2, age_days=90.5), a_run(3, age_days=2)]
    where = store_of(path, runs)
    found = plan_retention(where, Retention(older_than_s=90 * 86_400)).runs
    assert [run.name for run in found] == ["r2"]
    assert [run.name for run in plan_retention(where, Retention(max_bytes=1)).runs] == ["r2", "r3", "r1"]


def fork_of(number, source, **how):
    """Return a run that is a fork of another."""
    fork = {attr.ML_RUN_FORK_RUN_ID: run_id(source), attr.ML_RUN_FORK_STEP: 30.0}
    return a_run(number, resource=fork, **how)


def test_a_run_stays_as_long_as_a_fork_of_it(path):
    """Its curve begins there; a chain of forks goes when the last of them does, and a removed source waits, too."""
    runs = [a_run(1, age_days=9), fork_of(2, 1, age_days=8), fork_of(3, 2, age_days=7), a_run(4, age_days=6)]
    where = store_of(path, runs)
    ox.run("r3", store=path).pin()
    ox.run("r1", store=path).delete()
    rule = Retention(keep_last=0, removed_days=0)
    plan = apply_retention(where, rule)
    assert ([run.name for run in plan.runs], plan.source_count, plan.pinned_count) == (["r4"], 2, 1)
    ox.run("r3", store=path).unpin()
    assert sorted(run.name for run in apply_retention(where, rule).runs) == ["r1", "r2", "r3"]


def test_a_tag_of_a_clock_that_is_ahead_is_edited_and_removed(path):
    """What a person says last counts, as with names and notes."""
    store_of(path, [a_run(1, age_days=1)])
    ahead_ns = time.time_ns() + 300 * 10**9
    with open_store(path) as store:
        store.apply(WriteBatch(tags=[TagSet(run_id(1), "team", "ahead", ahead_ns)]))
    run = ox.run("r1", store=path)
    run.set_tags({"team": "edited", "x": "1"})
    assert run.tags == {"team": "edited", "x": "1"}
    run.remove_tags("team")
    assert ox.run("r1", store=path).tags == {"x": "1"}
    run.set_tags({"team": "again"})
    assert ox.run("r1", store=path).tags == {"team": "again", "x": "1"}


def test_a_parent_and_its_children_stay_together(path):
    """A sweep is not purged in part: what stays of it keeps the rest, and it goes as one."""
    sweep = [
        a_run(1, age_days=9),
        *(a_run(n, age_days=9 - n / 10, parent_run_id=run_id(1)) for n in (2, 3)),
        a_run(4, age_days=8.5, parent_run_id=run_id(3)),
    ]
    where = store_of(path, [*sweep, a_run(5, age_days=5)])
    for count in (2, 3, 4):
        plan = plan_retention(where, Retention(keep_last=count))
        assert (plan.runs, plan.family_count) == ([], 5 - count)
    assert len(plan_retention(where, Retention(keep_last=1)).runs) == 4

    trials = Retention(keep_last=0, where='parent == "r1"')
    assert (
        [run.name for run in plan_retention(where, trials).runs],
        plan_retention(where, trials).family_count,
    ) == ([], 2)
    ox.run("r4", store=path).delete()
    assert [run.name for run in plan_retention(where, trials).runs] == ["r2", "r3"]
    assert [
        run.name for run in plan_retention(where, Retention(keep_last=0, where='name == "r1"')).runs
    ] == []
