"""What is said of a store that is opened while others begin or end to record into it."""

import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

import otel_experiments as ox
from otel_experiments.collect.opening import open_collected
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
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
