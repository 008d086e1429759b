"""Values that jump out of a series, and series whose level moves away: found as the values arrive.

A value is held against those before it and never against itself: a single outlier among n equal values would else never be more than
sqrt(n - 1) standard deviations away.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from otel_experiments.errors import AnalysisError

Severity = Literal["low", "medium", "high"]

_MEDIUM, _HIGH = 4.0, 5.0
_NOISE_RATIO: Final = 1e-3
"""The least standard deviation, in parts of the level: a series that was constant does not jump by a thousandth."""


@dataclass(frozen=True, slots=True)
class Spike:
    """A value that jumped out of its series.

    Attributes:
        value: the value.
        expected: the mean of the values before it.
        deviation: how many of their standard deviations it lies away; below 0 for a drop.
        severity: `low` from the threshold on, `medium` from 4, `high` from 5 standard deviations on.
    """

    value: float
    expected: float
    deviation: float
    severity: Severity


class SpikeDetector:
    """Finds values that jump out of the last ones.

    Memory and time of a value do not grow with the series.

    Args:
        threshold: how many standard deviations make a spike.
        window: against how many of the last values one is held.
        least: with fewer values than that before it none is judged.

    Raises:
        AnalysisError: no value could be a spike, or each would be one.
    """

    def __init__(self, *, threshold: float = 4.0, window: int = 100, least: int = 10) -> None:
        if not threshold > 0 or least < 2 or window < least:
            raise AnalysisError(
                what="A spike needs a threshold above 0, and a window of values to be held against",
                found=f"threshold={threshold:g}, window={window}, least={least} was given",
                fix="Give a threshold above 0, at least 2 values to wait for, and a window no shorter than that.",
            )
        self._threshold, self._least = threshold, least
        self._kept: deque[float] = deque(maxlen=window)

    def add(self, value: float) -> Spike | None:
        """Take a value, and return it as a spike if it is one.

        A spike counts among the last values as what just were none, so that one does not hide the next and a new level becomes the
        usual one after a while. What is not finite is left out.

        Args:
            value: the next value of the series.
        """
        if not math.isfinite(value):
            return None
        if len(self._kept) < self._least:
            self._kept.append(value)
            return None
        count = len(self._kept)
        centre = math.fsum(one / count for one in self._kept)  # their sum may be more than a number holds
        std = max(
            math.hypot(*(one - centre for one in self._kept)) / math.sqrt(count - 1),
            _NOISE_RATIO * abs(centre),
        )
        deviation = (value - centre) / std if std else math.copysign(math.inf, value) if value else 0.0
        if abs(deviation) < self._threshold:
            self._kept.append(value)
            return None
        edge = self._threshold * std
        self._kept.append(centre + math.copysign(edge, deviation) if std else value)
        size = abs(deviation)
        return Spike(
            value, centre, deviation, "high" if size >= _HIGH else "medium" if size >= _MEDIUM else "low"
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """A series whose level has moved.

    Attributes:
        value: the value with which it was seen.
        expected: the level that it had.
        direction: 1 for up, -1 for down.
        since: how many values ago the move began.
    """

    value: float
    expected: float
    direction: int
    since: int


class DriftDetector:
    """Finds a level that moves away slowly, where no single value is a spike: cumulative sums in both directions.

    The level and its spread are those of the first values; after a drift, those of the next ones.

    Source: Page 1954, Continuous Inspection Schemes; `slack` and `limit` as in Montgomery, Statistical Quality Control, 9.1.

    Args:
        baseline: of how many values the level is made.
        slack: a move of so many standard deviations is none.
        limit: so many standard deviations, summed up, are a drift.

    Raises:
        AnalysisError: there would be no level, or each value would be a drift.
    """

    def __init__(self, *, baseline: int = 50, slack: float = 0.5, limit: float = 8.0) -> None:
        if baseline < 2 or not slack >= 0 or not limit > 0:
            raise AnalysisError(
                what="A drift needs a level that it leaves, and a limit",
                found=f"baseline={baseline}, slack={slack:g}, limit={limit:g} was given",
                fix="Give a baseline of at least 2 values, a slack of 0 or more and a limit above 0.",
            )
        self._wanted, self._slack, self._limit = baseline, slack, limit
        self._start_anew()

    def add(self, value: float) -> Drift | None:
        """Take a value, and return the drift that it completes, if it does.

        Args:
            value: the next value of the series; what is not finite is left out.
        """
        if not math.isfinite(value):
            return None
        if self._count < self._wanted:
            self._count += 1
            change = value - self._mean
            self._mean += change / self._count
            self._squares += change * (value - self._mean)
            return None
        std = max(math.sqrt(self._squares / (self._wanted - 1)), _NOISE_RATIO * abs(self._mean)) or 1.0
        place = (value - self._mean) / std
        found = self._sum_up(place, value)
        if found is not None:
            self._start_anew()
        return found

    def _sum_up(self, place: float, value: float) -> Drift | None:
        for direction in (1, -1):
            total, length = self._sums[direction]
            total = max(0.0, total + direction * place - self._slack)
            length = length + 1 if total else 0
            self._sums[direction] = (total, length)
            if total > self._limit:
                return Drift(value, self._mean, direction, length)
        return None

    def _start_anew(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._sums: dict[int, tuple[float, int]] = {1: (0.0, 0), -1: (0.0, 0)}
