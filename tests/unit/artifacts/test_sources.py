"""What is given to be kept and cannot be: each has an error of ours, and leaves nothing behind."""

import os
import socket
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_experiments.artifacts.hashing import PIECE_BYTES
from otel_experiments.errors import ArtifactPlaceError, ArtifactSourceError

LARGE = 5 * PIECE_BYTES


@pytest.fixture
def source_of(tmp_path):
    """Return the function that makes a source which cannot be kept."""
    sockets = []

    def make(kind):
        path = tmp_path / kind
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            sockets.append(socket.socket(socket.AF_UNIX))
            sockets[0].bind(str(path))
        elif kind == "device":
            return Path(os.devnull)
        elif kind == "link loop":
            path.symlink_to(path)
        elif kind == "link to nothing":
            path.symlink_to(tmp_path / "nothing")
        elif kind == "folder":
            path.mkdir()
        elif kind == "NUL":
            return Path("a\0b")
        elif kind == "long name":
            return tmp_path / ("n" * 10_000)
        elif kind == "below a file":
            path.write_bytes(b"1")
            return path / "x"
        return path

    yield make
    for one in sockets:
        one.close()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("pipe", "it is a named pipe"),
        ("socket", "it is a socket"),
        ("device", "it is a device"),
        ("link loop", "its links lead in a circle"),
        ("link to nothing", "there is no such file"),
        ("missing", "there is no such file"),
        ("folder", "it is a folder"),
        ("NUL", "no file has a NUL in its name"),
        ("long name", "its path is longer than the system takes"),
        ("below a file", "a part of its path is a file"),
    ],
)
def test_what_is_no_file_is_refused_at_once(blobs, source_of, kind, why):
    """Whatever has no bytes of its own is named with the reason, without waiting for it."""
    with pytest.raises(ArtifactSourceError) as caught, blobs.adding() as adding:
        adding.put_file(source_of(kind))

    assert caught.value.why == why
    assert len(str(caught.value)) < 500
    assert list(blobs.digests()) == []
    assert blobs.partials() == []


def test_a_file_that_may_not_be_read_is_refused(blobs, tmp_path):
    """The error says that it is the right to read which is missing."""
    source = tmp_path / "secret"
    source.write_bytes(b"1")
    source.chmod(0)

    with without_rights_of_root(), pytest.raises(ArtifactSourceError, match="it may not be read"):
        blobs.prepare_file(source)


@contextmanager
def without_rights_of_root():
    """Be a user who is not root."""
    before = os.geteuid()
    if not before:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_source_that_is_written_to_is_not_kept(blobs, tmp_path):
    """A file that changes each time it is read is refused, and its partial copy removed."""
    source = tmp_path / "growing"
    source.write_bytes(os.urandom(LARGE))

    with appending_to(source), pytest.raises(ArtifactSourceError, match="it changed while it was read"):
        blobs.prepare_file(source, link="copy")

    assert blobs.partials() == []
    assert list(blobs.digests()) == []


@contextmanager
def appending_to(path):
    """Append to a file all the time, as a program does that still writes it."""
    stop = threading.Event()

    def append():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")

    thread = threading.Thread(target=append)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_stream_that_gives_text_is_refused(blobs, tmp_path):
    """A file that is open for text has no bytes; the error says how to open it."""
    path = tmp_path / "text"
    path.write_text("text", encoding="utf-8")

    with path.open(encoding="utf-8") as stream, pytest.raises(ArtifactSourceError, match="'rb'"):
        blobs.prepare_stream(stream)

    assert blobs.partials() == []


def test_what_a_stream_raises_is_the_programs_own(blobs):
    """An exception of the user's readable passes as it is, and nothing is left."""

    class Broken:
        def read(self, size):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        blobs.prepare_stream(Broken())

    assert blobs.partials() == []


def test_no_link_leads_out_of_a_folder(blobs, tmp_path, put):
    """Links inside a folder are kept as the files they lead to, links out of it are left out and named."""
    (tmp_path / "secret").write_bytes(b"secret")
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x").write_bytes(b"1")
    (folder / "inside").symlink_to("sub/x")
    (folder / "again").symlink_to("sub")
    (folder / "outside").symlink_to(tmp_path / "secret")
    (folder / "nothing").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")

    kept = put(blobs, folder)

    assert [entry.path for entry in blobs.folder(kept.digest)] == ["again/x", "inside", "sub/x"]
    assert kept.left_out == (
        "nothing: it is a link to nothing",
        "outside: it is a link out of the folder",
        "pipe: it is a named pipe",
    )


def test_a_loop_of_links_is_an_error(blobs, tmp_path, put):
    """A folder whose links lead in a circle has no end, and nothing of it is kept."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "large").write_bytes(os.urandom(LARGE))
    (folder / "sub" / "up").symlink_to("..")

    with pytest.raises(ArtifactSourceError, match="links in it lead in a circle"):
        put(blobs, folder)

    assert blobs.partials() == []
    assert list(blobs.digests()) == []


@pytest.mark.skipif(sys.platform == "darwin", reason="this system has no names that are not UTF-8")
def test_names_that_no_list_can_hold_are_left_out(blobs, tmp_path, put):
    """A name that is not UTF-8, or has a backslash, is counted and named; the other files are kept."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (b"good", b"bad\xff", b"back\\slash"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(b"1")

    kept = put(blobs, folder)

    assert [entry.path for entry in blobs.folder(kept.digest)] == ["good"]
    assert sorted(one.partition(":")[0] for one in kept.left_out) == ["back\\slash", "bad\\udcff"]


def test_a_source_that_changed_before_it_was_placed_is_found(blobs, tmp_path, put):
    """Bytes that were there when a file was prepared, and were removed since, are read again and compared."""
    source = tmp_path / "data"
    source.write_bytes(b"1" * LARGE)
    put(blobs, source)
    same, other = blobs.prepare_file(source), blobs.prepare_file(source)
    blobs.sweep(set)

    with blobs.adding() as adding:
        assert adding.place(same).was_there is False
    blobs.sweep(set)
    source.write_bytes(b"2" * LARGE)
    with blobs.adding() as adding, pytest.raises(ArtifactSourceError, match="changed"):
        adding.place(other)
    assert list(blobs.digests()) == []


def test_a_hard_link_is_the_file_itself(blobs, tmp_path, put):
    """With `hardlink` nothing is copied, the file becomes read-only, and a later write to it is found when it is read."""
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(LARGE))

    digest = put(blobs, source, link="hardlink").digest

    assert source.samefile(blobs.path_of(digest))
    assert not source.stat().st_mode & 0o222
    blobs.verify(digest)
    source.chmod(0o600)
    with source.open("r+b") as file:
        file.write(b"changed")
    with pytest.raises(ValueError, match="damaged"):
        blobs.verify(digest)


def test_a_hard_link_to_another_filesystem_is_refused(blobs):
    """Where a link cannot be, the error says so, and nothing is copied instead."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == Path("/tmp").stat().st_dev:
        pytest.skip("this machine has no second filesystem at /dev/shm")
    source = other / f"otel-experiments-{os.getpid()}"
    source.write_bytes(b"1")
    try:
        with pytest.raises(ArtifactPlaceError, match="another filesystem"):
            blobs.prepare_file(source, link="hardlink")
    finally:
        source.unlink()
