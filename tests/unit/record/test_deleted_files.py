"""What is recorded while somebody deletes the store, its journal or the whole folder: kept, or said to be lost."""

import logging
import shutil
from pathlib import Path

import pytest

import otel_experiments as ox


@pytest.fixture
def run(configure, tmp_path):
    """Return a run whose first 100 points are stored, in a folder of its own."""
    pipeline = configure(
        store=tmp_path / "work" / "experiments.db", on_error="log", drain_s=60.0, exit_timeout_s=0.5
    )
    run = ox.start_run("r")
    for i in range(100):
        run.log({"loss": float(i)})
    assert pipeline.flush(timeout_s=10).is_stored
    return run


def log_more(run):
    """Log 100 more points, and look what a flush says."""
    for i in range(100, 200):
        run.log({"loss": float(i)})
    return run.flush(timeout_s=0.5)


def lines(caplog, text):
    """Return how many warnings hold the text."""
    return sum(text in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


def test_a_journal_that_is_deleted_is_written_again(run, tmp_path, caplog):
    """The points after it are stored, and one line in the log tells of it."""
    shutil.rmtree(tmp_path / "work" / "experiments.db.journals")
    report = log_more(run)

    assert report.is_stored
    assert "journal deleted" in report.lost
    assert lines(caplog, "was deleted while this process records") == 1
    assert list(ox.run("r").metrics["loss"].points().values) == [float(i) for i in range(200)]


@pytest.mark.parametrize("what", ["store", "folder"])
def test_a_store_that_is_deleted_is_not_said_to_be_filled(run, tmp_path, caplog, what):
    """A flush says what is wrong; what was recorded since the journal began is in the next store there."""
    path = tmp_path / "work" / "experiments.db"
    if what == "store":
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            file.unlink(missing_ok=True)
    else:
        shutil.rmtree(tmp_path / "work")
    report = log_more(run)
    run.finish()
    ox.shutdown()

    assert not report.is_stored
    assert "was deleted or replaced while it was open" in report.store_error
    assert lines(caplog, "The store does not take what is recorded now") == 1
    stored = ox.run("r", store=path)
    assert stored.state == "succeeded"
    assert list(stored.metrics["loss"].points().values) == [float(i) for i in range(200)]


def test_a_store_that_is_replaced_is_left_alone(run, tmp_path):
    """Another file under the store's name is not written."""
    path = tmp_path / "work" / "experiments.db"
    path.rename(tmp_path / "moved.db")
    path.write_bytes(b"somebody else's")
    report = log_more(run)

    assert not report.is_stored
    assert path.read_bytes() == b"somebody else's"
