"""Making a bundle and importing one, killed in the middle, and run again."""

import os
import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.bundle_write import writing_bundle

COUNT = 900_000
LOSS = SeriesKey("loss")
RUN_ID = "0af7651916cd43dd8448eb211c80319c"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
WAITING = """
import sys
import otel_experiments as ox

def wait(done, total, report):
    if {condition}:
        print("half", flush=True)
        sys.stdin.read()

{call}
"""
"""Does something as far as `condition`, says so, and waits to be killed."""


def killed_in(call, *, condition):
    """Run a call in a process that is killed when it has come as far as the condition."""
    program = WAITING.format(call=call, condition=condition)
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout.readline() == b"half\n"
        process.kill()
        process.communicate()


@pytest.fixture
def here(tmp_path):
    """Return a store with a run of many points and an artifact."""
    path = tmp_path / "here.db"
    numbers = [float(number) for number in range(COUNT)]
    times_ns = [1_700_000_000_000_000_000 + number for number in range(COUNT)]
    run = Run(RUN_ID, "large", "long", RunState.SUCCEEDED, times_ns[0], times_ns[0], times_ns[-1])
    with blobs_for(StoreLocation.parse(path)).adding() as adding, open_store(path) as store:
        put = adding.put_bytes(b"weights" * 1_000_000)
        logged = ArtifactLogged(RUN_ID, "large", "model", put.digest, times_ns[-1], size_bytes=put.size_bytes)
        store.apply(
            WriteBatch(
                runs=[run],
                artifacts=[logged],
                points=[PointBlock(RUN_ID, (LOSS,), numbers, times_ns, (numbers,))],
            )
        )
    return path


def test_a_bundle_that_is_killed_leaves_no_bundle(here, tmp_path):
    """SIGKILL while a bundle is made: there is none by its name, and making it again makes a whole one."""
    killed_in(
        f"ox.bundle(None, 'x.oxb', store={str(here)!r}, on_progress=wait)", condition="report > 100_000"
    )
    assert not (tmp_path / "x.oxb").exists()
    assert [*tmp_path.glob(".x.oxb.*.part")]

    report = ox.bundle(None, tmp_path / "x.oxb", store=here)

    assert not [*tmp_path.glob(".x.oxb.*")]

    assert (report.blob_count, report.left_out) == (1, ())
    with ox.open(tmp_path / "x.oxb") as reader:
        assert len(reader.run("long").metrics["loss"].points()) == COUNT


def test_a_bundle_leaves_alone_what_another_one_writes(here, tmp_path):
    """What another writer of the same bundle is still writing stays, and so does a file of another bundle."""
    other = tmp_path / ".y.oxb.1.part"
    other.write_bytes(b"mine")
    with writing_bundle(tmp_path / "x.oxb"):
        parts = [*tmp_path.glob(".x.oxb.*.part")]
        ox.bundle(None, tmp_path / "x.oxb", store=here)
        assert [*tmp_path.glob(".x.oxb.*.part")] == parts
        assert len(parts) == 1

    assert other.read_bytes() == b"mine"
    assert not [*tmp_path.glob(".x.oxb.*")]


def test_an_import_that_is_killed_is_made_whole_by_running_it_again(here, tmp_path):
    """SIGKILL in the middle of importing a bundle: importing it again brings the rest, each point and artifact once."""
    ox.bundle(None, tmp_path / "x.oxb", store=here)
    killed_in(
        "ox.import_store('x.oxb', store='new.db', on_progress=wait)",
        condition="report.new_point_count > 100_000",
    )
    with open_store(tmp_path / "new.db", read_only=True) as store:
        part = len(store.points(RUN_ID, LOSS))
        assert 0 < part < COUNT

    report = ox.import_store(tmp_path / "x.oxb", store=tmp_path / "new.db")

    assert (report.is_complete, report.new_point_count) == (True, COUNT - part)
    with open_store(tmp_path / "new.db", read_only=True) as store, open_store(here, read_only=True) as source:
        assert list(store.points(RUN_ID, LOSS).values) == list(source.points(RUN_ID, LOSS).values)
        assert store.get_run(RUN_ID) == source.get_run(RUN_ID)
        (artifact,) = store.artifacts(ArtifactQuery())
    blobs_for(StoreLocation.parse(tmp_path / "new.db")).verify(artifact.logged.digest)
    assert not list(tmp_path.glob("*.importing"))
