"""What messages and records say about values of the user's, whose `__str__` and `__repr__` may do anything."""

from __future__ import annotations

from typing import Final

_MAX_SHOWN_CHARS: Final = 60


def text_of(value: object) -> str:
    """Return the value's text, or what stands for it where the value cannot say it."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may do anything
        return f"<{type(value).__name__} without a text>"


def shown(value: object) -> str:
    """Return the value as messages show it: its `repr`, shortened."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign __repr__ may do anything, and a huge int has none
        return "which cannot be shown"
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 3]}..."
