"""Reprs that fit on a few lines, whatever an object holds: long columns, texts and mappings are counted, not written out."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sized
from dataclasses import MISSING, fields
from typing import Any, Final, Protocol

_MAX_CHARS: Final = 60
"""Of one value."""
_MAX_ITEMS: Final = 8
"""Of a sequence or mapping whose items are written out."""
_short: Final = reprlib.Repr()
_short.maxlevel = 2
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdict = _short.maxarray = (
    _MAX_ITEMS
)
_short.maxstring = _short.maxother = _short.maxlong = _MAX_CHARS


def short(value: object) -> str:
    """Return the value's repr, cut in its middle where it is long."""
    return cut(_short.repr(value), 2 * _MAX_CHARS)


def cut(text: str, limit: int) -> str:
    """Return the text, its middle left out where it is longer than `limit` characters."""
    half = (limit - 3) // 2
    return text if len(text) <= limit else f"{text[:half]}...{text[len(text) - half :]}"


class Printer(Protocol):
    """What IPython gives to `_repr_pretty_`."""

    def text(self, text: str, /) -> None:
        """Print a text."""
        ...


# Any: a dataclass, which the type checker does not name.
def repr_pretty(value: Any, printer: Printer, cycle: bool) -> None:  # noqa: FBT001, ARG001 - as IPython calls it
    """Print a dataclass shortly in IPython and notebooks; to be its `_repr_pretty_`.

    The repr of values as they are stored holds all of them: they are compared by it where NaN has to be equal to NaN.
    """
    printer.text(fields_repr(value))


def mapping_repr(name: str, items: Mapping[str, object]) -> str:
    """Return the repr of a mapping: its first items, and how many more there are."""
    shown = [f"{short(key)}: {short(items[key])}" for _, key in zip(range(_MAX_ITEMS), items, strict=False)]
    if len(items) > len(shown):
        shown.append(f"and {len(items) - len(shown)} more")
    return f"{name}({{{', '.join(shown)}}})"


# Any: a dataclass, which the type checker does not name.
def fields_repr(value: Any) -> str:
    """Return the repr of a dataclass: the fields that are not at their default; long columns by their number of values."""
    shown = []
    for field in fields(value):
        found = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if not field.repr or (type(found) is type(default) and not _is_column(found) and found == default):
            continue
        shown.append(f"{field.name}={f'<{len(found):,} values>' if _is_column(found) else short(found)}")
    return f"{type(value).__name__}({', '.join(shown)})"


def _is_column(value: object) -> bool:
    is_plain = isinstance(value, str | bytes)
    return isinstance(value, Sized) and not is_plain and len(value) > _MAX_ITEMS
