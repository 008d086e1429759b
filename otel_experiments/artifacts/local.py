"""A local folder of blobs: `sha256/ab/<64 hex>`, read-only files that come into being by a rename.

What is killed in the middle of writing leaves a partial file and no blob. A blob with other bytes than its name says,
which only something else can have made, is replaced when the right bytes are logged again.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, Final

from otel_experiments.artifacts.copy_out import copy_out
from otel_experiments.artifacts.folder_list import NoListError, decode_list
from otel_experiments.artifacts.hashing import read_hashed, reader_of
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.artifacts.verified import open_verified
from otel_experiments.errors import ArtifactDamagedError, ArtifactMissingError
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.process.interruption import pass_on

BLOBS_FOLDER: Final = "sha256"
_MISSING_FOLDER: Final = "there is no such folder"


class LocalBlobs:
    """The blobs of a folder, for readers."""

    def __init__(self, place: Path, *, address: str = "") -> None:
        """Refer to a folder, which need not be there. `address` is what the user calls it; else its path."""
        self.place, self.address = place, address or str(place)
        self._start = f"{place}/{BLOBS_FOLDER}/"

    def is_there(self) -> bool:
        """Whether the folder is there."""
        return self.place.is_dir()

    def path_of(self, digest: str) -> Path | None:
        """Return the file of a blob; None where there is none."""
        return Path(self._path(digest)) if self.has(digest) else None

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._size(digest) is not None

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
        source = io.FileIO(descriptor, "rb")
        return open_verified(source, digest=digest, path=self._path(digest), size_bytes=size)

    def verify(self, digest: str) -> None:
        """Read the whole blob."""
        descriptor = self._opened(digest)
        try:
            digits, _ = read_hashed(reader_of(descriptor))
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
            copy_out(descriptor, target, digest=digest, path=self._path(digest))
        finally:
            os.close(descriptor)

    def _path(self, digest: str) -> str:
        digits = digest.removeprefix(DIGEST_START)
        return f"{self._start}{digits[:2]}/{digits}"

    def _size(self, digest: str) -> int | None:
        try:
            return os.stat(self._path(digest)).st_size  # noqa: PTH116 - a text
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _opened(self, digest: str) -> int:
        try:
            return os.open(self._path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            pass_on(error)
            raise self._missing(digest, error) from error

    def _missing(self, digest: str, error: OSError | None = None) -> ArtifactMissingError:
        if not self.is_there():
            return ArtifactMissingError(digest=digest, place=self.address, found=_MISSING_FOLDER)
        if error is None or isinstance(error, FileNotFoundError):
            return ArtifactMissingError(digest=digest, place=self.address)
        return ArtifactMissingError(
            digest=digest, place=self.address, found=f"it cannot be read ({error.strerror})"
        )

    def _damaged(self, digest: str, found: str) -> ArtifactDamagedError:
        return ArtifactDamagedError(digest=digest, path=self._path(digest), found=found)
