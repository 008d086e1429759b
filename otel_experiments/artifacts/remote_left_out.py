"""Which bytes are not at an URL since a bundle that was imported was made without them; the notes are as in a local folder."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from otel_experiments.artifacts.left_out import LEFT_OUT_FOLDER, digest_noted, note_name
from otel_experiments.artifacts.remote_system import changed_ns
from otel_experiments.model.bundle import ON_PURPOSE, WhyLeftOut

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class RemoteLeftOutNotes:
    """The notes at an URL. What its filesystem raises passes."""

    def __init__(self, files: Callable[[], AbstractFileSystem], root: str) -> None:
        self._files, self._folder = files, f"{root}/{LEFT_OUT_FOLDER}"
        self._has_some: bool | None = None

    def why(self, digest: str) -> WhyLeftOut | None:
        """Return why these bytes were left out; None where nothing says that they were."""
        return next((why for why in ON_PURPOSE if self._files().exists(self._path(digest, why))), None)

    def write(self, digest: str, why: WhyLeftOut) -> None:
        """Note that a bundle was made without these bytes."""
        self._files().makedirs(self._folder, exist_ok=True)
        self._files().pipe_file(self._path(digest, why), b"")
        self._has_some = True

    def forget(self, digest: str) -> None:
        """Remove the notes of bytes that have come. Where there are none, nothing is asked after the first call."""
        if self._has_some is None:
            self._has_some = bool(self._files().exists(self._folder))
        if self._has_some:
            for why in ON_PURPOSE:
                if self._files().exists(self._path(digest, why)):
                    self._files().rm_file(self._path(digest, why))

    def sweep(self, kept: AbstractSet[str], before_ns: int) -> None:
        """Remove the notes on bytes that nothing refers to and nobody noted since a time."""
        self._files().invalidate_cache()
        for path, info in self._files().find(self._folder, detail=True).items():
            digest = digest_noted(path.rpartition("/")[2])
            if digest is not None and digest not in kept and changed_ns(info) <= before_ns:
                self._files().rm_file(path)

    def _path(self, digest: str, why: WhyLeftOut) -> str:
        return f"{self._folder}/{note_name(digest, why)}"
