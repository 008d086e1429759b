"""What a user gives to be kept: a path, bytes or an open file become one shape, of which nothing has been read yet."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import ArtifactSourceError
from otel_experiments.model.artifact_name import name_of_file
from otel_experiments.process.interruption import Swallowing, is_interruption, pass_on

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import BlobStore, Link, Prepared

LINKS: Final = ("auto", "copy", "hardlink")
_FIX: Final = "Pass the path of a file or folder, bytes, or a file that is open for reading in binary mode."


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be kept.

    Attributes:
        prepare: hashes it, outside of any lock.
        file_name: the last part of its path, empty where there is none.
        is_lasting: it may be read after the call that gave it has returned.
        held_bytes: how many bytes it has in memory.
    """

    prepare: Callable[[BlobStore], Prepared]
    file_name: str = ""
    is_lasting: bool = True
    held_bytes: int = 0

    @property
    def name(self) -> str:
        """The name of an artifact that is given none; empty where the source has none."""
        return name_of_file(clean_text(self.file_name))


def source_of(what: Any, link: str | None = None) -> Source:  # whatever was passed
    """Return what is to be kept.

    Raises:
        ArtifactSourceError: it is nothing that can be.
    """
    mode = cast("Link", link if link in LINKS else "auto")
    if isinstance(what, (str, os.PathLike)):
        return _of_path(what, mode)
    if isinstance(what, (bytes, bytearray, memoryview)):
        data = bytes(what)
        return Source(lambda blobs: blobs.prepare_bytes(data), held_bytes=len(data))
    if isinstance(what, io.TextIOBase):
        raise _error(what, "it is open as text, and what is kept are bytes", 'Open it with mode "rb".')
    if callable(getattr(what, "read", None)):
        name, stream = getattr(what, "name", ""), _Stream(what)
        return Source(
            lambda blobs: blobs.prepare_stream(stream),
            Path(name).name if isinstance(name, str) else "",
            is_lasting=False,
        )
    raise _error(what, f"it is of type {type(what).__name__}", _FIX)


class _Stream:
    """An object of the program that is read from: what it raises says that it cannot be read."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        try:
            found = self._given.read(size)
        except Exception as error:  # a foreign `read` may do anything
            if is_interruption(error):
                raise
            why = f"reading it raised {type(error).__name__}: {text_of(error)}"
            raise _error(self._given, why, "Pass a file that can be read to its end.") from error
        if found is None:
            raise _error(
                self._given, "it has no bytes yet (`read` gave None)", "Pass a file that waits for its bytes."
            )
        if isinstance(found, bytes) and len(found) > size:
            why = f"of {size} bytes that were asked for, `read` gave {len(found)}"
            raise _error(self._given, why, "Pass a file that gives at most what it is asked for.")
        return cast("bytes", found)


def _error(what: object, why: str, fix: str) -> ArtifactSourceError:
    return ArtifactSourceError(source=shown(what), why=why, fix=fix)


def _absolute(path: str) -> str:
    """Return a path that stays what it is when the working directory changes; links stay as they are given."""
    if path[:1] in {"", "."} or "/." in path or "//" in path or path[-1] == "/" or os.sep != "/":
        return os.path.abspath(path)  # noqa: PTH100 - as below
    return path if path[0] == "/" else f"{os.getcwd()}/{path}"  # noqa: PTH109 - as below


def _of_path(what: str | os.PathLike[str], link: Link) -> Source:
    # With texts instead of paths: making `Path` objects cost a third of keeping a small file.
    try:
        path = _absolute(os.fsdecode(os.fspath(what)))
    except Exception as error:  # a foreign __fspath__ may do anything, and the working directory may be gone
        pass_on(error)
        raise _error(what, f"its path cannot be had: {text_of(error)}", _FIX) from error
    seen: os.stat_result | None = None
    with Swallowing(OSError, ValueError):  # it is told when it is read
        seen = os.stat(path)  # noqa: PTH116 - as above
    name = path.rpartition(os.sep)[2]
    if seen is not None and stat.S_ISDIR(seen.st_mode):
        return Source(lambda blobs: blobs.prepare_folder(path, link=link), name)
    return Source(lambda blobs: blobs.prepare_file(path, link=link, seen=seen), name)
