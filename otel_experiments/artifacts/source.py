"""What a user gives to be kept: a regular file that is opened without waiting, and found out if it changes meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from os import PathLike
from typing import Final

from otel_experiments.errors import ArtifactSourceError
from otel_experiments.process import held_files
from otel_experiments.process.interruption import pass_on

KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
OPENING: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_REASONS: Final = {
    errno.ENOENT: (
        "there is no such file",
        "Check the path; a relative one starts at the working directory.",
    ),
    errno.ENOTDIR: ("a part of its path is a file", "Check the path."),
    errno.EACCES: ("it may not be read", "Give the user of this process the right to read it."),
    errno.EPERM: ("it may not be read", "Give the user of this process the right to read it."),
    errno.ELOOP: ("its links lead in a circle", "Give the path of the file itself."),
    errno.ENAMETOOLONG: ("its path is longer than the system takes", "Give a shorter path."),
    errno.EMFILE: ("this process has too many open files", "Close some, or raise the limit: ulimit -n."),
}


def shown(path: str | PathLike[str]) -> str:
    """Return a path for a message."""
    text = os.fspath(path)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def source_error(path: str | PathLike[str], error: OSError) -> ArtifactSourceError:
    """Return the error of ours for what the system says of a source."""
    why, fix = _REASONS.get(
        error.errno or 0, (f"{error.strerror or error}", "Check the path and its filesystem.")
    )
    return ArtifactSourceError(source=shown(path), why=why, fix=fix)


def look_at(path: str | PathLike[str]) -> os.stat_result:
    """Return what is at a path, through links.

    Raises:
        ArtifactSourceError: nothing is there, it cannot be reached, or the path cannot be one.
    """
    if "\0" in os.fspath(path):
        raise ArtifactSourceError(
            source=shown(path).replace("\0", "\\0"),
            why="no file has a NUL in its name",
            fix="Give the path without it.",
        )
    try:
        return os.stat(path)  # noqa: PTH116 - Path.stat is a call more
    except OSError as error:
        pass_on(error)
        raise source_error(path, error) from error


def odd_kind(mode: int) -> str:
    """Return what a file is that has no bytes of its own; empty for others."""
    return next((word for is_kind, word in KINDS if is_kind(mode)), "")


class opened:  # noqa: N801 - a context like those of contextlib, in a third of the time
    """A regular file that is open for reading: its descriptor, and what it is.

    Raises:
        ArtifactSourceError: it is none, or cannot be opened; and at the end of the block when it has changed.
    """

    __slots__ = ("_before", "_descriptor", "_path", "_seen")

    def __init__(self, path: str | PathLike[str], seen: os.stat_result | None = None) -> None:
        """Refer to a file.

        Args:
            path: the file.
            seen: what it was when it was given. It must be the same still, and is not looked at again before it is
                opened.
        """
        self._path, self._seen = path, seen

    def __enter__(self) -> tuple[int, os.stat_result]:
        path, seen = self._path, self._seen
        mode = look_at(path).st_mode if seen is None else seen.st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else odd_kind(mode) or "no regular file"
            raise ArtifactSourceError(source=shown(path), why=f"it is {what}")
        try:
            self._descriptor = descriptor = os.open(path, OPENING)
        except OSError as error:
            pass_on(error)
            raise source_error(path, error) from error
        try:
            self._before = before = os.fstat(descriptor)
            _check(path, before, seen)
        except BaseException:
            held_files.close(descriptor, os.fstat(descriptor))
            raise
        return descriptor, before

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                before, after = self._before, os.fstat(self._descriptor)
                if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                    raise changed(self._path)
        finally:
            held_files.close(self._descriptor, self._before)  # it may be that of the store itself


def _check(path: str | PathLike[str], found: os.stat_result, seen: os.stat_result | None) -> None:
    if seen is not None and version_of(found) != version_of(seen):
        raise ArtifactSourceError(
            source=shown(path),
            why="it changed after it was given",
            fix="Write the next one to another name, or keep it at once: wait=True.",
        )
    if not stat.S_ISREG(found.st_mode):  # exchanged since it was looked at
        raise ArtifactSourceError(source=shown(path), why="it is no regular file")


def version_of(found: os.stat_result) -> tuple[int, int, int]:
    """Return what is another value when a file was written to, or another one took its place."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def changed(path: str | PathLike[str]) -> ArtifactSourceError:
    """Return the error for a source that is written to while it is read."""
    return ArtifactSourceError(
        source=shown(path),
        why="it changed while it was read",
        fix="Log it when it is written to its end: write to another name first, then rename.",
    )
