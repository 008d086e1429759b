"""The bytes of artifacts that a bundle holds, for readers: `artifacts.protocol.Blobs` over its chunks.

Each reading has a connection of its own, so that threads and forked workers are in nobody's way.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from otel_experiments.artifacts.copy_out import copy_read
from otel_experiments.artifacts.folder_list import NoListError, decode_list
from otel_experiments.artifacts.hashing import PIECE_BYTES
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.artifacts.verified import open_verified
from otel_experiments.errors import ArtifactDamagedError, ArtifactMissingError
from otel_experiments.model.artifact import parse_digest
from otel_experiments.model.bundle import WhyLeftOut
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.process.temporary import TemporaryFolder
from otel_experiments.store.sqlite.bundle_format import CHUNK_BYTES, connect

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of `collections.abc` from Python 3.12 on

_made: list[TemporaryFolder] = []
"""Files that were taken out of bundles: one folder a process, since bytes are known by their digest."""
_NOT_IN_IT = "the bundle was made without them"
_ASK = "Ask for a bundle with its artifacts: otel-experiments bundle, without --no-artifacts and --max-artifact-size"


class BundleBlobs:
    """The blobs of a bundle."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._path = path

    def is_there(self) -> bool:
        """Whether the bundle is there."""
        return is_regular(self._path)

    def path_of(self, digest: str) -> Path | None:
        """Return a temporary file with the bytes of a blob, made when it is first asked for; None for one that is not there.

        It is gone when the process ends.
        """
        known = parse_digest(digest)
        if (
            known is None or known[1] or not self.has(digest)
        ):  # what is no digest may be a path that leads elsewhere
            return None
        path = _taken_out().path / digest.rpartition(":")[2]
        if not is_regular(path):
            self.copy_to(digest, path)
        return path

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        with self._connected(digest) as connection:
            return _find(connection, digest) is not None

    def why_left_out(self, digest: str) -> WhyLeftOut | None:
        """Return why the bundle was made without the blob, as its manifest says; None where it is in it."""
        with self._connected(digest) as connection:
            query = "select why from bundle_left_out where digest = ?"
            found: tuple[WhyLeftOut] | None = connection.execute(query, (digest,)).fetchone()
        return None if found is None else found[0]

    def size_bytes(self, digest: str) -> int:
        """Return the size of a blob."""
        with self._connected(digest) as connection:
            return self._found(connection, digest)[1]

    def open(self, digest: str) -> BinaryIO:
        """Return a readable that checks what is read."""
        with self._connected(digest, is_kept=True) as connection:
            blob_id, size_bytes = self._found(connection, digest)
        source = _ChunkReader(connection, blob_id, digest, self.address)
        return open_verified(source, digest=digest, path=self.address, size_bytes=size_bytes)

    def verify(self, digest: str) -> None:
        """Read the whole blob."""
        with self.open(digest) as source:
            while source.read(PIECE_BYTES):
                pass

    def folder(self, digest: str) -> tuple[FolderEntry, ...]:
        """Return the files of a folder."""
        with self.open(digest) as source:
            data = source.read()
        try:
            return decode_list(data)
        except NoListError as error:
            raise ArtifactDamagedError(
                digest=digest, path=self.address, found=f"no usable list: {error}"
            ) from None

    def copy_to(self, digest: str, target: Path) -> None:
        """Write a blob to a file, as a whole or not at all."""
        with self.open(digest) as source:

            def read(buffer: memoryview) -> int:
                piece = source.read(len(buffer))
                buffer[: len(piece)] = piece
                return len(piece)

            copy_read(read, target, digest=digest, path=self.address)

    def _found(self, connection: sqlite3.Connection, digest: str) -> tuple[int, int]:
        found = _find(connection, digest)
        if found is None:
            connection.close()
            raise ArtifactMissingError(
                digest=digest, place=self.address, found=_NOT_IN_IT, fix=_ASK, is_lost=False
            )
        return found

    @contextmanager
    def _connected(self, digest: str, *, is_kept: bool = False) -> Iterator[sqlite3.Connection]:
        """Lend a connection; with `is_kept` it stays open where nothing goes wrong."""
        with _errors(digest, self.address):
            connection = connect(self._path)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if not is_kept:
                connection.close()


class _ChunkReader(io.RawIOBase):
    """Reads the chunks of one blob one after the other."""

    def __init__(self, connection: sqlite3.Connection, blob_id: int, digest: str, address: str) -> None:
        super().__init__()
        self._connection, self._blob_id = connection, blob_id
        self._digest, self._address = digest, address
        self._position = 0
        self._seq, self._chunk = -1, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is: each chunk but the last has one size."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Read up to the end of a chunk."""
        seq, start = divmod(self._position, CHUNK_BYTES)
        if seq != self._seq:
            self._seq, self._chunk = seq, self._read_chunk(seq)
        view = memoryview(buffer).cast("B")
        piece = self._chunk[start : start + len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; raises OSError before the beginning."""
        if whence == io.SEEK_END:
            with _errors(self._digest, self._address):
                counted = "select coalesce(sum(length(data)), 0) from bundle_chunks where blob_id = ?"
                offset += int(self._connection.execute(counted, (self._blob_id,)).fetchone()[0])
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < 0:
            raise OSError(22, "a place before the beginning")
        self._position = offset
        return offset

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._position

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._connection.close()
        super().close()

    def _read_chunk(self, seq: int) -> bytes:
        with _errors(self._digest, self._address):
            query = "select data from bundle_chunks where blob_id = ? and seq = ?"
            row = self._connection.execute(query, (self._blob_id, seq)).fetchone()
        return row[0] if row is not None and isinstance(row[0], bytes) else b""


def _taken_out() -> TemporaryFolder:
    if not _made:
        _made.append(TemporaryFolder())
    return _made[0]


def _find(connection: sqlite3.Connection, digest: str) -> tuple[int, int] | None:
    query = "select blob_id, size_bytes from bundle_blobs where digest = ?"
    found: tuple[int, int] | None = connection.execute(query, (digest,)).fetchone()
    return found


@contextmanager
def _errors(digest: str, address: str) -> Iterator[None]:
    """Turn sqlite3's errors into ours: what cannot be read is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        if is_interruption(error):
            raise
        raise ArtifactDamagedError(digest=digest, path=address, found=str(error)) from error
