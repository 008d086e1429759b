"""Which packages are installed, with their versions; which of them are folders that somebody works on, with their content's digest.

Names and versions are read from the names of folders, as installers write them: opening the metadata of 300 packages would
take a hundred times as long. Source: Binary distribution format and Recording installed projects, packaging.python.org.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from otel_experiments.codec.text import clean_text
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.system.git import git_attributes
from otel_experiments.semconv import attributes as attr

MAX_PACKAGES: Final = 5000
MAX_FILES: Final = 5000
MAX_HASHED_BYTES: Final = 64 << 20
MAX_HASHING_S: Final = 1.0
"""A folder with more, or slower, has no digest."""
_INFO: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)-(?P<version>[^-]+)(?:-[^-]+)*\.(?:dist|egg)-info"
)
_SMALL_BYTES: Final = 64 << 10
_LEFT_OUT: Final = {"__pycache__", "build", "dist", "node_modules", "venv"}


def installed_packages(path: Sequence[str] | None = None) -> tuple[str, dict[str, dict[str, str]]]:
    """Return a line `name==version` for each package on the path, sorted, and those installed from a folder to work on.

    A package that is there twice is the one that an import finds. Of an editable one: `path`, `revision` (where the folder
    is a checkout of git) and `hash` of its Python files, where that took no longer than `MAX_HASHING_S`.
    """
    versions: dict[str, str] = {}
    editable: dict[str, dict[str, str]] = {}
    for name, version, folder in _folders(sys.path if path is None else path):
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in versions or len(versions) >= MAX_PACKAGES:
            continue
        versions[key] = version
        source = _editable_source(folder)
        if source is not None:
            editable[key] = _described(source)
    return "\n".join(f"{name}=={version}" for name, version in sorted(versions.items())), editable


def _folders(path: Sequence[str]) -> Iterator[tuple[str, str, Path]]:
    for place in dict.fromkeys(path):
        try:
            names = [one.name for one in Path(place or ".").iterdir()]
        except OSError as error:  # a zip file, a folder that is gone
            if is_interruption(error):
                raise
            continue
        for name in sorted(names):
            if found := _INFO.fullmatch(name):
                yield clean_text(found["name"]), clean_text(found["version"]), Path(place or ".", name)


def _editable_source(folder: Path) -> Path | None:
    """Return the folder that an editable package was installed from. Source: PEP 610."""
    try:
        with (folder / "direct_url.json").open("rb") as file:
            told = json.loads(file.read(_SMALL_BYTES))
        is_editable = told["dir_info"]["editable"] is True
        url = urlsplit(told["url"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if is_interruption(error):
            raise
        return None
    return Path(unquote(url.path)) if is_editable and url.scheme == "file" and "\0" not in url.path else None


def _described(source: Path) -> dict[str, str]:
    found = {"path": clean_text(os.fspath(source))}
    revision = git_attributes(source).get(attr.VCS_REF_HEAD_REVISION)
    if isinstance(revision, str):
        found["revision"] = revision
    digest = digest_of_code(source)
    return found if digest is None else {**found, "hash": f"sha256:{digest}"}


def digest_of_code(folder: Path, *, deadline_s: float = MAX_HASHING_S) -> str | None:
    """Return the digest of names and content of a folder's Python files; None where they are too many, or unreadable."""
    until = time.monotonic() + deadline_s
    total, size_bytes, digest = 0, 0, hashlib.sha256()
    try:
        for where, folders, names in os.walk(folder):
            folders[:] = sorted(one for one in folders if one not in _LEFT_OUT and not one.startswith("."))
            for name in sorted(one for one in names if one.endswith(".py")):
                path = Path(where, name)
                total, size_bytes = total + 1, size_bytes + path.stat().st_size
                if total > MAX_FILES or size_bytes > MAX_HASHED_BYTES or time.monotonic() > until:
                    return None
                digest.update(os.fsencode(path.relative_to(folder)) + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        if is_interruption(error):
            raise
        return None
    return digest.hexdigest()
