"""How the address of a store is read: `sqlite://PATH`, `memory://`, `:memory:`, `none`, or a path.

A scheme is one only at the start: `runs/http://host/x.db` is a path like any other.
"""

from __future__ import annotations

import re
from typing import Final

SQLITE: Final = "sqlite://"
MEMORY: Final = "memory://"
SQLITE_MEMORY: Final = ":memory:"
NOTHING: Final = "none"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(address: str) -> str:
    """Return the scheme that an address begins with; empty for a path."""
    found = _SCHEME.match(address)
    return found[1] if found is not None else ""


def file_of(address: str) -> str | None:
    """Return the path of the file that an address names, as it is written there; None where it names no file."""
    path = address.removeprefix(SQLITE)
    is_file = address.startswith(SQLITE) or not scheme_of(address)
    return path if is_file and path.strip() and path not in {NOTHING, SQLITE_MEMORY} else None
