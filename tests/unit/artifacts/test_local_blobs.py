"""Bytes of artifacts in a local folder: kept once, checked when they are read, whole or not at all."""

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from otel_experiments.artifacts.hashing import PIECE_BYTES
from otel_experiments.artifacts.local_store import LocalBlobStore
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.errors import (
    ArtifactDamagedError,
    ArtifactMissingError,
    ArtifactPlaceError,
    ArtifactSourceError,
)
from otel_experiments.model.store_location import StoreLocation

LARGE = 5 * PIECE_BYTES + 17


def sha256(data):
    """Return the digest as the product writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def files_in(folder):
    """Return all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 1000, PIECE_BYTES, LARGE])
def test_what_is_kept_comes_back(blobs, tmp_path, size, put):
    """A file of any size is kept under the SHA-256 of its bytes and read back as it was."""
    source = tmp_path / "weights.bin"
    source.write_bytes(data := os.urandom(size))

    kept = put(blobs, source)

    assert (kept.digest, kept.size_bytes, kept.file_count, kept.is_folder) == (sha256(data), size, 1, False)
    assert blobs.has(kept.digest)
    assert blobs.size_bytes(kept.digest) == size
    with blobs.open(kept.digest) as reader:
        assert reader.read() == data
    assert source.read_bytes() == data


def test_bytes_and_streams_are_kept(blobs, tmp_path, put):
    """Bytes and whatever has `read` are kept as a file of the same bytes is."""
    source = tmp_path / "data"
    source.write_bytes(os.urandom(LARGE))

    first = put(blobs, source.read_bytes())
    with source.open("rb") as stream, blobs.adding() as adding:
        second = adding.put_stream(stream)

    assert second.digest == first.digest
    assert (first.was_there, second.was_there) == (False, True)


@pytest.mark.parametrize("size", [100, LARGE])
def test_the_same_bytes_are_kept_once(blobs, tmp_path, size, put):
    """Two files with the same bytes are one blob, and no partial file is left."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(os.urandom(size))
    shutil.copy(one, other)

    first, second = put(blobs, one), put(blobs, other)

    assert (first.digest, first.was_there, second.was_there) == (second.digest, False, True)
    assert [blob.digest for blob in blobs.digests()] == [first.digest]
    assert blobs.partials() == []


def test_who_may_read_a_store_may_read_its_artifacts(tmp_path, put):
    """Blobs have the mode of the store, and nobody may write them."""
    for mode in (0o600, 0o664):
        blobs = LocalBlobStore(tmp_path / oct(mode), file_mode=mode)
        path = blobs.path_of(put(blobs, b"weights").digest)

        assert stat.S_IMODE(path.stat().st_mode) == mode & 0o444
        blobs.close()


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty"])
@pytest.mark.parametrize("size", [1000, LARGE])
def test_damaged_bytes_are_never_served_in_silence(blobs, damage, size, put):
    """Whichever way a damaged blob is read, an error names its file before the last byte is returned."""
    digest = put(blobs, os.urandom(size)).digest
    path = blobs.path_of(digest)
    damage_file(path, damage)

    with blobs.open(digest) as reader, pytest.raises(ArtifactDamagedError, match=path.name):
        reader.read()
    with blobs.open(digest) as reader, pytest.raises(ArtifactDamagedError):
        list(iter(lambda: reader.read(100), b""))
    with blobs.open(digest) as reader, pytest.raises(ArtifactDamagedError):
        reader.seek(-10, os.SEEK_END)
    with pytest.raises(ArtifactDamagedError):
        blobs.verify(digest)


def damage_file(path, damage):
    """Change the bytes of a blob behind the product's back."""
    data = bytearray(path.read_bytes())
    path.chmod(0o600)
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "cut":
        del data[-1]
    elif damage == "longer":
        data += b"x"
    else:
        data.clear()
    path.write_bytes(data)


def test_a_reader_moves_about(blobs, put):
    """A checked readable has `seek` and `tell`, as libraries that load models need."""
    digest = put(blobs, data := os.urandom(LARGE)).digest

    with blobs.open(digest) as reader:
        assert reader.read(10) == data[:10]
        assert reader.seek(-5, os.SEEK_END) == LARGE - 5
        assert reader.read() == data[-5:]
        assert reader.seek(3) == 3
        assert reader.read(4) == data[3:7]
        assert reader.tell() == 7


@pytest.mark.parametrize("size", [700, LARGE])
@pytest.mark.parametrize("give", ["bytes", "file", "hardlink", "folder"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_blob_is_replaced_when_the_same_bytes_are_logged_again(
    blobs, tmp_path, put, size, give, damage
):
    """Bytes that were changed or cut off are whole again after the right ones are logged once more, in whatever form."""
    data = os.urandom(size)
    (tmp_path / "data").mkdir()
    source = tmp_path / "data" / "weights"
    source.write_bytes(data)
    digest = put(blobs, data).digest
    damage_file(blobs.path_of(digest), damage)

    if give == "bytes":
        put(blobs, data)
    elif give == "folder":
        put(blobs, tmp_path / "data")
    else:
        put(blobs, source, link="hardlink" if give == "hardlink" else "auto")

    blobs.verify(digest)
    assert blobs.partials() == []


@pytest.mark.parametrize("link", ["auto", "hardlink"])
@pytest.mark.parametrize("damage", ["removed", "cut", "nothing"])
def test_a_blob_that_changes_before_it_is_named_is_made_again(blobs, tmp_path, put, link, damage):
    """A large file that was there when it was hashed, and is not when it gets its name, is read again."""
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(LARGE))
    digest = put(blobs, source, link=link).digest
    prepared = blobs.prepare_file(source, link=link)
    blob = blobs.path_of(digest)

    if damage == "removed":
        blob.unlink()
    elif damage == "cut":
        blob.unlink()
        blob.write_bytes(b"cut")
    with blobs.adding() as adding:
        again = adding.place(prepared)

    assert (again.digest, again.was_there) == (digest, damage == "nothing")
    blobs.verify(digest)
    assert blobs.partials() == []


def test_a_source_that_has_changed_by_then_is_no_artifact(blobs, tmp_path, put):
    """When the blob is gone and the file has other bytes now, nothing is named, and nothing half written is left."""
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(LARGE))
    digest = put(blobs, source).digest
    prepared = blobs.prepare_file(source)

    blobs.path_of(digest).unlink()
    source.write_bytes(os.urandom(LARGE))
    with blobs.adding() as adding, pytest.raises(ArtifactSourceError, match="changed"):
        adding.place(prepared)

    assert blobs.partials() == []
    assert list(blobs.digests()) == []


def test_linking_the_same_file_again_leaves_no_rest(blobs, tmp_path, put):
    """A file that is the kept one already is kept, and nothing half written is left."""
    source = tmp_path / "weights"
    source.write_bytes(b"weights")

    first, again = (put(blobs, source, link="hardlink") for _ in range(2))

    assert (first.was_there, again.was_there) == (False, True)
    assert blobs.partials() == []


def test_bytes_that_are_not_there_are_named(blobs, tmp_path, put):
    """Without the blob, or without the whole folder, the error says which bytes are missing where."""
    digest = sha256(b"never")
    for _ in range(2):
        with pytest.raises(ArtifactMissingError, match=digest):
            blobs.open(digest)
        with pytest.raises(
            ArtifactMissingError, match="there is no such folder" if not blobs.is_there() else "not there"
        ):
            blobs.size_bytes(digest)
        assert not blobs.has(digest)
        assert blobs.path_of(digest) is None
        put(blobs, b"else")


def test_a_folder_is_one_digest(blobs, tmp_path, put):
    """A folder is its files, their paths and whether they may be executed; the order of making does not matter."""
    digests = []
    for order in (1, -1):
        folder = tmp_path / f"data{order}"
        (folder / "a" / "b").mkdir(parents=True)
        for name in ["a/b/one.txt", "a/two.txt", "run.sh", "über.txt"][::order]:
            (folder / name).write_text(name, encoding="utf-8")
        (folder / "run.sh").chmod(0o755)
        digests.append(put(blobs, folder))

    kept = digests[0]
    assert digests[1].digest == kept.digest
    assert (kept.is_folder, kept.file_count, kept.left_out) == (True, 4, ())
    assert kept.size_bytes == sum(
        len(name.encode()) for name in ["a/b/one.txt", "a/two.txt", "run.sh", "über.txt"]
    )
    assert blobs.folder(kept.digest) == tuple(
        FolderEntry(name, sha256(name.encode()), len(name.encode()), name == "run.sh")
        for name in ["a/b/one.txt", "a/two.txt", "run.sh", "über.txt"]
    )


def test_the_list_of_a_folder_is_documented_json(blobs, tmp_path, put):
    """The bytes of a list are the canonical JSON that the reference shows, so other programs compute the same digest."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "x").write_bytes(b"1")

    digest = put(blobs, folder).digest

    with blobs.open(digest) as reader:
        data = reader.read()
    assert data == (
        b'{"files":[{"digest":"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",'
        b'"is_executable":false,"path":"x","size_bytes":1}],"type":"otel-experiments.folder","version":1}'
    )


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "a//b", "", ".", "a\0b", "a\\b", "C:x", "a/" + "n" * 300]
)
def test_a_list_with_a_hostile_path_is_refused(blobs, path, put):
    """A list that came from elsewhere cannot name a file outside of the folder that it is written to."""
    entry = {"digest": sha256(b"1"), "is_executable": False, "path": path, "size_bytes": 1}
    digest = put(
        blobs, json.dumps({"files": [entry], "type": "otel-experiments.folder", "version": 1}).encode()
    ).digest

    with pytest.raises(ArtifactDamagedError, match="does not stay in the folder"):
        blobs.folder(digest)


@pytest.mark.parametrize(
    ("whole", "found"),
    [
        (b"weights", "no list"),
        (b"[1]", "no list"),
        (b'{"type":"otel-experiments.folder","version":2,"files":[]}', "version 2"),
        (b'{"type":"otel-experiments.folder","version":1}', "no list"),
        (b'{"type":"otel-experiments.folder","version":1,"files":[7]}', "no list"),
        (
            b'{"type":"otel-experiments.folder","version":1,"files":[{"digest":"x","path":"x","size_bytes":1}]}',
            "digest",
        ),
    ],
)
def test_bytes_that_are_no_list_are_refused(blobs, whole, found, put):
    """Only a list of this version is taken for a folder."""
    digest = put(blobs, whole).digest

    with pytest.raises(ArtifactDamagedError, match=found):
        blobs.folder(digest)


def test_a_path_cannot_be_file_and_folder(blobs, put):
    """A list in which a path is there twice, or is a file and a folder, is refused."""
    for paths in (["a", "a"], ["a", "a/b"]):
        files = [
            {"digest": sha256(b"1"), "is_executable": False, "path": path, "size_bytes": 1} for path in paths
        ]
        whole = {"files": files, "type": "otel-experiments.folder", "version": 1}
        digest = put(blobs, json.dumps(whole).encode()).digest

        with pytest.raises(ArtifactDamagedError, match=r"twice|both as a file"):
            blobs.folder(digest)


@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_copy_is_whole_or_not_there(blobs, tmp_path, size, put):
    """A copy of a blob takes the place of a file at once; of a damaged one nothing is written."""
    digest = put(blobs, data := os.urandom(size)).digest
    target = tmp_path / "copy"
    target.write_bytes(b"before")

    blobs.copy_to(digest, target)
    assert target.read_bytes() == data
    assert os.access(target, os.W_OK)

    damage_file(blobs.path_of(digest), "flipped")
    with pytest.raises(ArtifactDamagedError):
        blobs.copy_to(digest, target)
    assert target.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy"]


def test_a_copy_to_a_place_that_takes_none_says_so(blobs, tmp_path, put):
    """The error names the target, and what is there."""
    digest = put(blobs, b"weights").digest

    with pytest.raises(ArtifactPlaceError, match="folder is not there"):
        blobs.copy_to(digest, tmp_path / "none" / "copy")
    with pytest.raises(ArtifactPlaceError, match="it is a folder"):
        blobs.copy_to(digest, tmp_path)


def test_the_place_of_a_store_is_beside_its_file(tmp_path, put):
    """Artifacts of `runs.db` lie in `runs.db.artifacts`, whatever link leads to the store; nothing is made before."""
    (tmp_path / "link").symlink_to(tmp_path / "runs.db")

    blobs = blobs_for(StoreLocation.parse(tmp_path / "link"))

    assert blobs.address == str(tmp_path / "runs.db.artifacts")
    assert not blobs.is_there()
    put(blobs, b"1")
    assert (tmp_path / "runs.db.artifacts").is_dir()
    blobs.close()


def test_a_store_in_memory_has_a_folder_of_its_process(tmp_path, put):
    """Two places of stores in memory are one, so that a reader finds what recording put."""
    one, other = (blobs_for(StoreLocation.parse("memory://")) for _ in range(2))

    digest = put(one, b"in memory").digest

    assert other.has(digest)


def test_synced_blobs_are_kept_as_others(tmp_path, put):
    """With `sync` the same blobs come into being."""
    blobs = LocalBlobStore(tmp_path / "blobs", sync=True)
    source = tmp_path / "large"
    source.write_bytes(os.urandom(LARGE))

    for one in (source, b"small"):
        blobs.verify(put(blobs, one).digest)
    blobs.close()


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_synced_blobs_are_on_the_disk_with_the_folders_that_lead_to_them(tmp_path, put, monkeypatch, link):
    """After a loss of power the first artifact is there: its bytes are synced, and every folder that was made for it."""
    synced, fsync = set(), os.fsync

    def watched(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(LARGE))
    blobs = LocalBlobStore(tmp_path / "a.artifacts", sync=True)

    path = blobs.path_of(put(blobs, source, link=link).digest)

    needed = [path, *list(path.parents)[:4]]
    assert needed[-1] == tmp_path
    assert [str(one) for one in needed if one.stat().st_ino not in synced] == []
    blobs.close()


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_folder_that_is_removed_is_made_again(blobs, put, size):
    """Whoever removes the folder while a process records loses what was in it, and nothing of what comes."""
    put(blobs, os.urandom(size))
    shutil.rmtree(blobs.place)

    digest = put(blobs, os.urandom(size)).digest

    blobs.verify(digest)


def stand_in(path, kind):
    """Put something into the place of a blob's file."""
    path.chmod(0o600)
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a named pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/proc/self/mem")  # its first page gives EIO


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("kind", ["a folder", "a named pipe"])
def test_what_is_no_file_in_the_place_of_a_blob_is_named(blobs, tmp_path, kind, put):
    """Nothing waits for a pipe's other end: the bytes are missing, and the text says what is there instead."""
    digest = put(blobs, b"bytes").digest
    path = blobs.path_of(digest)
    stand_in(path, kind)

    assert not blobs.has(digest)
    assert blobs.path_of(digest) is None
    assert list(blobs.digests()) == []
    calls = (
        blobs.open,
        blobs.verify,
        blobs.folder,
        blobs.size_bytes,
        lambda one: blobs.copy_to(one, tmp_path / "t"),
    )
    for call in calls:
        with pytest.raises(ArtifactMissingError, match=f"{kind} is in the place of its file") as caught:
            call(digest)
        assert f"Remove {path}" in str(caught.value)
    assert blobs.sweep(set).blob_count == 0
    assert path.exists()


def test_a_pipe_in_the_place_of_a_blob_is_replaced_when_the_bytes_are_logged_again(blobs, put):
    """The advice of the error works."""
    digest = put(blobs, b"bytes").digest
    stand_in(blobs.path_of(digest), "a named pipe")

    put(blobs, b"bytes")

    blobs.verify(digest)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here gives an error of the disk")
def test_what_the_disk_does_not_give_back_is_damage_of_the_blob(blobs, tmp_path, put):
    """An error of the disk is told of the artifact, and not of the file to which it is copied."""
    digest = put(blobs, b"bytes").digest
    stand_in(blobs.path_of(digest), "the disk's error")
    target = tmp_path / "target"

    def read(one):
        with blobs.open(one) as source:
            source.read()

    for call in (read, blobs.verify, blobs.folder, lambda one: blobs.copy_to(one, target)):
        with pytest.raises(ArtifactDamagedError, match=r"has bytes that cannot be read .Input/output error"):
            call(digest)
    assert not target.exists()
    put(blobs, b"bytes")
    blobs.verify(digest)
