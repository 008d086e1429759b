"""From values to places on an axis, and the ticks of that axis: linear, logarithmic, symmetric-logarithmic, time.

Every finite float works: ranges that overflow, that hold one value, or that are narrower than the labels' digits.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from otel_experiments.figures.quantity import number
from otel_experiments.figures.spec import Axis, AxisKind, ScaleKind

LOG_RATIO: Final = 1_000.0
"""Positive values that span more than this are drawn over a logarithmic axis, where the axis is `auto`."""
_SYMLOG_DECADES: Final = 1_000.0
"""What is smaller than the largest value by this factor is drawn linearly on a symlog axis."""
_LARGEST: Final = sys.float_info.max
_LABEL_CHARS: Final = 9
"""A linear axis whose labels would be longer counts from an offset."""
_SECONDS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_DAY_S: Final = 86_400
_WALL_LOW_S: Final = -62_000_000_000.0
_WALL_HIGH_S: Final = 250_000_000_000.0
"""Between them, in the years 6 to 9892, every second is a date of Python's."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A value that is labelled."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Ticks:
    """The ticks of an axis. `offset` is to be added to each label; empty where there is none."""

    ticks: tuple[Tick, ...]
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values and how places in it are found."""

    low: float
    high: float
    kind: Literal["linear", "log", "symlog"] = "linear"
    axis: AxisKind = "value"

    def fits(self, value: float) -> bool:
        """Return whether the value has a place: finite, and positive on a logarithmic axis."""
        return math.isfinite(value) and (value > 0 or self.kind != "log")

    def share(self, value: float) -> float:
        """Return where the value is between the ends, which are 0 and 1; 0.5 where both are one value."""
        low, high, at = self._place(self.low), self._place(self.high), self._place(value)
        # In halves, because the difference of two finite numbers need not be finite.
        width = high / 2 - low / 2
        return 0.5 if width <= 0 else (at / 2 - low / 2) / width

    def _place(self, value: float) -> float:
        if self.kind == "log":
            return math.log10(value)
        if self.kind == "symlog":
            return math.copysign(math.log1p(abs(value) / self._threshold), value)
        return value

    @property
    def _threshold(self) -> float:
        return max(abs(self.low), abs(self.high)) / _SYMLOG_DECADES or 1.0

    def ticks(self, wanted: int) -> Ticks:
        """Return about `wanted` ticks at round values inside the range."""
        if self.low == self.high:
            return Ticks((Tick(self.low, self._label(self.low)),))
        if self.kind == "log":
            return Ticks(tuple(Tick(one, number(one)) for one in _log_values(self.low, self.high, wanted)))
        if self.kind == "symlog":
            return Ticks(tuple(Tick(one, number(one)) for one in self._symlog_values(wanted)))
        if (
            self.axis == "wall"
            and self.low > _WALL_LOW_S
            and self.high < _WALL_HIGH_S
            and self._has_seconds(wanted)
        ):
            return self._wall_ticks(wanted)
        if self.axis == "relative" and self._has_seconds(wanted) and self.high < 1e10:
            step = _second_step(self.high - self.low, wanted)
            return Ticks(tuple(Tick(one, _clock(one)) for one in _multiples(self.low, self.high, step)))
        step = _nice_step(self.low, self.high, wanted, is_whole=self.axis == "step")
        values = _multiples(self.low, self.high, step) or [self.low, self.high]
        return _linear_ticks(values, step, unit=" s" if self.axis in {"relative", "wall"} else "")

    def _label(self, value: float) -> str:
        if self.axis == "wall" and _WALL_LOW_S < value < _WALL_HIGH_S:
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
        return _clock(value) if self.axis == "relative" and abs(value) < 1e10 else number(value)

    def _has_seconds(self, wanted: int) -> bool:
        return self.high - self.low >= max(1, wanted - 1)

    def _wall_ticks(self, wanted: int) -> Ticks:
        span_s = self.high - self.low
        step = _second_step(span_s, wanted)
        form = (
            "%Y-%m-%d"
            if step >= _DAY_S
            else "%m-%d %H:%M"
            if span_s >= _DAY_S
            else "%H:%M"
            if step >= 60
            else "%H:%M:%S"
        )
        values = _multiples(self.low, self.high, step)
        texts = [f"{datetime.fromtimestamp(one, UTC):{form}}" for one in values]
        day = "" if span_s >= _DAY_S else f"{datetime.fromtimestamp(self.low, UTC):%Y-%m-%d} "
        return Ticks(tuple(map(Tick, values, texts)), f"{day}UTC")

    def _symlog_values(self, wanted: int) -> list[float]:
        side = max(1, wanted // 2)
        largest = max(abs(self.low), abs(self.high))
        powers = _log_values(self._threshold, largest, side) if self._threshold < largest else [largest]
        values = [*(-one for one in reversed(powers)), 0.0, *powers]
        inside = [one for one in values if self.low <= one <= self.high]
        if len(inside) >= 2:
            return inside
        step = _nice_step(self.low, self.high, wanted, is_whole=False)
        return _multiples(self.low, self.high, step) or [self.low, self.high]


def scale_of(values: Iterable[float], axis: Axis, *, room: float = 0.0) -> Scale | None:
    """Return the scale that holds the values and follows the axis; None where no value has a place on it.

    Args:
        values: Of all columns; what is not finite is left out.
        axis: The kind, and the range where it is fixed.
        room: A share of a linear range that is added at both ends, so that no line runs along the frame.
    """
    finite = [one for one in values if math.isfinite(one)]
    positive = [one for one in finite if one > 0]
    kind = _kind_of(axis.scale, finite, positive)
    shown = positive if kind == "log" else finite
    low, high = axis.low, axis.high
    if (low is None or high is None) and not shown:
        return None
    bottom = min(shown) if low is None else float(low)
    top = max(shown) if high is None else float(high)
    if kind == "log" and (bottom <= 0 or top <= 0):
        return None
    bottom, top = min(bottom, top), max(bottom, top)
    if kind == "linear" and room:
        extra = (top / 2 - bottom / 2) * 2 * room if top / 2 - bottom / 2 < _LARGEST / 4 else 0.0
        bottom = bottom if low is not None else max(bottom - extra, -_LARGEST)
        top = top if high is not None else min(top + extra, _LARGEST)
    return Scale(bottom, top, kind, axis.kind)


def _kind_of(
    scale: ScaleKind, finite: Sequence[float], positive: Sequence[float]
) -> Literal["linear", "log", "symlog"]:
    if scale != "auto":
        return scale
    is_wide = len(positive) == len(finite) > 0 and max(positive) / LOG_RATIO > min(positive)
    return "log" if is_wide else "linear"


def _nice_step(low: float, high: float, wanted: int, *, is_whole: bool) -> float:
    """Return 1, 2 or 5 times a power of ten, so that about `wanted` multiples lie in the range."""
    raw = high / max(1, wanted) - low / max(1, wanted)
    if is_whole and high - low >= 1:
        raw = max(1.0, raw)
    if raw <= 0 or not math.isfinite(raw):
        return 0.0
    exponent = math.floor(math.log10(raw))
    # The nearest of them, as ratios: between 1 and 2 the border is the root of 2.
    error = raw / _times_power(1, exponent) if exponent > -300 else 1.0
    factor = 10 if error >= 50**0.5 else 5 if error >= 10**0.5 else 2 if error >= 2**0.5 else 1
    step = _times_power(factor, exponent)
    return step if math.isfinite(step) else 0.0


def _times_power(factor: int, exponent: int) -> float:
    return float(f"{factor}e{exponent}")


def _multiples(low: float, high: float, step: float) -> list[float]:
    """Return the multiples of the step inside the range, at most 50; empty where floats are too coarse for it."""
    if step <= 0 or not math.isfinite(step):
        return []
    first, last = low / step, high / step
    if not (math.isfinite(first) and math.isfinite(last)) or max(abs(first), abs(last)) > 2**52:
        return []
    numbers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    if len(numbers) > 50:
        return []
    # By its decimal form, so that the third tenth is 0.3 and not 0.30000000000000004.
    values = [float(f"{one * step:.12g}") if abs(one) < 10**9 else one * step for one in numbers]
    return [min(max(one, low), high) for one in values]


def _linear_ticks(values: Sequence[float], step: float, *, unit: str) -> Ticks:
    texts = [_plain(one, step) for one in values]
    if max(map(len, texts)) <= _LABEL_CHARS:
        return Ticks(tuple(Tick(one, text + unit) for one, text in zip(values, texts, strict=True)))
    largest = max(map(abs, values))
    if step > 0 and largest / step >= 1e4:
        base = values[0]
        texts = [_plain(one - base, step) for one in values]
        if max(map(len, texts)) <= _LABEL_CHARS and len(set(texts)) == len(texts):
            ticks = (Tick(one, f"+{text}{unit}") for one, text in zip(values, texts, strict=True))
            return Ticks(tuple(ticks), f"from {base:.15g}{unit}")
    texts = [number(one) for one in values]
    if len(set(texts)) < len(texts):
        texts = [repr(one) for one in values]
    return Ticks(tuple(Tick(one, text + unit) for one, text in zip(values, texts, strict=True)))


def _plain(value: float, step: float) -> str:
    """Return a multiple of the step with the digits that the step needs, in short powers where it is long."""
    size = max(abs(value), step)
    if value == 0 or step <= 0:
        return "0" if value == 0 else number(value)
    if size >= 1e6 or size < 1e-4:
        digits = max(0, math.floor(math.log10(abs(value))) - math.floor(math.log10(step)))
        mantissa, exponent = f"{value:.{min(digits, 16)}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _log_values(low: float, high: float, wanted: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = last - first + 1
    if decades > wanted:
        every = math.ceil(decades / wanted)
        values = [_times_power(1, one) for one in range(first, last + 1) if one % every == 0]
    elif decades >= 2:
        values = [_times_power(1, one) for one in range(first, last + 1)]
    else:
        values = [_times_power(factor, one) for one in range(first - 1, last + 2) for factor in (1, 2, 5)]
    inside = [min(max(one, low), high) for one in values if low * 0.999_999 <= one <= high * 1.000_001]
    if len(inside) >= 2:
        return inside
    step = _nice_step(low, high, wanted, is_whole=False)
    return _multiples(low, high, step) or [low, high]


def _second_step(span_s: float, wanted: int) -> float:
    raw = span_s / max(1, wanted)
    found = next((float(one) for one in _SECONDS if one >= raw), None)
    if found is not None:
        return found
    return _DAY_S * _nice_step(0, span_s / _DAY_S, wanted, is_whole=True)


def _clock(seconds: float) -> str:
    """Return a length of time without what is zero: `90 s` is `1m30s`, an hour `1h`."""
    if seconds < 0:
        return f"-{_clock(-seconds)}"
    whole = round(seconds)
    if abs(seconds - whole) > 1e-9 and seconds < 60:
        return f"{number(seconds)}s"
    parts = (
        (whole // _DAY_S, "d"),
        (whole % _DAY_S // 3600, "h"),
        (whole % 3600 // 60, "m"),
        (whole % 60, "s"),
    )
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0"
