"""What a recording call returns for an artifact: the digest of its bytes, and what is known of them."""

from __future__ import annotations

from typing import Self


class ArtifactDigest(str):
    """The digest of an artifact that was logged, `sha256:` and 64 hex digits; empty, so false, where it was not kept.

    Attributes:
        name: the artifact's name.
        size_bytes: of the file, or of all files of the folder together.
        file_count: how many files it has.
        is_folder: whether it is a folder.
    """

    __slots__ = ("file_count", "is_folder", "name", "size_bytes")

    name: str
    size_bytes: int
    file_count: int
    is_folder: bool

    def __new__(
        cls,
        digest: str = "",
        *,
        name: str = "",
        size_bytes: int = 0,
        file_count: int = 0,
        is_folder: bool = False,
    ) -> Self:
        """Return the text with what is known of the bytes."""
        made = super().__new__(cls, digest)
        made.name, made.size_bytes = name, size_bytes
        made.file_count, made.is_folder = file_count, is_folder
        return made
