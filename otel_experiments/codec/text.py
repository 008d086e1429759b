"""Texts of values that may do anything when asked for one, and text as UTF-8 can carry it. Pure."""

from __future__ import annotations

import reprlib
from typing import Final

from otel_experiments.process.interruption import is_interruption

_MAX_SHOWN_CHARS: Final = 60
_CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})
"""What may be large, and is not to be written out for a line of a log."""
_short: Final = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = 12
_short.maxstring = _short.maxother = _short.maxlong = _MAX_SHOWN_CHARS


def clean_text(text: str) -> str:
    """Return the text as UTF-8 can carry it: lone surrogates become `?`."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def text_of(value: object) -> str:
    """Return the value's text, or what stands for it where the value cannot say it."""
    try:
        return str(value)
    except Exception as error:  # a foreign __str__ may do anything
        if is_interruption(error):
            raise
        return f"<{type(value).__name__} without a text>"


def shown(value: object) -> str:
    """Return the value as messages show it: its `repr`, shortened."""
    try:
        text = _short.repr(value) if type(value) in _CONTAINERS else repr(value)
    except Exception as error:  # a foreign __repr__ may do anything, and a huge int has none
        if is_interruption(error):
            raise
        return "which cannot be shown"
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 3]}..."
