"""Bytes of artifacts at an URL: the same promises as in a local folder, through fsspec."""

import os
import secrets
import subprocess
import sys

import pytest

fsspec = pytest.importorskip("fsspec")

from otel_experiments.artifacts.hashing import PIECE_BYTES  # noqa: E402 - after what may be missing
from otel_experiments.artifacts.place import blobs_for  # noqa: E402
from otel_experiments.artifacts.remote import RemoteBlobs  # noqa: E402
from otel_experiments.errors import (  # noqa: E402
    ArtifactDamagedError,
    ArtifactMissingError,
    ArtifactPlaceError,
    ArtifactSourceError,
    MissingPackageError,
)
from otel_experiments.model.store_location import StoreLocation  # noqa: E402

LARGE = 5 * PIECE_BYTES + 3
LOCATION = StoreLocation.parse("runs.db")


@pytest.fixture
def address():
    """An URL of this process's memory that nobody else uses."""
    return f"memory://{secrets.token_hex(8)}/blobs"


@pytest.fixture
def remote(address):
    """The place at that URL."""
    return blobs_for(LOCATION, address)


@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_what_is_kept_comes_back(remote, tmp_path, put, size):
    """A file of any size is uploaded once, under its digest, and read back as it was."""
    source = tmp_path / "data"
    source.write_bytes(data := os.urandom(size))

    first, again = put(remote, source), put(remote, data)

    assert (first.size_bytes, first.was_there, again.was_there) == (size, False, True)
    assert first.digest == again.digest
    with remote.open(first.digest) as reader:
        assert reader.read() == data
    remote.copy_to(first.digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert [blob.digest for blob in remote.digests()] == [first.digest]
    assert remote.partials() == []
    assert remote.path_of(first.digest) is None


def test_streams_and_folders_are_kept(remote, blobs, tmp_path, put):
    """A folder has the digest that it has in a local folder; a stream that of its bytes."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x").write_bytes(os.urandom(LARGE))
    (folder / "y").write_bytes(b"1")

    kept = put(remote, folder)
    with (folder / "sub" / "x").open("rb") as stream, remote.adding() as adding:
        streamed = adding.put_stream(stream)

    assert kept == put(blobs, folder)
    assert streamed.was_there
    assert [entry.path for entry in remote.folder(kept.digest)] == ["sub/x", "y"]


def test_damaged_bytes_are_never_served_in_silence(remote, put, tmp_path):
    """What was changed behind our back is named, whichever way it is read."""
    digest = put(remote, b"weights").digest
    path = remote._path(digest)
    fsspec.filesystem("memory").pipe(path, b"changed")

    with remote.open(digest) as reader, pytest.raises(ArtifactDamagedError, match=remote.address):
        reader.read()
    with pytest.raises(ArtifactDamagedError):
        remote.verify(digest)
    with pytest.raises(ArtifactDamagedError):
        remote.copy_to(digest, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_is_missing_is_named(remote):
    """The error has the digest and the URL."""
    digest = f"sha256:{'0' * 64}"

    with pytest.raises(ArtifactMissingError, match=remote.address):
        remote.open(digest)
    with pytest.raises(ArtifactMissingError, match=digest):
        remote.folder(digest)
    assert not remote.is_there()


def test_a_source_that_changed_since_it_was_hashed_is_not_kept(remote, tmp_path):
    """Bytes are compared while they are uploaded; nothing is left of other ones."""
    source = tmp_path / "data"
    source.write_bytes(b"first")
    prepared = remote.prepare_file(source)
    source.write_bytes(b"other")

    with remote.adding() as adding, pytest.raises(ArtifactSourceError, match="changed"):
        adding.place(prepared)

    assert (list(remote.digests()), remote.partials()) == ([], [])


def test_only_what_is_old_and_unused_is_swept(address, put):
    """Without a lock time decides: young bytes stay, old ones go unless they are in use, and are written anew when named."""
    young = blobs_for(LOCATION, address)
    kept, unused = put(young, b"kept").digest, put(young, b"unused").digest
    fsspec.filesystem("memory").pipe(young._root + "/partial/1-ab", b"rest")

    assert young.sweep(lambda: {kept}).blob_count == 0
    old = RemoteBlobs(address, refresh_s=0, grace_s=0)
    assert old.sweep(lambda: {kept}, dry_run=True).blob_bytes == len(b"unused")
    swept = old.sweep(lambda: {kept})

    assert (swept.blob_count, swept.partial_count, swept.kept_count) == (1, 1, 1)
    assert (old.has(kept), old.has(unused)) == (True, False)
    assert not put(old, b"kept").was_there


def test_a_file_url_is_a_local_folder(tmp_path, put):
    """`file://` has locks and renames, so it is used as a path is."""
    local = blobs_for(LOCATION, f"file://{tmp_path}/kept")

    digest = put(local, b"1").digest

    assert local.path_of(digest).is_relative_to(tmp_path / "kept")
    local.close()


def test_an_url_of_no_known_kind_is_refused():
    """The error says which kinds there are to choose from."""
    with pytest.raises(ArtifactPlaceError, match="s3://BUCKET/PATH"):
        blobs_for(LOCATION, "nowhere://bucket/path")


def test_hard_links_are_of_local_folders(remote, tmp_path):
    """An URL takes no hard link, and says so."""
    with pytest.raises(ArtifactPlaceError, match="no hard links"):
        remote.prepare_file(tmp_path / "x", link="hardlink")


def test_importing_artifacts_does_not_import_fsspec():
    """Who keeps artifacts in a folder does not pay for URLs."""
    program = (
        "import sys; import otel_experiments.artifacts.place as p; "
        "from otel_experiments.model.store_location import StoreLocation as L; p.blobs_for(L.parse('x.db')); "
        "print('fsspec' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout == "False\n"


def test_a_package_that_fsspec_misses_is_named_with_the_command_that_installs_it():
    """A URL whose filesystem is another package says which, and not the whole sentence of fsspec."""
    fsspec.register_implementation(
        "absent",
        "absent_filesystem.core.Absent",
        errtxt="Install absent_filesystem to access Absent",
        clobber=True,
    )

    with pytest.raises(MissingPackageError) as raised:
        RemoteBlobs("absent://bucket/x").has("sha256:" + "0" * 64)

    assert raised.value.package == "absent_filesystem"
    assert str(raised.value) == (
        "Artifacts at absent://bucket/x needs the package 'absent_filesystem', which is not installed.\n"
        "  Install it: pip install absent_filesystem"
    )


def test_a_server_that_does_not_answer_is_named():
    """A URL whose filesystem connects at once, and whose server is down, is a place that takes nothing."""
    with pytest.raises(ArtifactPlaceError, match=r"ftp://127\.0\.0\.1:9/x.*refused"):
        RemoteBlobs("ftp://127.0.0.1:9/x")


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a real S3 server on this machine."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    server = pytest.importorskip("moto.server", reason="moto's server is not installed").ThreadedMotoServer(
        "127.0.0.1", 0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", use_listings_cache=False).mkdir("bucket")
    yield "s3://bucket/experiments"
    server.stop()
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_s3_keeps_them_as_a_folder_does(bucket, blobs, tmp_path, put):
    """Against a server that speaks S3: put, read, list, verify, sweep."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(LARGE))
    remote = blobs_for(LOCATION, bucket)

    kept = put(remote, folder)
    unused = put(remote, b"unused").digest

    assert kept == put(blobs, folder)
    for entry in remote.folder(kept.digest):
        remote.verify(entry.digest)
    with remote.open(kept.digest) as reader:
        reader.seek(-1, os.SEEK_END)
        assert reader.read() == b"}"
    in_use = {kept.digest, *(entry.digest for entry in remote.folder(kept.digest))}
    assert RemoteBlobs(bucket, grace_s=0).sweep(lambda: in_use).blob_count == 1
    assert not remote.has(unused)
    assert remote.partials() == []


def test_what_a_bundle_left_out_is_noted_until_it_comes(address, put):
    """At an URL it is a note as in a local folder: the bytes remove it when they come, a sweep when nothing names them."""
    remote = RemoteBlobs(address, grace_s=0.0)
    digest = put(RemoteBlobs(f"{address}-elsewhere"), b"weights").digest
    other = put(RemoteBlobs(f"{address}-elsewhere"), b"other").digest
    with remote.adding():
        remote.note_left_out(digest, "too large")
        remote.note_left_out(other, "not asked for")

    assert (remote.why_left_out(digest), remote.why_left_out(other)) == ("too large", "not asked for")
    with pytest.raises(ArtifactMissingError, match="left out of the bundle"):
        remote.open(digest)
    put(RemoteBlobs(address), b"weights")
    remote.sweep(lambda: [digest])
    assert (remote.has(digest), remote.why_left_out(digest), remote.why_left_out(other)) == (True, None, None)
    fsspec.filesystem("memory").rm_file(remote._path(digest))
    assert RemoteBlobs(address).why_left_out(digest) is None
