"""A local folder of blobs: `sha256/ab/<64 hex>`, read-only files that come into being by a rename.

What is killed in the middle of writing leaves a partial file and no blob. A blob with other bytes than its name says,
which only something else can have made, is replaced when the right bytes are logged again.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from otel_experiments.artifacts.copy_out import copy_out
from otel_experiments.artifacts.folder_list import NoListError, decode_list
from otel_experiments.artifacts.hashing import Read, read_hashed, reader_of
from otel_experiments.artifacts.left_out import FIX, FOUND, LeftOutNotes
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.artifacts.source import odd_kind
from otel_experiments.artifacts.verified import open_verified
from otel_experiments.errors import ArtifactDamagedError, ArtifactMissingError
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.model.bundle import WhyLeftOut
from otel_experiments.process.interruption import Swallowing, pass_on

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of `collections.abc` from Python 3.12 on

BLOBS_FOLDER: Final = "sha256"
_MISSING_FOLDER: Final = "there is no such folder"


class LocalBlobs:
    """The blobs of a folder, for readers."""

    def __init__(self, place: Path, *, address: str = "") -> None:
        """Refer to a folder, which need not be there. `address` is what the user calls it; else its path."""
        self.place, self.address = place, address or str(place)
        self._start = f"{place}/{BLOBS_FOLDER}/"
        self._left_out = LeftOutNotes(place)

    def is_there(self) -> bool:
        """Whether the folder is there."""
        return self.place.is_dir()

    def path_of(self, digest: str) -> Path | None:
        """Return the file of a blob; None where there is none."""
        return Path(self._path(digest)) if self.has(digest) else None

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._size(digest) is not None

    def why_left_out(self, digest: str) -> WhyLeftOut | None:
        """Return why a bundle was made without the blob, which is not here."""
        return None if self.has(digest) else self._left_out.why(digest)

    def size_bytes(self, digest: str) -> int:
        """Return the size of a blob."""
        size = self._size(digest)
        if size is None:
            raise self._missing(digest)
        return size

    def open(self, digest: str) -> BinaryIO:
        """Return a readable that checks what is read."""
        descriptor = self._opened(digest)
        size = os.fstat(descriptor).st_size
        source = _BlobFile(descriptor, partial(self._unreadable, digest))
        return open_verified(source, digest=digest, path=self._path(digest), size_bytes=size)

    def verify(self, digest: str) -> None:
        """Read the whole blob."""
        descriptor = self._opened(digest)
        try:
            digits, _ = read_hashed(self._reading(descriptor, digest))
        finally:
            os.close(descriptor)
        if digest != DIGEST_START + digits:
            raise self._damaged(digest, f"the digest {DIGEST_START}{digits}")

    def folder(self, digest: str) -> tuple[FolderEntry, ...]:
        """Return the files of a folder."""
        with self.open(digest) as source:
            data = source.read()
        try:
            return decode_list(data)
        except NoListError as error:
            raise self._damaged(digest, f"no usable list: {error}") from None

    def copy_to(self, digest: str, target: Path) -> None:
        """Write a blob to a file, as a whole or not at all."""
        descriptor = self._opened(digest)
        try:
            read = self._reading(descriptor, digest)
            copy_out(descriptor, read, target, digest=digest, path=self._path(digest))
        finally:
            os.close(descriptor)

    def _path(self, digest: str) -> str:
        digits = digest.removeprefix(DIGEST_START)
        return f"{self._start}{digits[:2]}/{digits}"

    def _size(self, digest: str) -> int | None:
        """Return the size of a blob's file; None where there is none, or something that is no file."""
        try:
            facts = os.stat(self._path(digest))  # noqa: PTH116 - a text
        except (FileNotFoundError, NotADirectoryError):
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def _opened(self, digest: str) -> int:
        try:  # without waiting for who writes to a pipe
            descriptor = os.open(
                self._path(digest), os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
            )
        except OSError as error:
            pass_on(error)
            raise self._missing(digest, error) from error
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        raise self._missing(digest)

    def _reading(self, descriptor: int, digest: str) -> Read:
        """Return a function that reads a blob's file; what the disk does not give back is damaged."""
        read = reader_of(descriptor)

        def read_blob(buffer: memoryview) -> int:
            try:
                return read(buffer)
            except OSError as error:
                pass_on(error)
                raise self._unreadable(digest, error) from error

        return read_blob

    def _unreadable(self, digest: str, error: OSError) -> ArtifactDamagedError:
        return self._damaged(digest, f"bytes that cannot be read ({error.strerror or error})")

    def _missing(self, digest: str, error: OSError | None = None) -> ArtifactMissingError:
        if not self.is_there():
            return ArtifactMissingError(digest=digest, place=self.address, found=_MISSING_FOLDER)
        path = self._path(digest)
        if (error is None or error.errno == errno.ENXIO) and (what := _odd_kind(path)):
            return ArtifactMissingError(
                digest=digest,
                place=self.address,
                found=f"{what} is in the place of its file",
                fix=f"Remove {path}, and put back a copy of the file, or log the same bytes again.",
            )
        if error is None or isinstance(error, FileNotFoundError):
            if self._left_out.why(digest) is not None:
                return ArtifactMissingError(
                    digest=digest, place=self.address, found=FOUND, fix=FIX, is_lost=False
                )
            return ArtifactMissingError(digest=digest, place=self.address)
        return ArtifactMissingError(
            digest=digest, place=self.address, found=f"it cannot be read ({error.strerror})"
        )

    def _damaged(self, digest: str, found: str) -> ArtifactDamagedError:
        return ArtifactDamagedError(digest=digest, path=self._path(digest), found=found)


class _BlobFile(io.FileIO):
    """The file of a blob; what the disk does not give back is raised as an error of the blob."""

    def __init__(self, descriptor: int, error_of: Callable[[OSError], Exception]) -> None:
        super().__init__(descriptor, "rb")
        self._error_of = error_of

    def readinto(self, buffer: Buffer, /) -> int:
        """Read the next bytes."""
        try:
            return int(super().readinto(buffer) or 0)
        except OSError as error:
            pass_on(error)
            raise self._error_of(error) from error

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        try:
            return super().read(size) or b""
        except OSError as error:
            pass_on(error)
            raise self._error_of(error) from error


def _odd_kind(path: str) -> str:
    """Return what is at a path that is no file; empty for a file, and where nothing is."""
    with Swallowing(OSError):
        mode = os.stat(path).st_mode  # noqa: PTH116 - a text
        return "a folder" if stat.S_ISDIR(mode) else odd_kind(mode)
    return ""
