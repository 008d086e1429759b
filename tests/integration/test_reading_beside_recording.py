"""A process that records reads its store by its path as well: the locks of its recording stay."""

import os
import shutil
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.artifacts.digest import digest_of
from otel_experiments.process import held_files
from otel_experiments.store import open_store
from otel_experiments.store.filesystem import file_id
from otel_experiments.store.sqlite.bundle_header import is_bundle

WATCHDOG_S = 60
LEAVES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("select count(*) from runs").fetchall()
connection.close()
"""


def opened(path):
    """Open a reader."""
    with ox.open(path) as reader:
        reader.runs()


WAYS = {
    "a reader": opened,
    "the public functions": lambda path: list(ox.runs(store=path)),
    "two readers": lambda path: (open_reader(path), open_reader(path).close()),
    "a writer": lambda path: open_store(path).close(),
    "is it a bundle": is_bundle,
    "its digest": digest_of,
    "the store as an artifact": lambda path: ox.current_run().log_artifact(path, "store"),
}


@pytest.fixture
def recording(store_path):
    """Record a run into a store."""
    ox.configure(store=store_path, drain_s=3600.0, capture_git=False, system_metrics_s=0.0)
    with ox.start_run("training") as run:
        run.log({"loss": 1.0})
        run.flush()
        yield run
    ox.shutdown()


@pytest.mark.parametrize("way", WAYS)
def test_another_process_does_not_take_itself_for_the_last(recording, store_path, way):
    """Whatever looks at the file, the next process that leaves it leaves the log that the training writes to."""
    WAYS[way](store_path)

    log = store_path.with_name(f"{store_path.name}-wal")
    before = log.stat().st_ino
    subprocess.run([sys.executable, "-c", LEAVES, store_path], check=True, timeout=WATCHDOG_S)

    assert log.stat().st_ino == before


RECORDS = """
import sys
import otel_experiments as ox
ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False)
with ox.start_run("other") as run:
    for step in range(500):
        run.log({f"m{step % 20}": 1.0, "loss": 1.0}, step=step)
"""


def test_two_processes_record_after_one_has_looked(recording, store_path):
    """Both write into the same log: the file is whole, and no point is lost."""
    opened(store_path)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", RECORDS, store_path], check=True, timeout=WATCHDOG_S)
        for step in range(500):
            recording.log({f"n{step % 20}": 1.0, "loss": 1.0}, step=step)
        recording.flush()
    recording.finish()
    ox.shutdown()

    with open_reader(store_path) as reader:
        assert reader.store.sql("pragma integrity_check")[1] == [("ok",)]
        assert sorted(run.metrics["loss"].count for run in reader.runs()) == [500, 500, 1001]


def test_what_stays_open_for_a_store_is_closed_with_it(store_path):
    """A descriptor of the file that a database is in lives as long as the last of them, and no longer."""
    first, second = open_store(store_path), open_store(store_path)
    descriptor = os.open(store_path, os.O_RDONLY)
    held_files.close(descriptor, os.fstat(descriptor))
    assert held_files.is_held(file_id(store_path))

    first.close()
    assert os.fstat(descriptor).st_ino == store_path.stat().st_ino
    second.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert not held_files.is_held(file_id(store_path))


def test_a_store_that_was_forgotten_is_not_held(store_path):
    """An object that is gone without having been closed holds nothing."""
    store = open_store(store_path)
    assert held_files.is_held(file_id(store_path))
    del store

    assert not held_files.is_held(file_id(store_path))
    copy = shutil.copy(store_path, store_path.with_name("copy.db"))
    open_reader(copy).close()
