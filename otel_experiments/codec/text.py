"""Text as UTF-8 can carry it."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Return the text as UTF-8 can carry it: lone surrogates become `?`."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text
