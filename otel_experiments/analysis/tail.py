"""The end of a curve: where it is, and how much it varies there. Whether two ends differ by more than that.

A last value says little where the curve still swings: two trainings with different seeds never end equal. The noise is the
standard deviation of the last values about their straight line, since a curve that still falls is not noisy for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.analysis.statistics import mean

_SHARE: Final = 0.2
_FEWEST: Final = 8
_MOST: Final = 200
_KNOWN_FROM: Final = 4
"""Three points are nearly on a line by chance."""
_DEVIATIONS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The last values of a curve.

    Attributes:
        level: their mean.
        noise: their standard deviation about their straight line; NaN where there are too few to know it.
        count: how many there are.
    """

    level: float
    noise: float
    count: int


def measure_tail(values: Sequence[float]) -> Tail:
    """Return the tail of a curve: its last fifth, of 8 to 200 finite values.

    Args:
        values: the curve in the order of its steps; what is not finite is left out.
    """
    wanted = min(max(_FEWEST, int(len(values) * _SHARE)), _MOST)
    last: list[float] = []
    for value in reversed(values):
        if math.isfinite(value):
            last.append(value)
            if len(last) == wanted:
                break
    last.reverse()
    return Tail(mean(last), _noise_about_line(last), len(last))


def is_beyond_noise(a: float, b: float, tails: tuple[Tail, Tail]) -> bool | None:
    """Tell whether two values differ by more than twice the noise of both tails; None where the noise is not known.

    Args:
        a: the first curve's value.
        b: the second curve's value.
        tails: the tails of both curves.
    """
    noises = [one.noise for one in tails]
    if any(map(math.isnan, noises)) or not (math.isfinite(a) and math.isfinite(b)):
        return None
    return abs(b - a) > _DEVIATIONS * math.hypot(*noises)


def _noise_about_line(values: Sequence[float]) -> float:
    count = len(values)
    if count < _KNOWN_FROM:
        return math.nan
    largest = max(map(abs, values))
    if largest == 0.0:
        return 0.0
    scaled = [value / largest for value in values]  # else squares of values beyond 1e154 are infinite
    center, middle = mean(scaled), (count - 1) / 2
    spread = sum((at - middle) ** 2 for at in range(count))
    slope = sum((at - middle) * (value - center) for at, value in enumerate(scaled)) / spread
    rest = sum((value - center - slope * (at - middle)) ** 2 for at, value in enumerate(scaled))
    return largest * math.sqrt(rest / (count - 2))
