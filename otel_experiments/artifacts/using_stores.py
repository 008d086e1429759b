"""Which stores keep bytes in a place: a note for each lies there, so that a sweep for one of them reads the others, too.

A note is written before the first bytes of a store are named, under the shared lock, as a file that comes into being by a
rename. The store that the folder lies beside is noted as that, and one in the same folder by its name, so that they may be
moved together. Of any other one the absolute path is noted, and what tells whether the file that has this path here is that
store: two machines that share a disk for bytes may each have a store of this path.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_experiments.artifacts.hashing import hash_bytes
from otel_experiments.artifacts.protocol import UsingStore
from otel_experiments.errors import ArtifactsUnknownError
from otel_experiments.process.file_mode import make_directory
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_folder, is_regular, real_path

if TYPE_CHECKING:
    from otel_experiments.artifacts.partial import Partials

NOTES_FOLDER: Final = "stores"
FOLDER_SUFFIX: Final = ".artifacts"
"""How the folder of a store's artifacts is called beside the store's file."""
_JOURNALS_SUFFIX: Final = ".journals"
_NAME_DIGITS: Final = 32


class StoreNotes:
    """The notes in a local folder; `store` is the one that this process keeps bytes for, None where it has no file."""

    def __init__(self, place: Path, partials: Partials, file_mode: int, store: Path | None) -> None:
        self._place, self._folder = place, place / NOTES_FOLDER
        self._partials, self._file_mode, self._store = partials, file_mode, store
        self._is_written = False

    def write(self, *, anew: bool = False, sync: bool = False) -> None:
        """Write the note of this process's store where it is not there; under the shared lock.

        Args:
            anew: the folder was removed since it was written.
            sync: have it on the disk.

        Raises:
            OSError: it cannot be written.
        """
        if self._store is None or (self._is_written and not anew):
            return
        name, data = note_of(self._store, self._place)
        if not is_regular(self._folder / name):
            make_directory(self._folder, self._file_mode)
            partial = self._partials.write(data, self._file_mode, sync=sync)
            os.replace(partial, self._folder / name)  # noqa: PTH105 - the partial file is a text
        self._is_written = True

    def read(self) -> Iterator[UsingStore]:
        """Yield the stores that are noted.

        Raises:
            ArtifactsUnknownError: a note cannot be read.
            OSError: the folder cannot be read.
        """
        if not is_folder(self._folder):
            return
        for path in sorted(self._folder.iterdir()):
            try:
                yield parse_note(path.read_bytes(), note=str(path), place=self._place)
            except FileNotFoundError:  # forgotten just now
                continue
            except ValueError as error:
                raise damaged_note(str(path), str(self._place), error) from error


def damaged_note(note: str, place: str, error: ValueError) -> ArtifactsUnknownError:
    """Return the error of a note that cannot be read."""
    return ArtifactsUnknownError(
        store=note,
        why=f"it is to say which store keeps bytes in {place!r}, and cannot be read ({error}).",
        fix="Remove it once you know that every store of that place is named: otel-experiments gc --also STORE",
    )


def note_of(store: Path, place: Path | None) -> tuple[str, bytes]:
    """Return the name and the contents of the note for a store; `place` is the folder, None for one that is no local folder."""
    path = real_path(store)
    folder, name = os.path.split(path)
    above, place_name = os.path.split(real_path(place)) if place is not None else ("", "")
    inode = next((found for one in _files_of(path) if (found := _inode(one))), 0)
    facts: dict[str, object] = {"store": path, "host": platform.node(), "inode": inode}
    key = f"{path}\0{inode}"
    if folder == above:
        facts = {"store": name, "is_own": place_name == name + FOLDER_SUFFIX}
        key = "" if facts["is_own"] else name
    digits = hash_bytes(key.encode("utf-8", "surrogateescape"))[:_NAME_DIGITS]
    return f"{digits}.json", json.dumps(facts).encode("ascii")


def parse_note(data: bytes, *, note: str, place: Path | None) -> UsingStore:
    """Return the store that a note names; raises ValueError where it is no note."""
    facts = json.loads(data)
    if not isinstance(facts, dict) or not isinstance(facts.get("store"), str):
        raise ValueError("it names no store")  # noqa: TRY004 - one kind of error for what is no note
    path = facts["store"]
    if Path(path).is_absolute():
        inode, host = facts.get("inode"), str(facts.get("host"))
        there = [found for one in _files_of(path) if (found := _inode(one))]
        is_here = bool(there) and (host == platform.node() or inode in there)
        return UsingStore(path, host, is_here, note)
    if place is None:
        raise ValueError("it names a store beside it, and no folder is there")
    above, place_name = os.path.split(real_path(place))
    if facts.get("is_own") and place_name.endswith(FOLDER_SUFFIX):
        path = place_name.removesuffix(FOLDER_SUFFIX)
    path = real_path(os.path.join(above, path))  # noqa: PTH118 - texts
    is_here = any(_inode(one) for one in _files_of(path))
    return UsingStore(path, platform.node(), is_here, note)


def _files_of(path: str) -> tuple[str, str]:
    """Return the store's file, and the folder of journals that is there alone on a network filesystem."""
    return path, path + _JOURNALS_SUFFIX


def _inode(path: str) -> int:
    """Return which file is at a path; 0 where there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - a text
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return 0
