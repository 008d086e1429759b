"""A journal whose file somebody deletes: it is written again, once, and only while it is open."""

import shutil

import pytest

from otel_experiments.collect.merge import JournalMerger
from otel_experiments.journal import encode
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store


def run_number(number):
    """Return the record of a run."""
    return encode.encode_run(Run(f"{number:032x}", "e", f"run {number}", RunState.RUNNING, 1, 1))


@pytest.fixture
def directory(tmp_path):
    """Return the folder of a journal."""
    return tmp_path / "journals"


def names_stored(directory):
    """Return the names of the runs that a reader of the folder finds."""
    with open_store(":memory:") as store:
        JournalMerger(store, directory, keeps_segments=True).merge(scope="all")
        return sorted(run.name for run in store.find_runs(RunQuery()))


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_deleted_journal_is_written_again_with_what_it_held(directory, what):
    """What was appended before and after the deletion is found by a reader; the next look finds all in place."""
    writer = JournalWriter(directory)
    writer.append(run_number(1))
    assert writer.keep_place()
    files = sorted(directory.iterdir())
    if what == "folder":
        shutil.rmtree(directory)
    else:
        for path in files:
            path.unlink()

    assert not writer.keep_place()
    writer.append(run_number(2))

    assert writer.keep_place()
    assert names_stored(directory) == ["run 1", "run 2"]
    assert len(list(directory.iterdir())) == 2, "the old file again, and a new one for the appends"
    writer.close()


def test_a_closed_journal_stays_deleted(directory):
    """Whoever deletes what a closed journal left is not contradicted."""
    writer = JournalWriter(directory)
    writer.append(run_number(1))
    writer.close()
    shutil.rmtree(directory)

    assert writer.keep_place()

    assert not directory.exists()
