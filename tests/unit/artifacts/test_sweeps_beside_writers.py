"""A sweep reads what is in use without the lock: whatever is put or named meanwhile stays."""

import os
import threading
import time
from pathlib import Path

import pytest

from otel_experiments.artifacts import lock
from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.artifacts.prepared import HELD_BYTES
from otel_experiments.process.file_lock import try_lock

WATCHDOG_S = 60


def a_folder(path):
    """Make a folder with a file of each size."""
    path.mkdir(exist_ok=True)
    (path / "small").write_bytes(b"small")
    (path / "large").write_bytes(b"l" * (HELD_BYTES + 1))
    return path


def a_file(path, data):
    """Make a file."""
    path.write_bytes(data)
    return path


SOURCES = {
    "bytes": lambda folder: b"bytes",
    "small file": lambda folder: a_file(folder / "f", b"file"),
    "large file": lambda folder: a_file(folder / "f", b"l" * (HELD_BYTES + 1)),
    "folder": lambda folder: a_folder(folder / "d"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_bytes_that_are_put_again_while_names_are_read_stay(blobs, put, tmp_path, kind):
    """They were unused at the first look and are there already when a run logs them: the sweep sees that they are named."""
    source = SOURCES[kind](tmp_path)
    put(blobs, source)
    there = list(blobs.digests())

    def keep():
        assert put(blobs, source).was_there
        return set()

    swept = blobs.sweep(keep)

    assert [blob.digest for blob in blobs.digests()] == [blob.digest for blob in there]
    assert (swept.blob_count, swept.kept_count) == (0, len(there))


def test_bytes_that_were_prepared_before_the_sweep_stay(blobs, tmp_path):
    """A file that was hashed when its blob was there, and gets its name while names are read, keeps that blob."""
    path = a_file(tmp_path / "f", b"l" * (HELD_BYTES + 1))
    with blobs.adding() as adding:
        adding.put_file(path)
    prepared = blobs.prepare_file(path)

    def keep():
        with blobs.adding() as adding:
            adding.place(prepared)
        return set()

    assert blobs.sweep(keep).blob_count == 0
    assert len(list(blobs.digests())) == 1


def test_bytes_that_are_held_while_names_are_read_stay(blobs, put):
    """Who names bytes without putting them, as an import does, holds them; what is not there cannot be held."""
    digest = put(blobs, b"bytes").digest

    def keep():
        with blobs.adding() as adding:
            assert adding.hold(digest)
            assert not adding.hold(f"sha256:{'0' * 64}")
        return set()

    assert blobs.sweep(keep).blob_count == 0
    assert [blob.digest for blob in blobs.digests()] == [digest]


def test_what_is_put_for_the_first_time_while_names_are_read_stays(blobs, put):
    """It was not there at the first look, so it is none that is removed; what was there and unused goes."""
    unused = put(blobs, b"unused").digest
    found = []
    swept = blobs.sweep(lambda: found.append(put(blobs, b"new").digest) or set())

    assert [blob.digest for blob in blobs.digests()] == found
    assert unused not in found
    assert (swept.blob_count, swept.kept_count) == (1, 0)


def test_a_file_with_several_names_is_renewed_as_well(blobs, put, tmp_path):
    """A blob that is the very file of the user keeps its time of writing, and stays when it is logged again."""
    path = a_file(tmp_path / "f", b"linked")
    os.utime(path, (1, 1))
    put(blobs, path, link="hardlink")

    assert blobs.sweep(lambda: put(blobs, b"linked") and set()).blob_count == 0
    assert path.stat().st_mtime == 1


def test_names_are_read_when_who_put_bytes_before_has_written_theirs_down(blobs, put):
    """A writer is between its bytes and their name when the sweep begins: it is waited for, and its name is read."""
    put(blobs, b"bytes")
    names = set()
    swept = []
    with blobs.adding() as adding:
        digest = adding.put_bytes(b"bytes").digest
        other = LocalBlobStore(blobs.place)
        sweep = threading.Thread(target=lambda: swept.append(other.sweep(lambda: set(names))))
        sweep.start()
        wait_until_a_sweep_waits(blobs.place)
        names.add(digest)
    sweep.join(WATCHDOG_S)

    assert swept[0].blob_count == 0
    assert [blob.digest for blob in blobs.digests()] == [digest]


def wait_until_a_sweep_waits(place):
    """Return when a sweep keeps the gate: it waits then for who has the lock."""
    until = time.monotonic() + WATCHDOG_S
    is_free = True
    while is_free:
        assert time.monotonic() < until
        descriptor = os.open(place / lock.GATE_NAME, os.O_RDWR)
        is_free = try_lock(descriptor)
        os.close(descriptor)


@pytest.mark.parametrize("held", ["by a writer", "by a sweep"])
def test_a_dry_run_waits_for_nobody(blobs, put, held):
    """It only counts, so that neither a writer nor another sweep has to end first."""
    put(blobs, b"unused")
    other = LocalBlobStore(blobs.place)
    with other.adding() if held == "by a writer" else lock.exclusive(blobs.place, 0o600):
        swept = blobs.sweep(set, dry_run=True)

    assert (swept.blob_count, swept.blob_bytes, swept.is_dry_run) == (1, 6, True)
    assert len(list(blobs.digests())) == 1


def test_writers_get_their_turn_between_portions(blobs, put, monkeypatch):
    """Many unused files are removed in portions, so that no writer waits for all of them."""
    from otel_experiments.artifacts import sweeping

    monkeypatch.setattr(sweeping, "_PORTION", 2)
    for number in range(5):
        put(blobs, b"%d" % number)

    assert blobs.sweep(set).blob_count == 5
    assert list(blobs.digests()) == []


def test_marks_of_dead_writers_go_though_nothing_is_unused(blobs, put):
    """A process that was killed between two files leaves an empty mark; a sweep removes it, and not those of the living."""
    kept = put(blobs, b"used").digest
    partial = blobs.place / "partial"
    (partial / "1-dead.writer").touch()
    assert len(list(partial.iterdir())) == 2

    swept = blobs.sweep(lambda: {kept})

    assert (swept.blob_count, swept.partial_count) == (0, 0)
    assert [path.suffix for path in partial.iterdir()] == [".writer"]
    blobs.close()
    assert list(partial.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has files of two users"
)
def test_bytes_of_another_user_are_kept_anew(tmp_path):
    """Who may not change a file that is there, in a folder that users share, puts one of its user's in its place."""
    tmp_path.chmod(0o755)
    for above in tmp_path.parents[:3]:  # a worker of the tests has one folder more
        above.chmod(above.stat().st_mode | 0o055)
        if above.name.startswith("pytest-of-"):
            break
    place = tmp_path / "shared"
    blobs = LocalBlobStore(place, file_mode=0o666)
    with blobs.adding() as adding:
        digest = adding.put_bytes(b"bytes").digest
    child = os.fork()
    if not child:
        try:
            os.setuid(65534)
            theirs = LocalBlobStore(place, file_mode=0o666)
            with theirs.adding() as adding:
                os._exit(
                    0 if adding.put_bytes(b"bytes").digest == digest and not adding.hold("sha256:0") else 1
                )
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert Path(blobs.path_of(digest)).stat().st_uid == 65534
    blobs.verify(digest)
