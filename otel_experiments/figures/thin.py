"""Fewer points for the same picture: of each stretch of a curve its lowest and its highest value stay."""

from __future__ import annotations

import math
from collections.abc import Sequence


def thin(values: Sequence[float], *, at_most: int) -> Sequence[int]:
    """Return the indexes of about `at_most` values to draw, ascending.

    The first and the last stay, of each stretch the lowest, the highest, and one that is not finite, which breaks
    the line.
    """
    count = len(values)
    if count <= at_most:
        return range(count)
    size = math.ceil(2 * count / max(2, at_most))
    kept = {0, count - 1}
    for start in range(0, count, size):
        stretch = range(start, min(start + size, count))
        whole = [at for at in stretch if math.isfinite(values[at])]
        if whole:
            kept.update((min(whole, key=values.__getitem__), max(whole, key=values.__getitem__)))
        if len(whole) < len(stretch):
            kept.add(next(at for at in stretch if not math.isfinite(values[at])))
    return sorted(kept)
