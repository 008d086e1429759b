"""What the scripts here have in common: a row of the table of targets, printed so that `run.py` finds it."""

from __future__ import annotations

import json

PREFIX = "ROW "


def row(number: int, what: str, measured: str, target: str, *, is_reached: bool) -> None:
    """Print one row: `number` is that of the target, `measured` and `target` are texts with their units."""
    print(PREFIX + json.dumps([number, what, measured, target, is_reached]), flush=True)
