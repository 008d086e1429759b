"""Bytes that were hashed and wait for the lock: held in memory when few, else written to a partial file.

What is there already is not held: if it went away before the lock was taken, it is read from its source again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.artifacts.protocol import Put
from otel_experiments.process.interruption import Swallowing

HELD_BYTES: Final = 1 << 20
"""The largest file that is held in memory."""
HELD_OF_FOLDER_BYTES: Final = 16 << 20
"""How much of a folder is held in memory."""


@dataclass(slots=True)
class Piece:
    """One blob to be: its bytes, a partial file that has them, or a function that makes a piece of its source again.

    The piece that `again` makes has its bytes, or a partial file.
    """

    digest: str
    size_bytes: int
    data: bytes | None = None
    partial: str | None = None
    again: Callable[[], Piece] | None = None

    def discard(self) -> None:
        """Remove the partial file, if it is still there."""
        if self.partial is not None:
            with Swallowing(OSError):
                os.unlink(self.partial)  # noqa: PTH108 - a text
            self.partial = None


@dataclass(slots=True)
class PreparedBlobs:
    """All the blobs of one artifact, in the order in which they are placed: that of a folder's list comes last."""

    put: Put
    pieces: Sequence[Piece] = field(default_factory=list)

    def discard(self) -> None:
        """Remove what was written for it."""
        for piece in self.pieces:
            piece.discard()
