"""What a reader gets where it may not write the store: a copy in memory with what journals hold."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from otel_experiments.collect import gather
from otel_experiments.collect.gather import gather_journals, read_older, read_whole
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.errors import StoreNotFoundError, StoreReadOnlyError
from otel_experiments.journal import encode
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery
from otel_experiments.store import open_store

OLDER = Path(__file__).parents[2] / "data/store_v1.db"
RUN = Run("ab" * 16, "digits", "mlp", RunState.RUNNING, 5, 5)


@pytest.fixture
def recorded(store_path):
    """Return the path of a store of which only a journal is there yet."""
    writer = JournalWriter(journal_directory(store_path))
    writer.append(encode.encode_run(RUN))
    yield store_path
    writer.close()


def test_journals_alone_make_a_store(recorded):
    """Beside a store that was never made they are read into memory, and stay as they are."""
    before = {path.name: path.read_bytes() for path in journal_directory(recorded).iterdir()}

    store, problems = gather_journals(recorded)

    assert [run.name for run in store.find_runs(RunQuery())] == ["mlp"]
    assert problems == []
    assert not recorded.exists()
    assert {path.name: path.read_bytes() for path in journal_directory(recorded).iterdir()} == before


def test_without_journals_there_is_no_store(store_path):
    """Neither a place without a folder nor one whose folder is a file is taken for an empty store."""
    with pytest.raises(StoreNotFoundError):
        gather_journals(store_path)
    journal_directory(store_path).write_text("no folder")
    with pytest.raises(StoreNotFoundError):
        gather_journals(store_path)


@pytest.mark.parametrize(("room", "is_copied"), [(0, True), (1, True), (-1, False)])
def test_an_older_store_is_copied_up_to_a_size(store_path, monkeypatch, room, is_copied):
    """What fits into the bound is read in memory with all its runs; what is larger has to be upgraded first."""
    shutil.copy(OLDER, store_path)
    monkeypatch.setattr(gather, "MOST_COPIED_BYTES", store_path.stat().st_size + room)
    with open_store(shutil.copy(OLDER, store_path.with_name("upgraded.db"))) as upgraded:
        expected = upgraded.count_runs(RunQuery())
    before = store_path.read_bytes()

    if is_copied:
        store, problems = read_older(store_path)
        assert (store.count_runs(RunQuery()), problems) == (expected, [])
        assert expected > 0
    else:
        with pytest.raises(StoreReadOnlyError, match="be upgraded"):
            read_older(store_path)

    assert store_path.read_bytes() == before


@pytest.fixture
def locked(recorded, monkeypatch):
    """Return an open store with a run, whose journal holds another, and that takes nothing now."""
    monkeypatch.setattr(gather, "_LOCK_WAIT_S", 0.05)
    store = open_store(recorded)
    store.apply(WriteBatch(runs=(replace(RUN, run_id="cd" * 16, name="earlier"),)))
    lock = sqlite3.connect(recorded, isolation_level=None)
    lock.execute("begin immediate")
    yield store, lock
    lock.close()
    store.close()


def names_in(store):
    """Return the names of the runs in a store."""
    return sorted(run.name for run in store.find_runs(RunQuery()))


def test_a_store_without_journals_is_whole_as_it_is(store_path):
    """Nothing is copied and nothing is said where no journal waits."""
    with open_store(store_path) as store:
        assert read_whole(store) == (store, [])


def test_journals_are_merged_into_the_store_that_takes_them(recorded):
    """What is open for reading gets what the journals hold, and they are gone from the folder in time."""
    with open_store(recorded) as store:
        found, notes = read_whole(store)

        assert (found, notes) == (store, [])
        assert names_in(store) == ["mlp"]


@pytest.mark.parametrize("room", [0, 1])
def test_a_store_that_takes_nothing_is_read_beside_its_journals(locked, monkeypatch, room):
    """A copy in memory has the store's runs and the journals'; the store itself stays open and as it was."""
    store, _ = locked
    monkeypatch.setattr(gather, "MOST_COPIED_BYTES", Path(store.location).stat().st_size + room)

    found, notes = read_whole(store)

    assert names_in(found) == ["earlier", "mlp"]
    assert notes == []
    assert names_in(store) == ["earlier"]
    found.close()


def test_a_store_too_large_to_be_copied_says_what_it_lacks(locked, monkeypatch):
    """The store is read as it is, and a text says how much is missing, why, and why no copy was made."""
    store, lock = locked
    size_bytes = Path(store.location).stat().st_size
    monkeypatch.setattr(gather, "MOST_COPIED_BYTES", size_bytes - 1)

    found, (note,) = read_whole(store)

    assert found is store
    assert names_in(found) == ["earlier"]
    assert note.startswith(f"What is read from {store.location!r} is not whole: ")
    assert f"They could not be gathered in memory either: {size_bytes} bytes are too many" in note
    lock.execute("rollback")
    assert read_whole(store) == (store, [])
    assert names_in(store) == ["earlier", "mlp"]


def test_versions_that_only_journals_hold_are_numbered_by_time_after_those_that_are_stored(locked):
    """Where the store takes nothing, its own versions keep their numbers, and later ones follow by when they were logged."""
    store, lock = locked

    def logged(text, time_ns):
        return ArtifactLogged("ab" * 16, "digits", "model", f"sha256:{text * 64}", time_ns)

    lock.execute("rollback")
    store.apply(WriteBatch(artifacts=[logged("a", 50)]))
    lock.execute("begin immediate")
    writer = JournalWriter(journal_directory(Path(store.location)))
    for one in (logged("c", 30), logged("b", 20), logged("a", 50)):
        writer.append(encode.encode_artifact(one))

    found, notes = read_whole(store)
    writer.close()

    versions = {one.logged.digest[7]: one.version for one in found.artifacts(ArtifactQuery())}
    assert (versions, notes) == ({"a": 0, "b": 1, "c": 2}, [])
    left = found.sql("select name from sqlite_temp_master where name not like 'span_change%'")[1]
    assert left == []
    found.close()
