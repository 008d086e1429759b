"""`otel-experiments gc`: what nothing refers to goes, what anything refers to stays, beside a running training."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from otel_experiments._opening import open_reader
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.cli.root import root
from otel_experiments.model.artifact import ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunContents
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

RUN = "a" * 32
WATCHDOG_S = 120
COMMAND = Path(sys.executable).parent / "otel-experiments"


class Kept:
    """A store, the bytes of its artifacts, and what it knows of them."""

    def __init__(self, path):
        self.path = path
        self.blobs = blobs_for(StoreLocation.parse(path))
        open_store(path).close()

    def put(self, source):
        """Keep bytes or a folder without naming them."""
        with self.blobs.adding() as adding:
            return adding.put_bytes(source) if isinstance(source, bytes) else adding.put_folder(source)

    def log(self, source, name="data", **facts):
        """Keep bytes or a folder, and have the store know them."""
        put = self.put(source)
        logged = ArtifactLogged(RUN, "default", name, put.digest, 1, is_folder=put.is_folder, **facts)
        self.apply(WriteBatch(artifacts=[logged]))
        return put.digest

    def apply(self, batch):
        """Store a batch."""
        with open_store(self.path) as store:
            store.apply(batch)

    def gc(self, *options, typed=None):
        """Return the result of the command."""
        return CliRunner().invoke(
            root, ["gc", *options], input=typed, env={"OTEL_EXPERIMENTS_STORE": str(self.path)}
        )

    def digests(self):
        """Return what is there."""
        return {blob.digest for blob in self.blobs.digests()}


@pytest.fixture
def kept(tmp_path):
    """A store without artifacts."""
    return Kept(tmp_path / "runs.db")


def test_only_what_nothing_refers_to_goes(kept, tmp_path):
    """Logged files, media, folders with their files, and what runs used stay; other bytes go, and are counted."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_bytes(b"1,2")
    (folder / "test.csv").write_bytes(b"3,4")
    kept.log(b"model")
    kept.log(b"image", role="media", name="img")
    kept.log(folder)
    used = kept.put(b"used by a run").digest
    kept.apply(WriteBatch(artifact_uses=[ArtifactUsed(RUN, used, 1)]))
    stay = kept.digests()
    kept.put(b"nothing refers to this")

    dry = kept.gc("--dry-run")
    assert dry.stdout == "Would remove 1 file (22 B) that nothing refers to. In use: 6 files (366 B).\n"
    assert len(kept.digests()) == 7

    assert kept.gc("--yes").stdout.startswith("Removed 1 file (22 B) that nothing refers to.")
    assert kept.digests() == stay
    assert kept.gc().stdout == "There is nothing to remove. In use: 6 files (366 B).\n"


def test_the_files_of_a_folder_that_a_run_only_used_stay(kept, tmp_path):
    """A run of another store logged the folder; this one used it, so all of it is kept."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_bytes(b"1,2")
    digest = kept.put(folder).digest
    kept.apply(WriteBatch(artifact_uses=[ArtifactUsed(RUN, digest, 1)]))

    kept.gc("--yes")

    assert len(kept.digests()) == 2


def test_counts_as_json(kept):
    """With `--json` counts and bytes are in the documented shape."""
    kept.log(b"model")
    kept.put(b"unused")

    shown = json.loads(kept.gc("--yes", "--json").stdout)

    assert shown.pop("runs") == {
        "count": 0,
        "run_ids": [],
        "contents": asdict(RunContents()),
        "store_bytes": 0,
        "artifact_bytes": 0,
        "kept_pinned": 0,
        "kept_live": 0,
        "kept_sources": 0,
        "kept_families": 0,
        "kept_changed": 0,
        "file_bytes_freed": 0,
    }
    assert shown == {
        "dry_run": False,
        "removed": {"count": 1, "bytes": 6},
        "partial": {"count": 0, "bytes": 0},
        "kept": {"count": 1, "bytes": 5},
        "absent_folders": 0,
        "other_stores": [],
    }


def test_without_a_terminal_nothing_is_removed_unasked(kept):
    """A script has to say --yes; without it the command says what it would remove, and removes nothing."""
    kept.put(b"unused")

    refused = kept.gc()

    assert refused.exit_code == 2
    assert "gc would remove 1 file (6 B) that nothing refers to. Add --yes" in refused.stderr
    assert len(kept.digests()) == 1


@pytest.mark.parametrize(("typed", "left"), [(b"n\n", 1), (b"y\n", 0)])
def test_on_a_terminal_it_asks(kept, typed, left):
    """A person is asked with the counts, and only `y` removes."""
    kept.put(b"unused")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "gc", "--store", kept.path], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.close(theirs)
    os.write(ours, typed)
    out, asked = process.communicate(timeout=WATCHDOG_S)
    os.close(ours)

    assert "Remove 1 file (6 B) that nothing refers to? [y/N]" in (asked + out).decode()
    assert len(kept.digests()) == left


def test_a_store_that_cannot_be_read_whole_is_refused(kept):
    """Where a journal is damaged, or a folder's list, nobody knows what is in use, and nothing is removed."""
    kept.put(b"unused")
    journals = kept.path.with_name("runs.db.journals")
    journals.mkdir(exist_ok=True)
    damaged = journals / f"{'0' * 32}-0.oxj"
    damaged.write_bytes(os.urandom(4096))

    refused = kept.gc("--yes")

    assert refused.exit_code == 3
    assert "cannot be known" in refused.stderr
    assert "Nothing was removed" in refused.stderr
    assert len(kept.digests()) == 1


def test_a_folder_with_a_damaged_list_is_refused(kept, tmp_path):
    """Without its list nobody knows which files a folder has, so none is removed."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "x").write_bytes(b"1")
    path = kept.blobs.path_of(kept.log(folder))
    path.chmod(0o600)
    path.write_bytes(b"{}")
    before = kept.digests()

    refused = kept.gc("--yes")

    assert refused.exit_code == 3
    assert kept.digests() == before


def test_a_folder_whose_bytes_never_came_is_told_and_stops_nothing(kept):
    """Telemetry of another machine names a folder without its bytes: gc says so, and removes what is unused."""
    elsewhere = ArtifactLogged(RUN, "default", "data", f"sha256:{'5' * 64}", 1, is_folder=True)
    kept.apply(WriteBatch(artifacts=[elsewhere]))
    kept.log(b"model", name="model")
    kept.put(b"unused")

    swept = kept.gc("--yes")

    assert swept.exit_code == 0, swept.stderr
    assert "1 folder in use has no list of files here" in swept.stderr
    assert len(kept.digests()) == 1


@pytest.mark.parametrize("spelling", ["link", "url", "slash", "moved"])
def test_folders_in_use_stay_whatever_their_place_is_called(kept, tmp_path, spelling):
    """The place of a folder was written down as it was called then; the files stay when it is called otherwise."""
    real = tmp_path / "real"
    (tmp_path / "link").symlink_to(real)
    called = {
        "link": str(tmp_path / "link"),
        "url": f"file://{real}",
        "slash": f"{real}/",
        "moved": str(tmp_path / "moved"),
    }[spelling]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "x").write_bytes(b"1")
    with blobs_for(StoreLocation.parse(kept.path), str(real)).adding() as adding:
        digest = adding.put_folder(folder).digest
        adding.put_bytes(b"unused")
    logged = ArtifactLogged(RUN, "default", "data", digest, 1, is_folder=True, place=str(real))
    kept.apply(WriteBatch(artifacts=[logged]))
    if spelling == "moved":
        real.rename(called)
    environment = {"OTEL_EXPERIMENTS_STORE": str(kept.path), "OTEL_EXPERIMENTS_ARTIFACTS": called}

    swept = CliRunner().invoke(root, ["gc", "--yes"], env=environment)

    assert swept.exit_code == 0, swept.output
    place = blobs_for(StoreLocation.parse(kept.path), called)
    assert len(list(place.digests())) == 2
    for entry in place.folder(digest):
        place.verify(entry.digest)


def test_a_damaged_row_is_refused(kept):
    """A row of an artifact that cannot be read may name any bytes, so none is removed."""
    import sqlite3

    kept.log(b"model")
    with sqlite3.connect(kept.path) as connection:
        connection.execute("update artifacts set metadata = '{', digest = 'sha256:x'")
    connection.close()

    refused = kept.gc("--yes")

    assert (refused.exit_code, len(kept.digests())) == (3, 1)


def test_stores_that_share_a_place_are_named(kept, tmp_path):
    """What another store uses in the same place stays when that store is named."""
    shared = tmp_path / "shared"
    place = blobs_for(StoreLocation.parse(kept.path), str(shared))
    with place.adding() as adding:
        mine, theirs, unused = (adding.put_bytes(data).digest for data in (b"mine", b"theirs", b"unused"))
    kept.apply(WriteBatch(artifacts=[ArtifactLogged(RUN, "default", "m", mine, 1, place=str(shared))]))
    other = Kept(tmp_path / "other.db")
    other.apply(WriteBatch(artifacts=[ArtifactLogged(RUN, "default", "m", theirs, 1, place=str(shared))]))
    environment = {"OTEL_EXPERIMENTS_STORE": str(kept.path), "OTEL_EXPERIMENTS_ARTIFACTS": str(shared)}

    done = CliRunner().invoke(root, ["gc", "--yes", "--also", str(other.path)], env=environment)

    assert done.exit_code == 0, done.output
    assert {blob.digest for blob in place.digests()} == {mine, theirs}
    assert unused not in {mine, theirs}


TRAINING = """
import sys
from pathlib import Path
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.journal.encode import encode_artifact
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.store_location import StoreLocation

path = Path(sys.argv[1])
blobs, journal = blobs_for(StoreLocation.parse(path)), JournalWriter(journal_directory(path))
number = 0
print("ready", flush=True)
while number < 2000 and not Path(sys.argv[2]).exists():
    for data in (b"the same each time", b"checkpoint %d" % number):
        with blobs.adding() as adding:
            put = adding.put_bytes(data)
            journal.append(encode_artifact(ArtifactLogged("b" * 32, "default", "m", put.digest, 1)))
    number += 1
journal.close()
print(number, flush=True)
"""


def test_beside_a_running_training_nothing_is_lost(kept, tmp_path):
    """While a process logs all the time, sweeps remove what is unused, and every name has its bytes at the end."""
    stop = tmp_path / "stop"
    training = subprocess.Popen(
        [sys.executable, "-c", TRAINING, kept.path, stop], stdout=subprocess.PIPE, text=True
    )
    try:
        assert training.stdout.readline() == "ready\n"
        for number in range(5):
            unused = kept.put(b"unused %d" % number).digest
            done = kept.gc("--yes")
            assert done.exit_code == 0, done.output
            assert unused not in kept.digests()
    finally:
        stop.touch()
        logged, _ = training.communicate(timeout=WATCHDOG_S)

    assert kept.gc("--yes").exit_code == 0
    assert len(kept.digests()) == int(logged) + 1


@pytest.fixture
def shared(kept, tmp_path):
    """Two stores that keep bytes in one place, and the function that calls gc for the first one."""
    other = Kept(tmp_path / "other" / "runs.db")
    address = str(tmp_path / "shared")
    digests = {}
    for one, data in ((kept, b"mine"), (other, b"theirs")):
        place = blobs_for(StoreLocation.parse(one.path), address)
        with place.adding() as adding:
            digests[data] = adding.put_bytes(data).digest
        one.apply(
            WriteBatch(artifacts=[ArtifactLogged(RUN, "default", "m", digests[data], 1, place=address)])
        )
    with blobs_for(StoreLocation.parse("memory://"), address).adding() as adding:
        adding.put_bytes(b"unused")

    def gc(*options):
        environment = {"OTEL_EXPERIMENTS_STORE": str(kept.path), "OTEL_EXPERIMENTS_ARTIFACTS": address}
        return CliRunner().invoke(root, ["gc", *options], env=environment)

    def left():
        names = {digest: data for data, digest in digests.items()}
        return {names.get(blob.digest, b"unused") for blob in place.digests()}

    return gc, left, other


def test_what_other_stores_of_the_place_refer_to_stays_unasked(shared):
    """A store that has kept bytes in a shared place is read as well, though only another one is named."""
    gc, left, other = shared

    done = gc("--yes")

    assert done.exit_code == 0, done.output
    assert left() == {b"mine", b"theirs"}
    assert f"What '{other.path}' refers to stays as well." in done.stderr
    assert json.loads(gc("--yes", "--json").stdout)["other_stores"] == [str(other.path)]


def test_a_store_of_the_place_that_is_gone_stops_gc_until_it_is_forgotten(shared):
    """Nothing is removed while nobody knows what it refers to; the text says what to type, and that works."""
    gc, left, other = shared
    other.path.unlink()

    refused = gc("--yes")

    assert refused.exit_code == 3
    assert f"'{other.path}' uses cannot be known: it has kept bytes in" in refused.stderr
    assert f"otel-experiments gc --forget {other.path}" in refused.stderr
    assert left() == {b"mine", b"theirs", b"unused"}

    assert gc("--dry-run", "--forget", str(other.path)).stdout.startswith("Would remove 2 files")
    assert gc("--yes").exit_code == 3
    assert gc("--yes", "--forget", str(other.path)).exit_code == 0
    assert left() == {b"mine"}
    assert gc("--yes").exit_code == 0


def test_a_store_of_the_place_that_was_moved_is_named_where_it_is(shared, tmp_path):
    """Its bytes stay, and the place where it was is forgotten."""
    gc, left, other = shared
    moved = tmp_path / "moved.db"
    other.path.rename(moved)

    done = gc("--yes", "--also", str(moved), "--forget", str(other.path))

    assert done.exit_code == 0, done.output
    assert left() == {b"mine", b"theirs"}


def test_a_store_of_the_place_that_cannot_be_read_stops_gc(shared):
    """Somebody's damaged store is named, and nothing is removed."""
    gc, left, other = shared
    other.path.write_bytes(b"no database at all" * 100)

    refused = gc("--yes")

    assert refused.exit_code == 3
    assert f"'{other.path}' uses cannot be known" in refused.stderr
    assert len(left()) == 3


def test_only_a_store_that_is_noted_can_be_forgotten(shared):
    """A slip of the pen forgets nothing: the text lists the stores that are noted."""
    gc, left, other = shared

    refused = gc("--yes", "--forget", "othr.db")

    assert refused.exit_code != 0
    assert "The store 'othr.db' cannot be forgotten" in refused.stderr
    assert repr(str(other.path)) in refused.stderr
    assert len(left()) == 3


NAMES_WHAT_LIES_THERE = """
import sys
from pathlib import Path
import otel_experiments as ox

ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False)
with ox.start_run("training") as run:
    print("ready", flush=True)
    number = 0
    while number < 2000 and not Path(sys.argv[2]).exists():
        assert run.log_artifact(b"contended %d" % (number % 7), f"m{number}")
        number += 1
print(number, flush=True)
"""


def test_bytes_that_are_named_while_gc_finds_them_unused_are_never_missing(kept, tmp_path):
    """A training names bytes that nobody referred to at the very time in which sweeps remove such: each name has its bytes."""
    stop = tmp_path / "stop"
    training = subprocess.Popen(
        [sys.executable, "-c", NAMES_WHAT_LIES_THERE, kept.path, stop], stdout=subprocess.PIPE, text=True
    )
    try:
        assert training.stdout.readline() == "ready\n"
        for number in range(14):
            kept.put(b"contended %d" % (number % 7))
            done = kept.gc("--yes")
            assert done.exit_code == 0, done.output
    finally:
        stop.touch()
        logged, _ = training.communicate(timeout=WATCHDOG_S)

    assert int(logged) > 0
    with open_reader(kept.path) as reader:
        assert len(list(reader.artifacts())) == int(logged)
        for one in reader.artifacts():
            one.verify()
