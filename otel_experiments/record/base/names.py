"""What a name may be: any text but the empty one; what no store can hold is replaced, what is too long is shortened.

Slashes, quotes, dots and emoji stay as they are: no name ever becomes a path or part of a statement. Two names that
differ stay two: a name that had to be changed ends in a part of the hash of what it was.
"""

from __future__ import annotations

import hashlib
from typing import Final

from otel_experiments.codec.text import shown
from otel_experiments.errors import InvalidNameError

MAX_NAME_BYTES: Final = 1000
"""Below the 1,024 bytes that the semantic conventions advise for an attribute's text."""


def clean_name(name: object, kind: str) -> str:
    """Return the name as it is recorded: a text without NUL of at most `MAX_NAME_BYTES` bytes of UTF-8.

    A name that is longer, or holds NUL or half a surrogate pair (a file name that is no UTF-8), is changed and ends in
    `~` and eight digits of its SHA-256.

    Raises:
        InvalidNameError: the name is not a text, or empty. `kind` says in the message what it names.
    """
    if not isinstance(name, str):
        raise InvalidNameError(
            kind=kind,
            name=shown(name),
            why=f"it is of type {type(name).__name__}, not a text",
            fix="Pass a str.",
        )
    if not name.strip():
        raise InvalidNameError(
            kind=kind, name=name, why="it is empty", fix="Give it at least one visible character."
        )
    name = str.__str__(
        name
    )  # of a subclass, what it holds: another library may compare and print it otherwise
    raw = name.encode("utf-8", "surrogatepass")
    if len(raw) <= MAX_NAME_BYTES and "\0" not in name:
        if len(raw) == len(name):
            return name
        try:
            return raw.decode()
        except UnicodeDecodeError:  # half a surrogate pair
            pass
    held = name.replace("\0", "\ufffd").encode("utf-8", "replace")
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return held[: MAX_NAME_BYTES - 9].decode("utf-8", "ignore") + "~" + digest
