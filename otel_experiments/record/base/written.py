"""What a checkpoint's scope was given: where the checkpoint is, and what is to be done with its bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """A checkpoint that was written.

    Attributes:
        path: its file or folder.
        is_kept: whether its bytes are kept as an artifact.
        is_hashed: whether its digest is wanted; None where that must not cost time.
    """

    path: str
    is_kept: bool = False
    is_hashed: bool | None = None
