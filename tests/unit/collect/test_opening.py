"""What is said of a store that is opened while others begin or end to record into it."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

import otel_experiments as ox
from otel_experiments.collect.gather import merge_journals
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.merge import JournalMerger
from otel_experiments.collect.opening import open_collected
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

RUN = Run("ab" * 16, "digits", "mlp", RunState.RUNNING, 5, 5)
LOOKS = ("has_segments", "_has_rest", "is_settled")
"""What a reader calls to see whether a file is whole; others may record between any two of them."""


@contextmanager
def at_look(number, act):
    """Act when so many looks of a reader have ended; yield a list of the looks that there were."""
    looks = []

    def profile(frame, event, _):
        if (
            event == "return"
            and frame.f_code.co_name in LOOKS
            and "otel_experiments" in frame.f_code.co_filename
        ):
            looks.append(frame.f_code.co_name)
            if len(looks) == number:
                sys.setprofile(None)
                act()

    sys.setprofile(profile)
    try:
        yield looks
    finally:
        sys.setprofile(None)


def notes_of(path):
    """Return what a reader is told of a store."""
    store, notes = open_collected(StoreLocation.parse(str(path)), unpack=opening_of_nothing)
    store.close()
    return notes


def opening_of_nothing(batch):
    """Refuse to be called: no request was journalled."""
    raise AssertionError(batch)


@pytest.fixture
def settled(store_path):
    """Return the path of a store whose file holds all."""
    with open_store(store_path) as store:
        store.apply(WriteBatch(runs=[RUN]))
    return store_path


@pytest.mark.parametrize("number", range(1, 6))
def test_a_store_that_is_first_written_to_while_it_is_opened_is_no_copy(settled, number):
    """A process that begins to record between any two looks of a reader does not make the reader suspect the file."""
    again = WriteBatch(runs=[replace(RUN, name="again")])
    with open_store(settled) as writer, at_look(number, lambda: writer.apply(again)):
        notes = notes_of(settled)

    assert notes == []


@pytest.mark.parametrize("number", range(1, 6))
def test_a_store_whose_last_writer_ends_while_it_is_opened_is_no_copy(store_path, number):
    """Nor does one that ends then, and takes its mark away."""
    writer = open_store(store_path)
    writer.apply(WriteBatch(runs=[RUN]))
    with at_look(number, writer.close):
        notes = notes_of(store_path)
    writer.close()

    assert notes == []


def test_a_copy_is_still_known_as_one(store_path, tmp_path):
    """The file alone, copied while a process had it open, is one that may lack something."""
    copy = tmp_path / "copy.db"
    with open_store(store_path) as writer:
        writer.apply(WriteBatch(runs=[RUN]))
        shutil.copy(store_path, copy)

    (note,) = notes_of(copy)
    assert "may not be whole: the file was copied" in note


def test_a_store_that_readers_filled_for_its_recorder_is_whole_when_that_ends(store_path):
    """Readers may have stored all that a process recorded; the file holds all when it has let go, and says so."""
    ox.configure(store=store_path, drain_s=3600.0, capture_git=False, system_metrics_s=0.0)
    try:
        with ox.start_run("mine") as run:
            run.log({"loss": 1.0}, step=0)
        path = str(store_path)
        code = "import otel_experiments as ox; import sys; print(len(ox.runs(store=sys.argv[1])))"
        subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, timeout=120)
    finally:
        ox.shutdown()

    assert notes_of(store_path) == []
    with open_store(store_path, read_only=True) as store:
        assert store.is_settled


def test_a_copy_that_is_opened_to_be_written_to_is_still_known_as_one(store_path, tmp_path):
    """Who opens a copy and writes nothing does not make it whole."""
    copy = tmp_path / "copy.db"
    with open_store(store_path) as writer:
        writer.apply(WriteBatch(runs=[RUN]))
        shutil.copy(store_path, copy)
    open_store(copy).close()

    (note,) = notes_of(copy)
    assert "may not be whole: the file was copied" in note


def killed_before_it_was_settled(store_path, path):
    """Leave at `path` what a process leaves that is killed when all is stored, and not yet brought into the one file."""
    with open_store(store_path) as writer:
        writer.apply(WriteBatch(runs=[RUN]))
        writer.apply(WriteBatch(runs=[replace(RUN, name="renamed")]))
        shutil.copy(store_path, path)
        shutil.copy(f"{store_path}-wal", f"{path}-wal")


def test_a_store_that_another_process_opens_after_a_kill_is_no_copy(store_path, tmp_path):
    """Who opens it for writing and finds nothing to write leaves one whole file, as the killed process would have."""
    path = tmp_path / "killed.db"
    killed_before_it_was_settled(store_path, path)
    open_store(path).close()

    assert not path.with_name("killed.db-wal").exists()
    assert notes_of(path) == []
    with open_store(path, read_only=True) as store:
        assert [run.name for run in store.find_runs(RunQuery())] == ["renamed"]


def test_a_store_whose_merge_ends_with_an_error_is_no_copy(store_path, tmp_path, monkeypatch):
    """A merge that is cut off after its last transaction, as by Ctrl-C, leaves one whole file."""
    path = tmp_path / "killed.db"
    killed_before_it_was_settled(store_path, path)
    journal = journal_directory(path)
    journal.mkdir()
    (journal / "rest.oxj").write_bytes(b"")

    def cut(merger, *, scope, deadline_s=None):
        (journal / "rest.oxj").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(JournalMerger, "merge", cut)
    with pytest.raises(KeyboardInterrupt):
        merge_journals(path)
    monkeypatch.undo()

    assert notes_of(path) == []


LOOKS_AT_A_STORE = """
import sys
from otel_experiments.errors import StoreError
from otel_experiments.store import open_store

print("ready", flush=True)
for line in sys.stdin:
    try:
        with open_store(sys.argv[1], read_only=True, create=False, busy_timeout_s=0.0) as store:
            print(len(store.experiments()), flush=True)
    except StoreError as error:
        print(type(error).__name__, flush=True)
"""


def test_a_reader_at_the_birth_of_a_store_sees_none_or_an_empty_one(store_path):
    """At no step in which a process makes a store does another one take it for the rest of a copy."""
    with subprocess.Popen(
        [sys.executable, "-c", LOOKS_AT_A_STORE, store_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout.readline() == "ready\n"
        seen = []

        def look(frame, event, called):
            if event == "c_return" and called.__name__ == "execute":
                reader.stdin.write("look\n")
                reader.stdin.flush()
                seen.append(reader.stdout.readline().strip())

        sys.setprofile(look)
        try:
            store = open_store(store_path)
        finally:
            sys.setprofile(None)
        store.close()
        reader.stdin.close()

    assert set(seen) <= {"StoreNotFoundError", "StoreLockedError", "0"}
    assert seen[-1] == "0"
    assert len(seen) > 10


def test_a_store_whose_maker_was_killed_amid_its_tables_is_made_by_the_next_reader(store_path, tmp_path):
    """SQLite was writing the first pages: they are taken back, and the reader sees an empty store."""
    path = tmp_path / "killed.db"
    with closing(sqlite3.connect(store_path, isolation_level=None)) as connection:
        connection.execute(
            "pragma cache_size = 1"
        )  # so that all but the first page is written before the end
        connection.execute("begin exclusive")
        for number in range(40):
            connection.execute(f"create table t{number} (x)")
        shutil.copy(store_path, path)
        shutil.copy(f"{store_path}-journal", f"{path}-journal")
        connection.execute("commit")
    with path.open("r+b") as file:
        file.write(store_path.read_bytes()[:4096])

    with open_store(path, read_only=True) as store:
        assert store.experiments() == []
    assert notes_of(path) == []
