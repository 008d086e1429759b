"""What a value of a random search is drawn from.

The numbers come from a generator of the sweep's own: the program's `random` is neither used nor moved, and the same seed
draws the same configs on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from random import Random


class Distribution(Protocol):
    """What values are drawn from."""

    def draw(self, random: Random) -> Any:  # whatever a config may hold
        """Return one value."""
        ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """Floats of an interval, each as likely."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """Return a float from `low` to `high`."""
        return self.low + (self.high - self.low) * random.random()


@dataclass(frozen=True, slots=True)
class LogUniform:
    """Floats of an interval above 0, whose logarithms are each as likely."""

    low: float
    high: float

    def draw(self, random: Random) -> float:
        """Return a float from `low` to `high`."""
        low, high = math.log(self.low), math.log(self.high)
        return min(self.high, max(self.low, math.exp(low + (high - low) * random.random())))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, each as likely, or as `weights` say."""

    values: tuple[Any, ...]  # whatever a config may hold
    weights: tuple[float, ...] = ()

    def draw(self, random: Random) -> Any:  # as above
        """Return one of them."""
        if self.weights:
            return random.choices(self.values, self.weights)[0]
        return self.values[int(random.random() * len(self.values))]


@dataclass(frozen=True, slots=True)
class RandInt:
    """Integers of an interval, each as likely, both ends among them."""

    low: int
    high: int

    def draw(self, random: Random) -> int:
        """Return an integer from `low` to `high`."""
        return self.low + int(random.random() * (self.high - self.low + 1))


DISTRIBUTIONS = (Uniform, LogUniform, Choice, RandInt)


def uniform(low: float, high: float) -> Uniform:
    """Return floats from `low` to `high`, for the space of a sweep.

    Raises:
        ConfigurationError: these are no two finite numbers, the lower one first.
    """
    return Uniform(*_interval("uniform", low, high))


def loguniform(low: float, high: float) -> LogUniform:
    """Return floats from `low` to `high` that are spread evenly over orders of magnitude, for the space of a sweep.

    Raises:
        ConfigurationError: these are no two finite numbers above 0, the lower one first.
    """
    return LogUniform(*_interval("loguniform", low, high, above_zero=True))


def randint(low: int, high: int) -> RandInt:
    """Return integers from `low` to `high`, both among them, for the space of a sweep.

    Raises:
        ConfigurationError: these are no two integers, the lower one first.
    """
    for number in (low, high):
        if not isinstance(number, int) or isinstance(number, bool):
            raise ConfigurationError(
                f"randint({shown(low)}, {shown(high)}) cannot be drawn from: {shown(number)} is no integer.\n"
                "  Give two integers, the lower one first, or use uniform."
            )
    _interval("randint", low, high)
    return RandInt(low, high)


def choice(values: Iterable[Any]) -> Choice:  # whatever a config may hold
    """Return one of several values, for the space of a sweep.

    Raises:
        ConfigurationError: there are none.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ConfigurationError(
            f"choice({shown(values)}) cannot be drawn from: it is no list.\n  Give the values in a list."
        )
    found = tuple(values)
    if not found:
        raise ConfigurationError("choice([]) cannot be drawn from: it is empty.\n  Give one value at least.")
    return Choice(found)


def _interval(
    name: str,
    low: Any,  # whatever was passed
    high: Any,
    *,
    above_zero: bool = False,
) -> tuple[float, float]:
    for number in (low, high):
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not _is_finite(number):
            raise ConfigurationError(
                f"{name}({shown(low)}, {shown(high)}) cannot be drawn from: {shown(number)} is no finite number"
                f"{_too_large(number)}.\n  Give two numbers, the lower one first."
            )
        if above_zero and number <= 0:
            raise ConfigurationError(
                f"{name}({shown(low)}, {shown(high)}) cannot be drawn from: {number!r} has no logarithm.\n"
                "  Begin above 0."
            )
    if low > high:
        raise ConfigurationError(
            f"{name}({low!r}, {high!r}) cannot be drawn from: it ends before it begins.\n"
            f"  Turn it round: {name}({high!r}, {low!r})."
        )
    if not math.isfinite(float(high) - float(low)):
        raise ConfigurationError(
            f"{name}({low!r}, {high!r}) cannot be drawn from: no float is as large as the interval is wide.\n"
            "  Give a narrower one."
        )
    return float(low), float(high)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError as error:  # an integer that is larger than any float
        if is_interruption(error):
            raise
        return False


def _too_large(number: object) -> str:
    return ": it is larger than any float" if isinstance(number, int) and not isinstance(number, bool) else ""
