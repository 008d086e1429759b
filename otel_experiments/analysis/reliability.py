"""How often things succeeded, and what that says of a promise to succeed in 999 of 1,000 cases."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from otel_experiments.errors import AnalysisError

TARGETS = (0.99, 0.999, 0.9999)
"""The rates that service levels are mostly promised at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """Whether a rate that was promised was kept.

    Attributes:
        target: the rate that was promised, between 0 and 1.
        is_met: the rate of what was judged is at least the target; False where nothing was judged.
        is_shown: the rate lies above the target by more than chance explains, so that so few cases show it.
        base: on how many judged cases that rests.
    """

    target: float
    is_met: bool
    is_shown: bool
    base: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often things succeeded.

    Source of the interval: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.

    Attributes:
        total: how many there are.
        judged: of how many it is known whether they succeeded; the rates rest on these.
        succeeded: how many succeeded.
        failed: how many failed.
        rate: succeeded of judged; NaN where nothing was judged.
        low: with a confidence of 95 % the rate is above this; NaN as `rate`.
        high: with a confidence of 95 % the rate is below this; NaN as `rate`.
    """

    total: int
    judged: int
    succeeded: int
    failed: int
    rate: float
    low: float
    high: float

    @property
    def levels(self) -> tuple[ServiceLevel, ...]:
        """What it says of 99 %, 99.9 % and 99.99 %."""
        return tuple(self.against(target) for target in TARGETS)

    def against(self, target: float) -> ServiceLevel:
        """Return whether a promised rate was kept.

        Args:
            target: the rate, between 0 and 1.

        Raises:
            AnalysisError: it is no rate.
        """
        if not 0.0 <= target <= 1.0:
            raise AnalysisError(
                what="A promised rate lies between 0 and 1",
                found=f"{target:g} was given",
                fix="99.9 % is 0.999.",
            )
        is_known = self.judged > 0
        return ServiceLevel(
            target=target,
            is_met=is_known and self.rate >= target,
            is_shown=is_known and self.low >= target,
            base=self.judged,
        )


def measure_reliability(successes: Iterable[bool | None]) -> Reliability:
    """Return how often things succeeded.

    Args:
        successes: for each, whether it succeeded; None where that is not known.
    """
    given = list(successes)
    succeeded, failed = given.count(True), given.count(False)
    low, high = wilson_interval(succeeded, succeeded + failed)
    judged = succeeded + failed
    return Reliability(
        total=len(given),
        judged=judged,
        succeeded=succeeded,
        failed=failed,
        rate=succeeded / judged if judged else math.nan,
        low=low,
        high=high,
    )


def wilson_interval(succeeded: int, judged: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return between which two rates the true one lies; NaN twice where nothing was judged.

    Args:
        succeeded: how many succeeded.
        judged: of how many.
        confidence: how sure that is, between 0 and 1.
    """
    if not judged:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = succeeded / judged
    below = 1 + z * z / judged
    middle = (rate + z * z / (2 * judged)) / below
    half = z / below * math.sqrt(rate * (1 - rate) / judged + z * z / (4 * judged * judged))
    low = 0.0 if not succeeded else max(0.0, middle - half)
    high = 1.0 if succeeded == judged else min(1.0, middle + half)
    return low, high
