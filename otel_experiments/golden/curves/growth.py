"""How fast two curves part, as a number to print and never to fail on."""

from __future__ import annotations

import math
from collections.abc import Sequence


def measure_growth(pairs: Sequence[tuple[float, float, float]]) -> float | None:
    """Return by how many powers of ten the deviation grows per 100 steps; None from fewer than 3 deviations.

    Shape: `pairs` holds (index, golden, candidate), all finite. The slope is that of least squares through
    log10 of the absolute deviations that are not 0.
    """
    points = [(index, math.log10(abs(theirs - ours))) for index, ours, theirs in pairs if theirs != ours]
    if len(points) < 3:
        return None
    centre = math.fsum(index for index, _ in points) / len(points)
    level = math.fsum(value for _, value in points) / len(points)
    spread = math.fsum((index - centre) ** 2 for index, _ in points)
    if not spread:
        return None
    return 100 * math.fsum((index - centre) * (value - level) for index, value in points) / spread
