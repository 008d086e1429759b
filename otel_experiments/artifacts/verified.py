"""A readable of a blob that never ends in silence on bytes which are not those of its digest."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, BinaryIO

from otel_experiments.artifacts.hashing import PIECE_BYTES
from otel_experiments.errors import ArtifactDamagedError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of `collections.abc` from Python 3.12 on


class VerifiedReader(io.RawIOBase):
    """Reads a file from its beginning to its end and compares the digest there.

    The last bytes are compared before they are returned. A `seek` gets to places before the end is read, so the first
    one reads the whole file to check it.
    """

    def __init__(self, source: io.RawIOBase, *, digest: str, path: str, size_bytes: int) -> None:
        super().__init__()
        self.name = path
        self._source, self._digest = source, digest
        self._state = hashlib.sha256(usedforsecurity=False)
        self._size_bytes, self._hashed, self._is_checked = size_bytes, 0, False

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, after the whole file was checked."""
        return self._source.seekable()

    def readinto(self, buffer: Buffer) -> int:
        """Read the next bytes; raises ArtifactDamagedError at the end when the digest is another one."""
        count = self._source.readinto(buffer)
        if self._is_checked:
            return int(count or 0)
        if not count:
            self._compare()
            return 0
        self._state.update(memoryview(buffer)[:count])
        self._hashed += count
        if self._hashed >= self._size_bytes:
            self._check_rest()
        return int(count)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; the first time the file is checked whole, unless nothing moves."""
        if not self._is_checked:
            here = self._source.tell()
            if (whence == os.SEEK_SET and offset == here) or (whence == os.SEEK_CUR and not offset):
                return here
            self._check_rest()
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._source.tell()

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        super().close()

    def _check_rest(self) -> None:
        here = self._source.tell()
        while piece := self._source.read(PIECE_BYTES):
            self._state.update(piece)
        self._compare()
        self._source.seek(here)

    def _compare(self) -> None:
        found = f"sha256:{self._state.hexdigest()}"
        if found != self._digest:
            raise ArtifactDamagedError(digest=self._digest, path=self.name, found=f"the digest {found}")
        self._is_checked = True


def open_verified(source: io.RawIOBase, *, digest: str, path: str, size_bytes: int) -> BinaryIO:
    """Return a readable of `source`, which it closes, that is checked as it is read."""
    return io.BufferedReader(
        VerifiedReader(source, digest=digest, path=path, size_bytes=size_bytes), 128 * 1024
    )
