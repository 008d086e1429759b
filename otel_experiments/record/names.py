"""What a name may be: any text but the empty one; NUL is replaced, what is beyond 1,000 bytes is shortened.

Slashes, quotes, dots and emoji stay as they are: no name ever becomes a path or part of a statement.
"""

from __future__ import annotations

import hashlib
from typing import Final

from otel_experiments.errors import InvalidNameError
from otel_experiments.record.description import shown

MAX_NAME_BYTES: Final = 1000
"""Below the 1,024 bytes that the semantic conventions advise for an attribute's text."""


def clean_name(name: object, kind: str) -> str:
    """Return the name as it is recorded: a text without NUL of at most `MAX_NAME_BYTES` bytes of UTF-8.

    A longer name is cut and ends in `~` and eight digits of its SHA-256, so that two long names stay two.

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
    text = name.replace("\0", "\ufffd")
    raw = text.encode("utf-8", "replace")
    if len(raw) <= MAX_NAME_BYTES:
        return raw.decode() if len(raw) != len(text) else text
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return raw[: MAX_NAME_BYTES - 9].decode("utf-8", "ignore") + "~" + digest
