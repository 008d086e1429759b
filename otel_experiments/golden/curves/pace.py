"""How many steps runs need to a target, and whether candidates need more or fewer than goldens did.

Both directions are reported: a run that converges too fast is as suspicious as a slow one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from otel_experiments.analysis.statistics import mean, predictive_t_test
from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.curves.align import Curve
from otel_experiments.golden.curves.band import window_length

Direction = Literal["min", "max"]
"""From which side the target is reached: a loss falls to it (`min`), an accuracy rises to it (`max`)."""

ALPHA: Final = 0.005
"""Level of each of the two directions."""

LEAST_RATIO: Final = 1.10
"""A target reached less than 10 % later or earlier is reached as before."""

_PRIOR_STD: Final = 0.05
_PRIOR_WEIGHT: Final = 4.0


@dataclass(frozen=True, slots=True)
class Pace:
    """When the target was reached: geometric mean index of each side; None when a candidate never did."""

    outcome: Literal["equal", "later", "earlier"]
    golden: float
    candidate: float | None
    p: float


def compare_pace(
    golden: Sequence[Curve], candidate: Sequence[Curve], *, target: float, direction: Direction
) -> Pace:
    """Compare the indexes at which the smoothed curves reach the target.

    Raises:
        GoldenRuleError: a golden never reached the target.

    Source: MLPerf training policies, section 13 (reference convergence points), made two-sided.
    """
    ours = [reach_target(curve, target=target, direction=direction) for curve in golden]
    theirs = [reach_target(curve, target=target, direction=direction) for curve in candidate]
    reached = [index for index in ours if index is not None]
    if len(reached) < len(ours):
        raise GoldenRuleError(
            rule=f"target={target:g}",
            why=f"{len(ours) - len(reached)} of {len(ours)} golden runs never reached it",
            fix="Take a target that every golden run reaches, or the direction that is meant: direction=max.",
        )
    offset = 1.0 - min(0.0, *reached)  # indexes may begin at 0 or below
    typical = math.exp(mean([math.log(index + offset) for index in reached])) - offset
    found = [index for index in theirs if index is not None]
    if len(found) < len(theirs):
        return Pace("later", typical, None, 0.0)
    test = predictive_t_test(
        [math.log(index + offset) for index in reached],
        [math.log(max(index + offset, 1e-9)) for index in found],
        prior_std=_PRIOR_STD,
        prior_weight=_PRIOR_WEIGHT,
        tail="two-sided",
    )
    candidate_typical = math.exp(mean([math.log(max(index + offset, 1e-9)) for index in found])) - offset
    is_large = abs(test.difference) > math.log(LEAST_RATIO)
    if test.p >= 2 * ALPHA or not is_large:
        return Pace("equal", typical, candidate_typical, test.p)
    return Pace("later" if test.difference > 0 else "earlier", typical, candidate_typical, test.p)


def reach_target(curve: Curve, *, target: float, direction: Direction) -> float | None:
    """Return the first index at which the trailing mean of a window reaches the target; None if it never does.

    Values that are not finite count for nothing: a window that holds one reaches no target.
    """
    window = window_length(len(curve))
    values = [float(value) for value in curve.values]
    for at in range(window - 1, len(values)):
        level = (
            math.fsum(values[at - window + 1 : at + 1]) / window
            if _is_finite(values, at, window)
            else math.nan
        )
        if (direction == "min" and level <= target) or (direction == "max" and level >= target):
            return float(curve.indexes[at])
    return None


def _is_finite(values: Sequence[float], at: int, window: int) -> bool:
    return all(math.isfinite(value) for value in values[at - window + 1 : at + 1])
