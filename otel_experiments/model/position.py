"""The place of an item in what a search finds."""

from __future__ import annotations

from dataclasses import dataclass

SortKey = tuple[int, float | str | bytes] | None
"""What an item sorts by: truth values (0) come before numbers (1), numbers before texts (2). None comes last.

A text that is not UTF-8 is bytes.
"""


@dataclass(frozen=True, slots=True)
class Position:
    """The place of an item among all that a query finds, by what it was sorted by.

    Attributes:
        keys: what the item has of each sort key of the query.
        ties: what tells it from others that have the same.
    """

    keys: tuple[SortKey, ...]
    ties: tuple[int | str, ...]
