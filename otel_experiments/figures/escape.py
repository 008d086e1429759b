"""Texts of a program inside HTML and SVG: names and values may hold anything, and no figure may be broken by it.

Characters that cannot be seen or would turn the text around are shown by their code first.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)
"""Controls, marks of direction, lone surrogates and non-characters; the joiner of emoji is not among them."""


def show_hidden(text: str) -> str:
    """Return the text with characters that cannot be seen, or that XML forbids, as their escapes."""
    return _HIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)


def clip(text: str, limit: int) -> str:
    """Return the text, its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 3) * 2 // 3
    return f"{text[:head]}...{text[len(text) - (limit - 3 - head) :]}"


def escape_markup(text: str) -> str:
    """Return the text for HTML and XML, inside elements and inside quoted attributes."""
    return escape(show_hidden(text), quote=True)
