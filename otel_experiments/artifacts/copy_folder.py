"""The files of a folder that was kept into a folder of the user's: all of them, or nothing is changed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from errno import EISDIR
from pathlib import Path

from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.errors import ArtifactPlaceError

Copy = Callable[[str, Path], object]


def copy_folder(entries: Sequence[FolderEntry], target: Path, copy: Copy) -> None:
    """Write files below `target`, which is made; where it is there, each replaces one of its name, and others stay.

    All of them are written and checked beside their place before the first one gets its name.

    Args:
        entries: the files.
        target: the folder.
        copy: writes the blob of a digest to a path, checked.

    Raises:
        ArtifactMissingError: a blob is not there.
        ArtifactDamagedError: the bytes of one are not those of its digest.
        ArtifactPlaceError: a file cannot be written.
    """
    is_new = not target.exists()
    near = target.absolute().parent if is_new else target  # on the same filesystem as what is there
    with place_errors(target):
        near.mkdir(parents=True, exist_ok=True)
    partial = near / f".{target.absolute().name[:200]}.{secrets.token_hex(6)}.partial"
    try:
        with place_errors(target):
            partial.mkdir()
        for entry in entries:
            _write(entry, partial, target, copy)
        with place_errors(target):
            if is_new:
                partial.rename(target)
            else:
                _move_into(entries, partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(entry: FolderEntry, partial: Path, target: Path, copy: Copy) -> None:
    path = partial / entry.path
    try:
        with place_errors(target / entry.path):
            path.parent.mkdir(parents=True, exist_ok=True)
        copy(entry.digest, path)
    except ArtifactPlaceError as error:  # the user has not heard of the folder beside
        raise ArtifactPlaceError(place=str(target / entry.path), why=error.why, fix=error.fix) from error
    if entry.is_executable:
        with place_errors(target / entry.path):
            path.chmod(path.stat().st_mode | 0o111)


def _move_into(entries: Sequence[FolderEntry], partial: Path, target: Path) -> None:
    for entry in entries:  # what stands in the way is found before anything is changed
        with place_errors(target / entry.path):
            if (target / entry.path).is_dir():
                raise IsADirectoryError(EISDIR, "Is a directory")
            (target / entry.path).parent.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        with place_errors(target / entry.path):
            (partial / entry.path).replace(target / entry.path)
