"""Cells of a table as polars takes them without changing one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def for_polars(cells: Sequence[Any]) -> Sequence[Any]:
    """Return cells of which polars changes none: it makes doubles of integers beside doubles, whatever their size."""
    kinds = set(map(type, cells))
    if not {int, float} <= kinds or not any(type(cell) is int and not _is_double(cell) for cell in cells):
        return cells
    return [None if cell is None else json.dumps(cell) for cell in cells]


def _is_double(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False
