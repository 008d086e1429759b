"""The digest of a file or folder that is not to be kept: of a checkpoint, or of a model whose run is looked for."""

from __future__ import annotations

import stat
from os import PathLike
from pathlib import Path

from otel_experiments.artifacts import hashing
from otel_experiments.artifacts.folder_list import Walk, encode_list
from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.artifacts.source import look_at, opened, source_error
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.process.interruption import pass_on


def digest_of(path: str | PathLike[str]) -> str:
    """Return the digest that a file or folder has as an artifact.

    Raises:
        ArtifactSourceError: it is neither, cannot be read, or changes while it is read.
    """
    if not stat.S_ISDIR(look_at(path).st_mode):
        return _of_file(path)[0]
    entries = [
        FolderEntry(inside, *_of_file(here), is_executable=bool(Path(here).stat().st_mode & 0o100))
        for inside, here in Walk(path).files()
    ]
    return DIGEST_START + hashing.hash_bytes(encode_list(entries))


def _of_file(path: str | PathLike[str]) -> tuple[str, int]:
    with opened(path) as (descriptor, _):
        try:
            digits, size = hashing.read_hashed(hashing.reader_of(descriptor))
        except OSError as error:
            pass_on(error)
            raise source_error(path, error) from error
    return DIGEST_START + digits, size
