"""Colours and other control sequences of terminals in a text, and what stands beside them."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)|\x1b[@-Z\\^_=>78]"
)


def without_controls(text: str) -> str:
    """Return what is read on a terminal; the same text where it has no control sequences."""
    return _SEQUENCE.sub("", text) if "\x1b" in text or "\x9b" in text else text


def with_controls(text: str, plain: str, changed: str) -> str:
    """Return `changed`, which was made of `plain`, with the control sequences of `text` around what has changed.

    `plain` is `without_controls(text)`.
    """
    most = min(len(plain), len(changed))
    head = next((at for at in range(most) if plain[at] != changed[at]), most)
    tail = next((at for at in range(most - head) if plain[-1 - at] != changed[-1 - at]), most - head)
    begin = _place(text, head, is_behind=True)
    end = _place(text, len(plain) - tail, is_behind=False)
    return f"{text[:begin]}{changed[head : len(changed) - tail]}{text[max(begin, end) :]}"


def _place(text: str, count: int, *, is_behind: bool) -> int:
    """Return where in the text so many characters have been read: before or behind the control sequences there."""
    read = at = 0
    for found in _SEQUENCE.finditer(text):
        here = read + found.start() - at
        if here > count or (here == count and not is_behind):
            break
        read, at = here, found.end()
    return at + count - read
