"""Which bytes are not in a local folder since a bundle that was imported was made without them: empty files, one a digest.

It is a fact of the place, as the bytes are: stores of every kind have it, and none needs a column for it. Who brings the bytes
later removes the note, so that bytes which are lost then are called missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from otel_experiments.model.artifact import DIGEST_START, parse_digest
from otel_experiments.model.bundle import ON_PURPOSE, WhyLeftOut
from otel_experiments.process.file_mode import create_file, make_directory
from otel_experiments.process.interruption import Swallowing
from otel_experiments.process.paths import is_folder, is_there

LEFT_OUT_FOLDER: Final = "left-out"
FOUND: Final = "they were left out of the bundle that was imported"
FIX: Final = "Import a bundle that has them, or log the same bytes again."


def note_name(digest: str, why: WhyLeftOut) -> str:
    """Return the name of the note that a bundle was made without these bytes."""
    return f"{digest.removeprefix(DIGEST_START)}.{why.replace(' ', '-')}"


def digest_noted(name: str) -> str | None:
    """Return the digest of which a file with this name is a note; None for another file."""
    digits, _, why = name.partition(".")
    found = parse_digest(digits)
    return found[0] if found and not found[1] and why.replace("-", " ") in ON_PURPOSE else None


class Note(NamedTuple):
    """A note as it was at the first look."""

    digest: str
    path: str
    changed_ns: int


class LeftOutNotes:
    """The notes in a local folder."""

    def __init__(self, place: Path) -> None:
        self._folder = place / LEFT_OUT_FOLDER
        self._has_some = False

    def why(self, digest: str) -> WhyLeftOut | None:
        """Return why these bytes were left out; None where nothing says that they were."""
        return next((why for why in ON_PURPOSE if is_there(self._folder / note_name(digest, why))), None)

    def write(self, digest: str, why: WhyLeftOut, file_mode: int) -> None:
        """Note that a bundle was made without these bytes; under the shared lock.

        Raises:
            OSError: it cannot be written.
        """
        make_directory(self._folder, file_mode)
        path = self._folder / note_name(digest, why)
        try:
            os.close(create_file(path, file_mode))
        except FileExistsError:
            os.utime(path)  # a sweep that has seen it leaves it
        self._has_some = True

    def forget(self, digest: str) -> None:
        """Remove the notes of bytes that have come. Where nothing was ever left out, this costs one look at a folder."""
        if not self._has_some:  # another process may import a bundle at any time
            self._has_some = is_folder(self._folder)
        if self._has_some:
            for why in ON_PURPOSE:
                with Swallowing(FileNotFoundError):
                    os.unlink(self._folder / note_name(digest, why))  # noqa: PTH108 - as where blobs are removed

    def listed(self) -> Iterator[Note]:
        """Yield the notes that are there."""
        if not is_folder(self._folder):
            return
        for path in sorted(self._folder.iterdir()):
            digest = digest_noted(path.name)
            if digest is not None:
                with Swallowing(FileNotFoundError):
                    yield Note(digest, str(path), path.stat().st_ctime_ns)
