"""What the system says of a place that takes no bytes, in words."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from otel_experiments.errors import ArtifactError, ArtifactPlaceError
from otel_experiments.process.interruption import pass_on

_RIGHTS: Final = ("it may not be written", "Give the user of this process the right to write there.")
_REASONS: Final = {
    errno.ENOSPC: ("the disk is full", "Make room, and try again."),
    errno.EDQUOT: ("the quota of this user is used up", "Make room, and try again."),
    errno.EFBIG: (
        "the file is larger than is allowed here",
        "Raise the limit (ulimit -f), or use another filesystem.",
    ),
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: ("the filesystem is read-only", "Name another place, or mount it for writing."),
    errno.ENOENT: ("its folder is not there", "Make the folder first, or name another place."),
    errno.ENOTDIR: ("a part of its path is a file", "Name another place."),
    errno.EEXIST: ("a part of its path is a file", "Name another place."),
    errno.EISDIR: ("it is a folder", "Name a file."),
    errno.EXDEV: (
        "the file is on another filesystem, to which there are no links",
        "Let it be copied: leave link out.",
    ),
    errno.EMFILE: ("this process has too many open files", "Close some, or raise the limit: ulimit -n."),
}


class place_errors:  # noqa: N801 - a context like those of contextlib, in a third of the time
    """Raise what the system says inside the block as an ArtifactPlaceError."""

    __slots__ = ("_place",)

    def __init__(self, place: str | Path) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(
            error, ArtifactError
        ):  # two of ours are of the system, too
            pass_on(error)
            raise place_error(self._place, error) from error


def place_error(place: str | Path, error: OSError) -> ArtifactPlaceError:
    """Return the error of ours for what the system says of a place."""
    why, fix = _REASONS.get(
        error.errno or 0, (error.strerror or str(error), "Check the path and its filesystem.")
    )
    return ArtifactPlaceError(place=str(place), why=why, fix=fix)
