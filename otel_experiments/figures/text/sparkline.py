"""The course of a series as one line of characters. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-~=+*#"


def sparkline(values: Sequence[float], *, width: int, is_unicode: bool = True) -> str:
    """Return the course of a series as one line of at most `width` characters.

    Each character is the mean of its part of the values; a part with no finite value is a blank.
    """
    if not values or width < 1:
        return ""
    width = min(width, len(values))
    bounds = [len(values) * i // width for i in range(width + 1)]
    means: list[float | None] = []
    for first, last in itertools.pairwise(bounds):
        finite = [one for one in values[first:last] if math.isfinite(one)]
        means.append(math.fsum(one / len(finite) for one in finite) if finite else None)
    present = [one for one in means if one is not None]
    if not present:
        return " " * width
    low, high = min(present), max(present)
    blocks = _BLOCKS if is_unicode else _ASCII_BLOCKS
    # Halved, because the range of two finite numbers need not be finite.
    half_range = high / 2 - low / 2
    line = []
    for one in means:
        if one is None:
            line.append(" ")
        elif half_range == 0:
            line.append(blocks[3])
        else:
            line.append(blocks[min(7, int((one / 2 - low / 2) / half_range * 8))])
    return "".join(line)
