"""A simultaneous band around the curves of several golden runs, and how rough they are inside it.

A single step says nothing: with five golden seeds, 94 of 100 correct runs leave three sigma somewhere. So the
curve is cut into half-overlapping windows; the level of all windows is judged at once, and the roughness (how
far neighbouring values jump) of all windows together. The roughness sees what the level cannot, such as a
smaller batch. Both thresholds are at least what the goldens themselves reach when each is left out in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from otel_experiments.analysis.statistics import mean, squares_about_mean, student_t_upper_quantile

Column = Sequence[float]
"""The values of one run on the common indexes."""


@dataclass(frozen=True, slots=True)
class BandSettings:
    """Levels of the band and the weight of what the windows have in common.

    `pool_windows` neighbours on each side lend a window their variance; the variance that roughness would have
    if windows were independent is known beforehand. The two weights say how many degrees of freedom these are
    worth for each degree that the goldens have themselves; `most_rough_weight` bounds the second, since with many
    goldens their own spread knows better than the assumption of independence.
    """

    level_alpha: float = 0.001
    rough_alpha: float = 0.002
    pool_windows: int = 2
    pool_weight: float = 1.0
    rough_weight: float = 6.0
    most_rough_weight: float = 24.0


DEFAULT_BAND: Final = BandSettings()

_LEAST_ROUGH_STD: Final = 0.01
"""Log roughness of goldens that agree to the last bits still is taken to vary by 1 %, or rounding would fail."""


@dataclass(frozen=True, slots=True)
class BandTest:
    """The larger departure (against its threshold) of a candidate from the golden band.

    `first` and `last` are the positions of the values in the window that departs most (the whole curve for
    roughness); `golden`, `candidate` and `half_width` are that window's level, or the geometric mean jump and
    its tolerated factor. `threshold` holds for `t`; the band is left when `t` is beyond it.
    """

    kind: Literal["level", "roughness"]
    t: float
    threshold: float
    first: int
    last: int
    golden: float
    candidate: float
    half_width: float
    window: int

    @property
    def is_outside(self) -> bool:
        """Whether the candidate leaves the band."""
        return self.t > self.threshold


@dataclass(frozen=True, slots=True)
class _Departure:
    t: float
    position: int
    golden: float
    candidate: float
    error: float
    degrees_of_freedom: float


def window_length(count: int) -> int:
    """Return how many values a window averages: 20, a tenth of a short curve, a twentieth of a long one."""
    return max(1, min(20, count // 10), count // 20)


def measure_band(
    golden: Sequence[Column],
    candidate: Sequence[Column],
    *,
    settings: BandSettings = DEFAULT_BAND,
    rtol: float = 1e-4,
    atol: float = 1e-8,
) -> BandTest:
    """Return how far the candidates' mean curve departs from the band of the golden curves.

    Shape: every column has the same length n >= 1, all values finite; at least 3 golden columns. The band is
    never narrower than `atol + rtol * |golden|`, so goldens that agree to the last bit allow for rounding.
    """
    count = len(golden[0])
    window = window_length(count)
    starts = list(range(0, count - window + 1, max(1, window // 2)))
    floor = (rtol, atol)

    def measure_level(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> _Departure:
        return _largest_level(ours, theirs, settings, floor)

    def measure_rough(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> _Departure:
        return _overall_roughness(ours, theirs, settings)

    levels = [_window_means(column, starts, window) for column in golden]
    candidate_levels = [_window_means(column, starts, window) for column in candidate]
    # Windows overlap by half, so about count / window of them are independent.
    level_alpha = settings.level_alpha / 2 / max(1, count // window)
    departure, threshold = _calibrate(measure_level, levels, candidate_levels, level_alpha)
    start = starts[departure.position]
    level = BandTest(
        "level",
        departure.t,
        threshold,
        start,
        start + window - 1,
        departure.golden,
        departure.candidate,
        threshold * departure.error,
        window,
    )
    rough = [_window_roughness(column, starts, window) for column in (*golden, *candidate)]
    if window < 4 or len(starts) < 4 or any(column is None for column in rough):
        return level  # too short to jump, or it does not jump at all
    known = [column for column in rough if column is not None]
    departure, threshold = _calibrate(
        measure_rough, known[: len(golden)], known[len(golden) :], settings.rough_alpha / 2
    )
    roughness = BandTest(
        "roughness",
        departure.t,
        threshold,
        0,
        count - 1,
        math.exp(departure.golden),
        math.exp(departure.candidate),
        math.exp(threshold * departure.error),
        window,
    )
    return max(level, roughness, key=lambda test: test.t / test.threshold)


def _calibrate(
    measure: Callable[[Sequence[Sequence[float]], Sequence[Sequence[float]]], _Departure],
    golden: Sequence[Sequence[float]],
    candidate: Sequence[Sequence[float]],
    tail: float,
) -> tuple[_Departure, float]:
    """Return the departure and its threshold: the t quantile, or more if a golden would reject itself."""
    departure = measure(golden, candidate)
    threshold = student_t_upper_quantile(tail, departure.degrees_of_freedom)
    for index in range(len(golden)):
        others = [*golden[:index], *golden[index + 1 :]]
        threshold = max(threshold, measure(others, [golden[index]]).t)
    return departure, threshold


def _window_means(column: Column, starts: Sequence[int], window: int) -> list[float]:
    return [mean(column[start : start + window]) for start in starts]


def _window_roughness(column: Column, starts: Sequence[int], window: int) -> list[float] | None:
    """Return the log of the mean jump between neighbours in each window; None where one does not move."""
    jumps = [abs(after - before) for before, after in pairwise(column)]
    means = [mean(jumps[start : start + window - 1]) for start in starts] if window > 1 else []
    return [math.log(value) for value in means] if means and min(means) > 0 else None


def _largest_level(
    golden: Sequence[Sequence[float]],
    candidate: Sequence[Sequence[float]],
    settings: BandSettings,
    floor: tuple[float, float],
) -> _Departure:
    """Return the departure of the window that departs most, its variance shrunk towards its neighbours'."""
    runs, count = len(golden), len(golden[0])
    centres = [mean([column[at] for column in golden]) for at in range(count)]
    reached = [mean([column[at] for column in candidate]) for at in range(count)]
    own = [squares_about_mean([column[at] for column in golden]) / (runs - 1) for at in range(count)]
    weight, spread = settings.pool_weight * (runs - 1), math.sqrt(1 / len(candidate) + 1 / runs)
    best: _Departure | None = None
    for at in range(count):
        pooled = mean(own[max(0, at - settings.pool_windows) : at + settings.pool_windows + 1])
        variance = (weight * pooled + (runs - 1) * own[at]) / (weight + runs - 1)
        least = floor[1] + floor[0] * abs(centres[at])
        error = max(math.sqrt(variance), least) * spread
        difference = abs(reached[at] - centres[at])
        t = difference / error if error else (math.inf if difference else 0.0)
        if best is None or t > best.t:
            best = _Departure(t, at, centres[at], reached[at], error, weight + runs - 1)
    assert best is not None
    return best


def _overall_roughness(
    golden: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]], settings: BandSettings
) -> _Departure:
    """Return the departure of the mean log roughness over all windows."""
    runs, count = len(golden), len(golden[0])
    averages = [mean(column) for column in golden]
    within = mean([squares_about_mean([column[at] for column in golden]) / (runs - 1) for at in range(count)])
    weight = min(settings.most_rough_weight, settings.rough_weight * (runs - 1))
    prior = within / max(1.0, count / 2)  # half of the windows are independent
    variance = (weight * prior + squares_about_mean(averages)) / (weight + runs - 1)
    std = max(math.sqrt(variance), _LEAST_ROUGH_STD)
    error = std * math.sqrt(1 / len(candidate) + 1 / runs)
    centre, reached = mean(averages), mean([mean(column) for column in candidate])
    difference = abs(reached - centre)
    return _Departure(difference / error, 0, centre, reached, error, weight + runs - 1)
