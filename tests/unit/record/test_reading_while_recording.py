"""Readers over the store that this process records into: they may be closed, and recording goes on."""

import pytest

import otel_experiments as ox
from otel_experiments.errors import StoreClosedError


@pytest.mark.parametrize("store", ["experiments.db", "memory://"])
def test_closing_a_reader_leaves_the_recorders_store_open(configure, store):
    """Whoever reads with `with` goes on to record, to use artifacts and to read as before."""
    pipeline = configure(store=store)
    with ox.start_run("data", experiment="e") as run:
        run.log_artifact(b"rows", "data")
    with ox.open_reader() as reader:
        assert len(reader.runs()) == 1
    reader.close()

    with ox.start_run("train", experiment="e") as run:
        assert run.use_artifact("data").read_bytes() == b"rows"
        run.log({"loss": 1.0}, step=0)

    assert pipeline.flush(timeout_s=30).is_stored
    assert [one.name for one in ox.runs()] == ["train", "data"]
    assert ox.run("train").metrics["loss"].last == 1.0


def test_closing_a_reader_during_a_run_leaves_the_run_whole(recording):
    """What is logged after the reader was closed is in the store when the run ends."""
    with ox.start_run("train") as run:
        run.log({"loss": 2.0}, step=0)
        with ox.open_reader() as reader:
            assert reader.run("train").metrics["loss"].last == 2.0
        run.log({"loss": 1.0}, step=1)

    assert recording.flush(timeout_s=30).is_stored
    assert len(ox.run("train").metrics["loss"].points()) == 2


def test_a_reader_over_a_file_of_its_own_is_closed(recording, tmp_path):
    """A store that was opened for the reader alone is let go with it."""
    with ox.start_run("train"):
        pass
    ox.shutdown()
    with ox.open_reader(tmp_path / "experiments.db") as reader:
        assert len(reader.runs()) == 1

    with pytest.raises(StoreClosedError):
        reader.runs()
