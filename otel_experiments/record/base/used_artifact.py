"""What a run gets for an artifact that it asks for: an `ArtifactView` of the layer that reads, which is above this one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Protocol


class UsedArtifact(Protocol):
    """An artifact to read; see `otel_experiments.query.ArtifactView` for the meaning of each."""

    @property
    def experiment(self) -> str:
        """The experiment that its name belongs to."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def version(self) -> int | None:
        """Its number among those of its name, from 0 on."""
        ...

    @property
    def type(self) -> str:
        """What it is, such as `model` or `dataset`."""
        ...

    @property
    def digest(self) -> str:
        """The digest of its bytes."""
        ...

    def open(self) -> BinaryIO:
        """Open its bytes, which are checked as they are read."""
        ...

    def read_bytes(self) -> bytes:
        """Return its bytes, checked."""
        ...

    def read_text(self) -> str:
        """Return its text, checked."""
        ...

    def download(
        self,
        to: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        root: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Copy the file or folder, checked, and return where it is."""
        ...
