"""What is at a path to which an artifact is to be written: nothing of the user's is replaced, and nothing mixed in, unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from otel_experiments.artifacts.digest import digest_of
from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.errors import ArtifactPlaceError
from otel_experiments.process.paths import is_folder, is_regular

_FIX: Final = "Name another path, or write over what is there: download(PATH, overwrite=True)."


def refuse_other_file(target: Path, digest: str) -> None:
    """Raise where a file of other bytes is at the path.

    Raises:
        ArtifactPlaceError: there is one.
        ArtifactSourceError: what is there cannot be read.
    """
    if is_regular(target) and digest_of(target) != digest:
        raise ArtifactPlaceError(place=str(target), why="a file of other content is there", fix=_FIX)


def refuse_other_files(target: Path, digests: Mapping[str, str]) -> None:
    """Raise where a folder has anything but some of the files that are to be in it.

    Args:
        target: the folder.
        digests: of each file, by its path in the folder.

    Raises:
        ArtifactPlaceError: there is something else in it.
        ArtifactSourceError: what is there cannot be read.
    """
    if not is_folder(target):
        return
    for name in _files(target):
        if name not in digests:
            why = f"the folder has {name!r}, which the artifact has not"
            raise ArtifactPlaceError(place=str(target), why=why, fix=_FIX)
        refuse_other_file(target / name, digests[name])


def _files(folder: Path) -> Iterator[str]:
    """Yield what is in a folder and is none itself, as paths with `/`."""
    with place_errors(folder):
        for here, _, names in os.walk(folder, onerror=_raise):
            inside = Path(here).relative_to(folder)
            yield from ((inside / name).as_posix() for name in sorted(names))


def _raise(error: OSError) -> None:
    raise error
