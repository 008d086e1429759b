"""Where the filesystem can, a file that is kept shares its blocks with the file that was given."""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from otel_experiments.artifacts.local_store import LocalBlobStore

DISK_BYTES = 320 << 20
SIZE_BYTES = 4 << 20
FIEMAP = 0xC020660B
"""The ioctl that tells where the blocks of a file are. Source: linux/fs.h, linux/fiemap.h."""
SHARED = 0x2000


@pytest.fixture(scope="module", params=["btrfs", "xfs"])
def disk(request):
    """A filesystem in a file that can share blocks, outside of pytest's folders, which it may delete while they are in use."""
    make = shutil.which(f"mkfs.{request.param}")
    if make is None:
        pytest.skip(f"mkfs.{request.param} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="otel-experiments-disk-"))
    image, place = folder / "image", folder / "mounted"
    place.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run([make, "-q", str(image)], check=True, capture_output=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(f"this user cannot mount a disk: {mounted.stderr.decode().strip()}")
        try:
            yield place
        finally:
            # Lazily: a store that is not collected yet may have a file open.
            subprocess.run(["umount", "-l", place], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shares_all_blocks(path):
    """Tell whether other files have every block of this one, too."""
    request = bytearray(struct.pack("=QQLLLL", 0, 2**64 - 1, 1, 0, 100, 0) + bytes(56 * 100))
    with path.open("rb") as file:
        fcntl.ioctl(file, FIEMAP, request)
    (count,) = struct.unpack_from("=L", request, 20)
    flags = [struct.unpack_from("=L", request, 32 + 56 * index + 40)[0] for index in range(count)]
    return bool(flags) and all(flag & SHARED for flag in flags)


def test_a_file_on_the_same_disk_is_kept_without_a_copy(disk):
    """No second copy of a model: the blob has the blocks of the file, and stays as it was when the file changes."""
    source = disk / "model.bin"
    content = os.urandom(SIZE_BYTES)
    source.write_bytes(content)
    blobs = LocalBlobStore(disk / "blobs")

    with blobs.adding() as adding:
        put = adding.put_file(source)

    blob = blobs.path_of(put.digest)
    assert shares_all_blocks(blob)
    with source.open("r+b") as file:
        file.write(b"changed")
    assert blob.read_bytes() == content
    with blobs.open(put.digest) as opened:
        assert opened.read() == content


def test_a_copy_that_is_asked_for_shares_nothing(disk):
    """`link="copy"` has blocks of its own, as a backup wants them."""
    source = disk / "copied.bin"
    source.write_bytes(os.urandom(SIZE_BYTES))
    blobs = LocalBlobStore(disk / "copies")

    with blobs.adding() as adding:
        put = adding.put_file(source, link="copy")

    os.sync()
    assert not shares_all_blocks(blobs.path_of(put.digest))


def test_a_file_of_another_disk_is_copied(disk, tmp_path):
    """Blocks cannot be shared between disks; the file is kept all the same."""
    source = tmp_path / "elsewhere.bin"
    source.write_bytes(b"elsewhere" * 1000)
    blobs = LocalBlobStore(disk / "blobs")

    with blobs.adding() as adding:
        put = adding.put_file(source)

    assert blobs.path_of(put.digest).read_bytes() == source.read_bytes()
