"""What a comparison of times could have seen: its power, and how many runs would be enough."""

from __future__ import annotations

import math

from otel_experiments.analysis.statistics import TTest, predictive_power
from otel_experiments.golden.timing.model import DEFAULT_SETTINGS, TimeTest, TimingSettings


def power_of(
    golden_ns: float, test: TTest, runs: tuple[int, int], family: int, settings: TimingSettings
) -> float:
    """Return the chance that a stage slower by `power_ratio` would have been seen.

    `runs` are golden and candidate runs, `family` is how many stages were tested.
    """
    return predictive_power(
        detectable_shift(golden_ns, settings),
        std=test.std,
        degrees_of_freedom=test.degrees_of_freedom,
        golden_runs=runs[0],
        candidate_runs=runs[1],
        alpha=strictest_alpha(family, settings),
    )


def detectable_shift(golden_ns: float, settings: TimingSettings) -> float:
    """Return by how much log time rises, with the floor, in a stage slower by `power_ratio`."""
    return math.log((settings.floor_ns + golden_ns * settings.power_ratio) / (settings.floor_ns + golden_ns))


def strictest_alpha(family: int, settings: TimingSettings) -> float:
    """Return the level that the first of `family` hypotheses has to reach under Holm."""
    return min(settings.alpha, settings.holm_alpha / max(1, family))


def runs_needed(
    wall: TimeTest,
    *,
    golden_runs: int,
    candidate_runs: int,
    family: int,
    settings: TimingSettings = DEFAULT_SETTINGS,
) -> tuple[int, int] | None:
    """Return the fewest (golden, candidate) runs with which `power_ratio` would be seen, None beyond 100 runs.

    Assumes that runs go on to vary as they did. Of equal totals the one with fewer candidate runs is given,
    since those are paid on every check.
    """
    shift = detectable_shift(wall.golden_ns, settings)
    alpha = strictest_alpha(family, settings)
    prior_df = wall.degrees_of_freedom - (golden_runs - 1)
    for total in range(golden_runs + candidate_runs, 101):
        for candidates in range(candidate_runs, total - golden_runs + 1):
            goldens = total - candidates
            power = predictive_power(
                shift,
                std=wall.std,
                degrees_of_freedom=prior_df + goldens - 1,
                golden_runs=goldens,
                candidate_runs=candidates,
                alpha=alpha,
            )
            if power >= settings.power:
                return goldens, candidates
    return None
