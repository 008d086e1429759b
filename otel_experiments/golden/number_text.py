"""Figures of a comparison as a person reads them: ratios, chances, times, rates of growth; no `infx`, no 1e-15."""

from __future__ import annotations

import math
from typing import Final

_LEAST_GROWTH: Final = 0.05
"""Powers of ten in 100 steps: 12 %. A deviation that grows by less is as large as before."""
_LARGEST_FACTOR: Final = 6.0
_SMALLEST_P: Final = 1e-12


def show_ratio(ratio: float) -> str:
    """Return a ratio: `1.58x`, `23.4x`, `1,234x`; what was nothing before has none."""
    if math.isinf(ratio):
        return "from nothing"
    if math.isnan(ratio):
        return "not known"
    if ratio >= 100:
        return f"{ratio:,.0f}x"
    return f"{ratio:.1f}x" if ratio >= 10 else f"{ratio:.2f}x"


def show_p(p: float) -> str:
    """Return a p-value with its sign: `p=0.0004`, `p<1e-12`."""
    return "p<1e-12" if p < _SMALLEST_P else f"p={p:.1g}"


def show_chance(chance: float) -> str:
    """Return a chance in words that do not claim certainty: `34%`, `less than 1%`, `more than 99%`."""
    if chance < 0.01:
        return "less than 1%"
    return "more than 99%" if chance > 0.99 else f"{chance:.0%}"


def show_times(before_ns: float, after_ns: float) -> str:
    """Return two times in the unit that fits the longer one: `1.2 -> 180 ms`."""
    unit, scale = _unit_of(max(before_ns, after_ns))
    return f"{_figure(before_ns / scale)} -> {_figure(after_ns / scale)} {unit}"


def show_time(time_ns: float) -> str:
    """Return a time in the unit that fits it; empty where it is not known."""
    if math.isnan(time_ns):
        return ""
    unit, scale = _unit_of(time_ns)
    return f"{_figure(time_ns / scale)} {unit}"


def show_growth(growth: float) -> str:
    """Return how a deviation grows, from powers of ten in 100 steps; empty where it does not."""
    if growth < _LEAST_GROWTH:
        return ""
    if growth > _LARGEST_FACTOR:
        return f"growing by 10^{growth:.1f} per 100 steps"
    return f"growing {show_ratio(10**growth)} per 100 steps"


def _unit_of(time_ns: float) -> tuple[str, float]:
    if time_ns < 1e6:
        return "us", 1e3
    return ("ms", 1e6) if time_ns < 1e10 else ("s", 1e9)


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
