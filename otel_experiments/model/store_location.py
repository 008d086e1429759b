"""Where a store is: every address that a user can type, read in one way by all that record, read and export.

An address is a path, `sqlite://PATH`, a `file:` URI, `memory://`, `:memory:` or `sqlite://:memory:` (SQLite in
memory), `none`, or one whose scheme another package adds. Where one is expected a store that is open may be given. A scheme is one only at the start: `runs/http://host/x.db` is a path like any other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, Literal

from otel_experiments.errors import StorePathError
from otel_experiments.model.other_stores import give_store, is_known, waiting_place, without_password

STORE_VARIABLE: Final = "OTEL_EXPERIMENTS_STORE"
DEFAULT_STORE: Final = "experiments.db"

MEMORY: Final = "memory://"
SQLITE_MEMORY: Final = ":memory:"
NOTHING: Final = "none"

Kind = Literal["file", "memory", "sqlite memory", "nothing", "other"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
SQLITE_START: Final = b"SQLite format 3\x00"
"""The first bytes of a store that is a file."""
BUNDLE_SUFFIX: Final = ".oxb"
"""How the name of a bundle ends: one file with runs and their artifacts, which is only read."""
_LATER: Final = {
    "clickhouse": "ClickHouse",
    "clickhouses": "ClickHouse",
}
"""Schemes of stores that this release has not."""

_MEMORY_WORDS: Final = frozenset(
    {
        "memory",
        "mem",
        "ram",
        "inmemory",
        "in-memory",
        "in_memory",
        "in memory",
        "memory:",
        "memory:/",
        ":memory",
    }
)
_NOTHING_WORDS: Final = frozenset({"none", "null", "nil", "false", "off", "no", "disabled", "nothing"})
_SCHEME_WORDS: Final = frozenset({"file", "sqlite", "sqlite3", "postgres", "postgresql", *_LATER})
_HALF_SCHEME: Final = re.compile(rf"({'|'.join(sorted(_SCHEME_WORDS - {'file'}))}):(?!//)", re.IGNORECASE)
_PLACES: Final = (
    "Give a path, sqlite://PATH, file:PATH, sqlite://:memory:, memory:// or postgresql://HOST/DATABASE."
)


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """Where a store is. `path` is its file, from the working directory where it was given so; None without a file.

    `address` is that of a store of another package (the kind `other`), and empty for our own.
    """

    kind: Kind
    path: Path | None = None
    address: str = ""

    @classmethod
    def parse(cls, address: str | PathLike[str] | object) -> StoreLocation:
        """Return the location that an address names, or a store that is open; `~` is the home, in a URI as well.

        Raises:
            StorePathError: it is empty, a word that is meant for something else (`memory`, `None`, `sqlite`), of an
                unknown scheme or of a store that this release has not, or in a home that there is not.
        """
        if not isinstance(address, (str, os.PathLike)):
            return cls("other", address=give_store(address))
        text: str = os.fspath(address)
        if text == NOTHING:
            return cls("nothing")
        scheme, rest = _split(text)
        if scheme == "memory":
            if rest:
                why, fix = "a store in memory has no path", f"Give {MEMORY} alone, or the path of a file."
                raise StorePathError(path=text, why=why, fix=fix)
            return cls("memory")
        if scheme == "file":
            rest = _path_of_uri(text, rest)
        elif scheme not in {"", "sqlite"}:
            if is_known(text, scheme):
                return cls("other", address=text)
            raise _unknown_scheme(text, scheme)
        if rest == SQLITE_MEMORY and scheme != "file":
            return cls("sqlite memory")
        return cls("file", _file(text, rest))

    @classmethod
    def named(
        cls, address: str | PathLike[str] | object | None, environ: Mapping[str, str] | None = None
    ) -> StoreLocation:
        """Return the location that `address` names; where it is None, that of the environment or the default one.

        Raises:
            StorePathError: as `parse` does.
        """
        if address is not None:
            return cls.parse(address)
        return cls.parse((os.environ if environ is None else environ).get(STORE_VARIABLE) or DEFAULT_STORE)

    def __str__(self) -> str:
        """Return an address that `parse` reads as this location."""
        if self.path is not None:
            return str(self.path)
        if self.address:
            return self.address
        return {"memory": MEMORY, "sqlite memory": SQLITE_MEMORY}.get(self.kind, NOTHING)

    @property
    def is_stored(self) -> bool:
        """Whether there is a store at all: `none` keeps nothing."""
        return self.kind != "nothing"

    @property
    def absolute_path(self) -> Path | None:
        """The store's file, whatever the working directory becomes; None for a store without one.

        Raises:
            StorePathError: the path starts from a working directory that is gone.
        """
        return None if self.path is None else _absolute(self.path)

    @property
    def beside(self) -> Path | None:
        """The path beside which this machine keeps the store's journals and artifacts; None for a store in memory.

        Raises:
            StorePathError: the path starts from a working directory that is gone.
        """
        return waiting_place(self.address) if self.address else self.absolute_path

    @property
    def is_bundle(self) -> bool:
        """Whether the name says that it is a bundle, which is only read."""
        return self.path is not None and self.path.suffix.lower() == BUNDLE_SUFFIX

    def require_store(self) -> StoreLocation:
        """Return the location itself.

        Raises:
            StorePathError: it is `none`, which is no store.
        """
        if self.kind == "nothing":
            raise StorePathError(
                path=NOTHING,
                why="with this setting nothing is kept locally",
                fix=f"Name a store: --store PATH or {STORE_VARIABLE}=PATH.",
            )
        return self


def _split(text: str) -> tuple[str, str]:
    """Return the scheme of an address, in small letters, and what follows it; a path has none."""
    found = _SCHEME.match(text)
    if found is not None:
        return found[1].lower(), text[found.end() :]
    if text[:5].lower() == "file:":
        return "file", text[5:]
    return "", text


def _path_of_uri(text: str, rest: str) -> str:
    """Return the path that a `file:` URI names: `file:runs.db`, `file:/runs.db`, `file:///runs.db`."""
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415 - few give a URI

    if "?" in rest or "#" in rest:
        why = "options behind a file URI are not read"
        raise StorePathError(path=text, why=why, fix="Give the path alone; in a name ? is %3F and # is %23.")
    if text[5:7] == "//":
        host, _, path = rest.partition("/")
        if host.lower() not in {"", "localhost"}:
            why, fix = (
                f"{host!r} is another machine",
                "Give the path of a file here: file:///PATH or file:PATH.",
            )
            raise StorePathError(path=text, why=why, fix=fix)
        rest = f"/{path}"
    return os.fsdecode(unquote_to_bytes(os.fsencode(rest)))


def _file(address: str, text: str) -> Path:
    if not text.strip():
        raise StorePathError(path=address, why="it is empty", fix=f"Give a path such as {DEFAULT_STORE}.")
    if "\0" in text:
        raise StorePathError(
            path=address, why="no file has a NUL in its name", fix="Give the path without it."
        )
    _refuse_words(address, text)
    expanded = os.path.expanduser(text)  # noqa: PTH111 - Path drops the ./ that makes a ~ a name
    if text.startswith("~") and expanded == text:
        raise StorePathError(
            path=address,
            why="there is no such home",
            fix=f"Give a whole path: --store /PATH or {STORE_VARIABLE}=/PATH.",
        )
    path = Path(expanded)
    return _absolute(path) if _means_something_else(str(path)) else path


def _refuse_words(address: str, text: str) -> None:
    """Refuse a bare word that is meant for something else than a file of that name."""
    word = text.lower()
    here = f"For a file of that name: ./{text}."
    if word in _MEMORY_WORDS or text == f"/{SQLITE_MEMORY}":  # of sqlite:///:memory:
        why, fix = "it is a word, not a path", f"Did you mean {MEMORY}? {here}"
    elif word in _NOTHING_WORDS:
        why = "it is a word, not a path"
        fix = f"To keep nothing locally: {NOTHING}. For a store in memory: {MEMORY}. {here}"
    elif word in _SCHEME_WORDS:
        why, fix = "it is a kind of store, not a path", f"{_PLACES} {here}"
    elif found := _HALF_SCHEME.match(text):
        why = f"{found[1]!r} is a kind of store, and :// is missing after it"
        fix = f"{_PLACES} {here}"
    else:
        return
    raise StorePathError(path=address, why=why, fix=fix)


def _means_something_else(text: str) -> bool:
    """Tell whether a path, written down without the ./ before it, would be read as something else."""
    if text.startswith("~") or _split(text)[0] or text in {NOTHING, SQLITE_MEMORY}:
        return True
    try:
        _refuse_words(text, text)
    except StorePathError:
        return True
    return not text.strip()


def _unknown_scheme(text: str, scheme: str) -> StorePathError:
    later = _LATER.get(scheme)
    why = (
        f"{scheme!r} is no kind of store that is known"
        if later is None
        else f"this release has no {later} store"
    )
    return StorePathError(path=without_password(text), why=why, fix=_PLACES)


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:
        raise StorePathError(
            path=str(path),
            why="the working directory is gone",
            fix=f"Give a whole path: --store /PATH or {STORE_VARIABLE}=/PATH.",
        ) from None
