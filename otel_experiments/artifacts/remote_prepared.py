"""Bytes that were hashed and wait to be uploaded: each is read a second time, and compared on the way."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import BinaryIO, cast

from otel_experiments.artifacts import hashing
from otel_experiments.artifacts.protocol import Put
from otel_experiments.artifacts.source import changed, opened
from otel_experiments.model.artifact import DIGEST_START


@dataclass(slots=True)
class RemotePiece:
    """One blob to be, and how it is read: once more, since it was read to be hashed."""

    digest: str
    size_bytes: int
    opener: Callable[[], BinaryIO]


@dataclass(slots=True)
class RemotePrepared:
    """The blobs of one artifact, in the order in which they are placed. `staged` is a temporary copy of a stream."""

    put: Put
    pieces: list[RemotePiece]
    staged: BinaryIO | None = None

    def discard(self) -> None:
        """Remove the temporary copy."""
        if self.staged is not None:
            self.staged.close()


def piece_of_bytes(data: bytes) -> RemotePiece:
    """Return the piece of these bytes."""
    return RemotePiece(DIGEST_START + hashing.hash_bytes(data), len(data), partial(io.BytesIO, data))


def piece_of_file(path: str | PathLike[str], seen: os.stat_result | None = None) -> RemotePiece:
    """Return the piece of a file, which is as it was seen, and is read now and when it is placed."""
    with opened(path, seen) as (descriptor, _):
        digits, size = hashing.read_hashed(hashing.reader_of(descriptor))
    return RemotePiece(DIGEST_START + digits, size, partial(_open_file, path))


def _open_file(path: str | PathLike[str]) -> BinaryIO:
    with opened(path) as (descriptor, _):
        return cast("BinaryIO", io.FileIO(os.dup(descriptor), "rb"))


def check_same(digits: str, piece: RemotePiece) -> None:
    """Raise ArtifactSourceError where other bytes were uploaded than were hashed."""
    if DIGEST_START + digits != piece.digest:
        raise changed(piece.digest)


def again_of(staged: BinaryIO) -> BinaryIO:
    """Return a temporary copy, at its beginning."""
    staged.seek(0)
    return staged
