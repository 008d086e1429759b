"""A blob's bytes into a file of the user's: checked on the way, and there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_experiments.artifacts.hashing import (
    Read,
    copy_to,
    read_hashed,
    reader_of,
    share_blocks,
)
from otel_experiments.artifacts.place_error import place_errors
from otel_experiments.errors import ArtifactDamagedError
from otel_experiments.model.artifact import DIGEST_START
from otel_experiments.process.interruption import Swallowing


@contextmanager
def replacing(target: Path) -> Iterator[int]:
    """Give the descriptor of a new file that takes the place of `target` when the block ends, and is removed if it raises.

    Raises:
        ArtifactPlaceError: the target cannot be written.
    """
    partial = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.partial")
    with place_errors(target):
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            partial.replace(target)
        except BaseException:
            with Swallowing(OSError):
                partial.unlink(missing_ok=True)
            raise


def copy_out(source: int, read: Read, target: Path, *, digest: str, path: str) -> None:
    """Copy the file of a blob, sharing its blocks where the filesystem can, else as `read` gives them.

    Raises:
        ArtifactDamagedError: its bytes are not those of the digest; `path` is what it names.
        ArtifactPlaceError: the target cannot be written.
    """
    with replacing(target) as descriptor:
        if share_blocks(source, descriptor):
            digits, _ = read_hashed(reader_of(descriptor))
        else:
            digits, _ = copy_to(read, descriptor)
        _compare(digits, digest, path)


def copy_read(read: Read, target: Path, *, digest: str, path: str) -> None:
    """Copy what `read` gives; raises as `copy_out`."""
    with replacing(target) as descriptor:
        digits, _ = copy_to(read, descriptor)
        _compare(digits, digest, path)


def _compare(digits: str, digest: str, path: str) -> None:
    if digest != DIGEST_START + digits:
        raise ArtifactDamagedError(digest=digest, path=path, found=f"the digest {DIGEST_START}{digits}")
