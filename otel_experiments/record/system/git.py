"""What the git checkout around a folder says: revision, branch, remote. Files are read, git is never run.

Nothing in the files is trusted: they may be made by anybody. Only regular files are read, and only a part that a
checkout's own would not exceed; a revision is 40 or 64 hexadecimal digits, a ref's name one that git itself takes, and
a remote's URL has no user, password, query or fragment when it is recorded.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from otel_experiments.codec.redaction import redact_text
from otel_experiments.codec.text import clean_text
from otel_experiments.model.span import AttributeValue
from otel_experiments.process.interruption import is_interruption
from otel_experiments.semconv import attributes as attr

_SMALL_BYTES: Final = 4096
"""HEAD, a ref, `commondir`, a `.git` file: a line each."""
_CONFIG_BYTES: Final = 256 << 10
_PACKED_REFS_BYTES: Final = 16 << 20
_MOST_LINKS: Final = 5
"""A ref may name another one, as in git itself."""
_MOST_CHARS: Final = 1000

_REVISION: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF: Final = re.compile(
    r"refs/(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,1000}(?<![/.])"
)
"""What git takes as a ref's name. Source: git-check-ref-format(1)."""
_SECTION: Final = re.compile(r'\[\s*remote\s+"origin"\s*\]', re.IGNORECASE)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HOST: Final = re.compile(r"(?:[\w.~-]+|\[[\w.:%~-]+\])(?::\d{0,5})?|")
_SCP: Final = re.compile(r"(?:([\w.-]{1,64})@)?([\w.-]+|\[[\w.:%~-]+\]):(?!/?/)([^\s?#]+)[^\s]*")


def git_attributes(start: Path) -> dict[str, AttributeValue]:
    """Return revision, branch and remote (without credentials) of the checkout that `start` lies in. Never raises."""
    for folder in (start, *start.parents):
        try:
            directory = _git_directory(folder)
            if directory is not None:
                return _read_checkout(directory)
        except (OSError, ValueError, RuntimeError) as error:
            if is_interruption(error):
                raise
            return {}
    return {}


def without_credentials(url: str) -> str:
    """Return a remote's URL without user, password, query and fragment; empty where that cannot be told.

    A password may hold `/`, `?`, `#` and `@` as it stands; whoever wrote it so meant it as one.
    """
    text = url.strip().strip('"')
    if len(text) > _MOST_CHARS or not text.isprintable():
        return ""
    whole = _SCHEME.fullmatch(text)
    if whole is not None:
        cleaned = _clean_rest(whole[2])
        return "" if cleaned is None else redact_text(f"{whole[1]}://{cleaned}")
    if "::" in text or "://" in text:  # another program's way of transport, with an address of its own
        return ""
    first, at, rest = text.partition("@")
    if at and ":" in first and ":" in rest:  # user:password@host:path
        text = rest.rpartition("@")[2]
    copied = _SCP.fullmatch(text)
    if copied is not None:
        user = f"{copied[1]}@" if copied[1] else ""
        return redact_text(f"{user}{copied[2]}:{copied[3]}")
    is_path = text.startswith(("/", ".")) or "@" not in text
    return redact_text(re.split(r"[?#]", text, maxsplit=1)[0]) if is_path else ""


def _clean_rest(rest: str) -> str | None:
    """Return host and path of what follows a URL's `://`; None where there is no host that can be told."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest:
        is_host = "." in authority and "@" not in authority and ":" not in authority
        if not is_host:  # `ann:12/3@host` looks like a host, a port and a path
            rest = rest.rpartition("@")[2]
    elif ":" in authority and not authority.endswith("]") and not authority.rpartition(":")[2].isdigit():
        return None  # user:password without a host
    cleaned = re.split(r"[?#]", rest, maxsplit=1)[0]
    return cleaned if _HOST.fullmatch(cleaned.partition("/")[0]) else None


def _git_directory(folder: Path) -> Path | None:
    """Return the checkout's git directory; None where `folder` is no checkout's."""
    found = folder / ".git"
    mode = _mode(found)
    if stat.S_ISREG(mode):  # of a worktree or a submodule: its one line says where the directory is
        line = _read(found, _SMALL_BYTES) or ""
        key, _, place = line.partition(":")
        if key != "gitdir" or not place.strip() or "\0" in place:
            return None
        found = folder / place.strip()
    is_git = _mode(found / "HEAD") and (
        stat.S_ISDIR(_mode(found / "objects")) or stat.S_ISREG(_mode(found / "commondir"))
    )
    return found if is_git else None


def _read_checkout(directory: Path) -> dict[str, AttributeValue]:
    common = directory
    place = _read(directory / "commondir", _SMALL_BYTES)
    if place and "\0" not in place:
        common = directory / place
    found: dict[str, AttributeValue] = {}
    head = _head(directory)
    revision: str | None = head
    if head.startswith("ref:"):
        reference = head[4:].strip()
        if _REF.fullmatch(reference) is None:
            reference = ""
        kind = "tag" if reference.startswith("refs/tags/") else "branch"
        name = reference.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if name:
            found[attr.VCS_REF_HEAD_NAME] = name
            found[attr.VCS_REF_HEAD_TYPE] = kind
        revision = _resolve(directory, common, reference)
    if revision and _REVISION.fullmatch(revision):
        found[attr.VCS_REF_HEAD_REVISION] = revision
    url = _remote_url(common / "config")
    if url:
        found[attr.VCS_REPOSITORY_URL_FULL] = url
    return found


def _head(directory: Path) -> str:
    path = directory / "HEAD"
    if path.is_symlink():  # as old releases of git made it: the link's text is the ref's name
        return clean_text(f"ref: {path.readlink()}")
    return _read(path, _SMALL_BYTES) or ""


def _resolve(directory: Path, common: Path, reference: str) -> str | None:
    """Return what a ref points at; None where nothing does."""
    for _ in range(_MOST_LINKS):
        if _REF.fullmatch(reference) is None:
            return None
        text = _read(directory / reference, _SMALL_BYTES) or _read(common / reference, _SMALL_BYTES)
        if text is None:
            return _packed(common / "packed-refs", reference)
        if not text.startswith("ref:"):
            return text
        reference = text[4:].strip()
    return None


def _packed(path: Path, reference: str) -> str | None:
    for line in (_read(path, _PACKED_REFS_BYTES) or "").splitlines():
        revision, _, name = line.partition(" ")
        if name == reference:
            return revision
    return None


def _remote_url(config: Path) -> str:
    is_origin = False
    for line in (_read(config, _CONFIG_BYTES) or "").splitlines():
        text = line.strip()
        if text.startswith("["):
            is_origin = _SECTION.match(text) is not None
        elif is_origin and text.partition("=")[0].strip().lower() == "url":
            return without_credentials(text.partition("=")[2])
    return ""


def _mode(path: Path) -> int:
    """Return what kind of thing is at the path; 0 where nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _read(path: Path, most_bytes: int) -> str | None:
    """Return the text of a regular file, stripped, at most so many bytes of it; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    with os.fdopen(
        descriptor, "rb"
    ) as file:  # a pipe at the path would keep a blocking open waiting for ever
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(most_bytes).decode("utf-8", "replace").strip()
