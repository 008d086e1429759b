"""Which stores keep bytes in a place: the notes that they leave there."""

import json
import os
import platform
from pathlib import Path

import pytest

from otel_experiments.artifacts.place import blobs_for
from otel_experiments.artifacts.remote import RemoteBlobs
from otel_experiments.errors import ArtifactsUnknownError
from otel_experiments.model.store_location import StoreLocation


def place_of(store, address=None):
    """Return the place of a store, which is made, and into which bytes were put."""
    store.parent.mkdir(exist_ok=True)
    store.touch()
    blobs = blobs_for(StoreLocation.parse(store), address and str(address))
    with blobs.adding() as adding:
        adding.put_bytes(b"bytes")
    return blobs


def known(blobs):
    """Return the paths of the stores that are noted, and whether each is there."""
    return {user.path: user.is_here for user in blobs.users()}


def test_stores_that_put_bytes_are_noted_once(tmp_path):
    """Each store is noted by its path when it first keeps something, however often it does."""
    shared = tmp_path / "disk" / "shared"
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    for store in (one, two, one):
        blobs = place_of(store, shared)

    assert known(blobs) == {str(one): True, str(two): True}
    assert len(list((shared / "stores").iterdir())) == 2


def test_who_only_reads_is_not_noted(tmp_path):
    """Reading, counting and a store in memory leave no note."""
    store, shared = tmp_path / "one.db", tmp_path / "disk" / "shared"
    blobs = blobs_for(StoreLocation.parse("memory://"), str(shared))
    with blobs.adding() as adding:
        digest = adding.put_bytes(b"bytes").digest
    reader = blobs_for(StoreLocation.parse(store), str(shared))
    reader.verify(digest)
    reader.sweep(lambda: {digest})

    assert known(reader) == {}


def test_a_store_whose_file_is_gone_is_known_as_that(tmp_path):
    """A moved or deleted store is not here, and neither is one whose file was never made."""
    store = tmp_path / "one.db"
    blobs = place_of(store, tmp_path / "disk" / "shared")
    store.rename(tmp_path / "moved.db")

    assert known(blobs) == {str(store): False}


def test_journals_alone_are_a_store(tmp_path):
    """On a network filesystem a store has no file while it is recorded."""
    store = tmp_path / "one.db"
    blobs = place_of(store, tmp_path / "disk" / "shared")
    store.unlink()
    (tmp_path / "one.db.journals").mkdir()

    assert known(blobs) == {str(store): True}


@pytest.mark.parametrize("address", [None, "shared"])
def test_a_folder_that_is_moved_with_its_stores_knows_them(tmp_path, address):
    """The store that a folder lies beside, and any in the same folder, are found after all was moved or copied."""
    here, there = tmp_path / "here", tmp_path / "there"
    place_of(here / "one.db", address and here / address)
    here.rename(there)
    moved = blobs_for(StoreLocation.parse(there / "one.db"), address and str(there / address))

    assert known(moved) == {str(there / "one.db"): True}


def test_a_store_that_is_renamed_with_its_folder_is_known(tmp_path):
    """The folder beside a store is named after it, and belongs to the store that has its name."""
    place_of(tmp_path / "one.db")
    (tmp_path / "one.db").rename(tmp_path / "two.db")
    (tmp_path / "one.db.artifacts").rename(tmp_path / "two.db.artifacts")

    assert known(blobs_for(StoreLocation.parse(tmp_path / "two.db"))) == {str(tmp_path / "two.db"): True}


def test_a_store_of_another_machine_is_told_from_one_of_the_same_path(tmp_path):
    """The file at the path is that store only if it is the very file, as of a shared disk or a container's volume."""
    store = tmp_path / "one.db"
    blobs = place_of(store, tmp_path / "disk" / "shared")
    (note,) = (blobs.place / "stores").iterdir()
    facts = json.loads(note.read_bytes())
    assert facts == {"store": str(store), "host": platform.node(), "inode": store.stat().st_ino}

    note.write_text(json.dumps(facts | {"host": "elsewhere"}))
    assert known(blobs) == {str(store): True}
    note.write_text(json.dumps(facts | {"host": "elsewhere", "inode": 1}))
    assert [(user.is_here, user.host) for user in blobs.users()] == [(False, "elsewhere")]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"store": 5}', b"\xff"])
def test_a_note_that_cannot_be_read_is_named(tmp_path, data):
    """Nobody knows which store it is of, so nothing may be taken for unused."""
    blobs = place_of(tmp_path / "one.db")
    (note,) = (blobs.place / "stores").iterdir()
    note.write_bytes(data)

    with pytest.raises(ArtifactsUnknownError, match=str(note)):
        blobs.users()


def test_a_forgotten_store_is_noted_again_when_it_keeps_something(tmp_path):
    """Its note goes, and comes back with the next process that puts bytes for it."""
    store = tmp_path / "one.db"
    blobs = place_of(store)
    blobs.forget(*blobs.users())
    assert known(blobs) == {}

    assert known(place_of(store)) == {str(store): True}


def test_a_folder_that_is_made_anew_gets_the_note_again(tmp_path):
    """Somebody removed the folder while a process recorded: what it puts then is noted as before."""
    import shutil

    blobs = place_of(tmp_path / "one.db")
    shutil.rmtree(blobs.place)
    with blobs.adding() as adding:
        adding.put_bytes(b"more")

    assert known(blobs) == {str(tmp_path / "one.db"): True}


def test_an_url_has_notes_as_well(tmp_path):
    """Stores that keep bytes at an URL are noted there."""
    pytest.importorskip("fsspec")
    store = tmp_path / "one.db"
    store.touch()
    address = f"memory://notes-{os.getpid()}"
    for _ in range(2):
        blobs = RemoteBlobs(address, store=store)
        with blobs.adding() as adding:
            digest = adding.put_bytes(b"bytes").digest
            assert adding.hold(digest)
            assert not adding.hold(f"sha256:{'0' * 64}")

    assert known(blobs) == {str(Path(store)): True}
    blobs.forget(*blobs.users())
    assert known(blobs) == {}
