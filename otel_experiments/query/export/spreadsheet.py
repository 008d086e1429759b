"""Cells that a spreadsheet shows as text and never runs as a formula."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What Excel, LibreOffice and Google Sheets take for the beginning of a formula, wide forms included. Source: OWASP, CSV
injection."""


def defused(cells: Iterable[object]) -> list[object]:
    """Return a row in which a text that begins like a formula has an apostrophe in front; numbers stay numbers."""
    return [_defused(cell) for cell in cells]


def _defused(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell if cell.isprintable() and "_" not in cell else f"'{cell}"
