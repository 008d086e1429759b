"""The order in which a person lists names: m2 before m10."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_DIGITS: Final = re.compile(r"([0-9]+)")
_NAMES_HELD: Final = 4096  # the runs of a page have the same names, mostly


@lru_cache(maxsize=_NAMES_HELD)
def natural_key(name: str) -> tuple[tuple[str, int, str], ...]:
    """Return a sort key by which runs of digits in names compare as numbers, and names that differ never tie."""
    parts = _DIGITS.split(name)
    # A text and the number after it, with the digits as they stand for what has leading zeros.
    texts, digits = parts[::2], [*parts[1::2], ""]
    return tuple((text, int(found[:4000] or -1), found) for text, found in zip(texts, digits, strict=True))
