"""The list of a folder's files: canonical JSON, so that the same files make the same bytes and the same digest everywhere.

Kept are regular files with their paths and whether they may be executed; empty folders, owners, times and other rights
are not. A list may come from another machine, so what it says is checked before a path of it is used.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Final

from otel_experiments.artifacts.protocol import FolderEntry
from otel_experiments.artifacts.source import look_at, odd_kind, shown, source_error
from otel_experiments.errors import ArtifactSourceError
from otel_experiments.model.artifact import parse_digest
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.paths import real_path

LIST_TYPE: Final = "otel-experiments.folder"
LIST_VERSION: Final = 1
MAX_DEPTH: Final = 200


class NoListError(ValueError):
    """The bytes are no list of a folder, or it has a path that may not be used; the text says which."""


def encode_list(entries: Iterable[FolderEntry]) -> bytes:
    """Return the bytes of a folder's list: keys and files in order, no blanks, UTF-8."""
    files = [
        {
            "digest": entry.digest,
            "is_executable": entry.is_executable,
            "path": entry.path,
            "size_bytes": entry.size_bytes,
        }
        for entry in sorted(entries, key=lambda entry: entry.path)
    ]
    whole = {"files": files, "type": LIST_TYPE, "version": LIST_VERSION}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def decode_list(data: bytes) -> tuple[FolderEntry, ...]:
    """Return the files of a folder.

    Raises:
        NoListError: the bytes are no list, are of a newer version, or have a path that leaves the folder or is there twice.
    """
    try:
        whole = json.loads(data)
        if not isinstance(whole, dict) or whole.get("type") != LIST_TYPE:
            raise NoListError("it is no list of a folder")
        if whole.get("version") != LIST_VERSION:
            raise NoListError(
                f"its list has version {whole.get('version')!r}; this release reads {LIST_VERSION}"
            )
        entries = tuple(map(_entry, whole["files"]))
    except (KeyError, TypeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NoListError(f"it is no list of a folder ({type(error).__name__})") from None
    _check_together(entries)
    return entries


def _entry(item: dict[str, Any]) -> FolderEntry:
    digest, path, size = parse_digest(str(item["digest"])), item["path"], item["size_bytes"]
    if digest is None or digest[1] or not isinstance(size, int) or size < 0:
        raise NoListError("its list has a file without a digest or size")
    if not isinstance(path, str) or not is_safe(path):
        raise NoListError(f"its list has the path {path!r}, which does not stay in the folder")
    return FolderEntry(path, digest[0], size, item.get("is_executable") is True)


def is_safe(path: str) -> bool:
    """Tell whether a path of a list stays in the folder that it is written to, on every system."""
    parts = path.split("/")
    return (
        not any(part in {"", ".", ".."} for part in parts)
        and "\0" not in path
        and "\\" not in path
        and not (len(path) > 1 and path[1] == ":")
        and all(len(os.fsencode(part)) <= 255 for part in parts)
    )


def _check_together(entries: tuple[FolderEntry, ...]) -> None:
    """Refuse a list in which a path is there twice, or is both a file and a folder."""
    paths = {entry.path for entry in entries}
    if len(paths) != len(entries):
        raise NoListError("its list has a path twice")
    for path in paths:
        above = path
        while above := above.rpartition("/")[0]:
            if above in paths:
                raise NoListError(f"its list has {above!r} both as a file and as a folder")


@dataclass(slots=True)
class Walk:
    """The files below a folder, in the order of their paths, and what cannot be kept of it.

    A link to a file or a folder inside is followed; one that leads out is left out, as are named pipes, sockets and
    devices, and names that no list can hold.
    """

    root: str | PathLike[str]
    left_out: list[str] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the folder and the path on this machine of each file.

        Raises:
            ArtifactSourceError: it is no folder, a part of it cannot be read, or links in it lead in a circle.
        """
        root = os.fspath(self.root)
        if not stat.S_ISDIR(look_at(root).st_mode):
            raise ArtifactSourceError(source=shown(root), why="it is no folder")
        real = real_path(root)
        yield from self._below(root, "", real, (real,))

    def _below(
        self, folder: str, inside: str, real_root: str, above: tuple[str, ...]
    ) -> Iterator[tuple[str, str]]:
        try:
            with os.scandir(folder) as scan:
                found = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            pass_on(error)
            raise source_error(folder, error) from error
        for entry in found:
            path = f"{inside}{entry.name}"
            if why := self._refusal(entry, path, real_root):
                self.left_out.append(f"{shown(path)}: {why}")
                continue
            if not entry.is_dir():
                yield path, entry.path
                continue
            real = real_path(entry.path)
            if real in above or len(above) > MAX_DEPTH:
                why = "links in it lead in a circle" if real in above else "it is nested too deep"
                raise ArtifactSourceError(
                    source=shown(self.root),
                    why=f"{why} (at {shown(path)!r})",
                    fix="Remove that link, or log parts of it.",
                )
            yield from self._below(entry.path, f"{path}/", real_root, (*above, real))

    def _refusal(self, entry: os.DirEntry[str], path: str, real_root: str) -> str:
        """Return why an entry cannot be kept; empty where it can."""
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            return "its name is not UTF-8"
        if not is_safe(path):
            return "its name has a backslash or a drive, which other systems take for a folder"
        if entry.is_symlink():
            real = real_path(entry.path)
            if os.path.commonpath([real, real_root]) != real_root:
                return "it is a link out of the folder"
        try:
            mode = entry.stat().st_mode
        except FileNotFoundError:
            return "it is a link to nothing" if entry.is_symlink() else "it went away meanwhile"
        except OSError as error:
            pass_on(error)
            raise source_error(entry.path, error) from error
        return f"it is {what}" if (what := odd_kind(mode)) else ""
