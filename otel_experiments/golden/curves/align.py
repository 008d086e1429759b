"""Curves brought onto common indexes, and the places where they are not finite.

An index that occurs twice (a step logged again) is told apart by its occurrence: the second value at step 4 is
compared with the second value at step 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otel_experiments.errors import NonFiniteGoldenError


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric of one run: value i was recorded at index i (a step, an epoch).

    Shape: `indexes` and `values` have the same length; in the order of recording.
    """

    indexes: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.indexes) != len(self.values):
            message = f"a curve has an index for each value; got {len(self.indexes)} and {len(self.values)}"
            raise ValueError(message)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Aligned:
    """Several curves on the indexes that all of them have, in the order of the first.

    Shape: each of `columns` has one value for each of `indexes`. `missing` and `extra` are indexes that the
    first curve has and another lacks, and the other way round, in ascending order.
    """

    indexes: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]
    missing: tuple[float, ...]
    extra: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NonFinite:
    """Where a curve first is NaN or infinite; `count` values are, `last_finite` is the value before."""

    position: int
    index: float
    value: float
    last_finite: float | None
    count: int


def align_curves(curves: Sequence[Curve]) -> Aligned:
    """Return the curves on their common indexes; the first curve sets the order."""
    keyed = [_by_occurrence(curve) for curve in curves]
    first, rest = keyed[0], keyed[1:]
    common = [key for key in first if all(key in other for other in rest)]
    missing = sorted(key for key in first if any(key not in other for other in rest))
    extra = sorted({key for other in rest for key in other if key not in first})
    return Aligned(
        indexes=tuple(index for index, _ in common),
        columns=tuple(tuple(curve[key] for key in common) for curve in keyed),
        missing=tuple(index for index, _ in missing),
        extra=tuple(index for index, _ in extra),
    )


def _by_occurrence(curve: Curve) -> dict[tuple[float, int], float]:
    seen: dict[float, int] = {}
    keyed = {}
    for index, value in zip(curve.indexes, curve.values, strict=True):
        occurrence = seen.get(index, 0)
        seen[index] = occurrence + 1
        keyed[index, occurrence] = float(value)
    return keyed


def find_nonfinite(curve: Curve) -> NonFinite | None:
    """Return the first place at which the curve is not finite; None when it is finite throughout."""
    first: NonFinite | None = None
    last_finite: float | None = None
    count = 0
    for position, (index, value) in enumerate(zip(curve.indexes, curve.values, strict=True)):
        if math.isfinite(value):
            last_finite = float(value) if first is None else last_finite
            continue
        count += 1
        if first is None:
            first = NonFinite(position, index, float(value), last_finite, 1)
    if first is None:
        return None
    return NonFinite(first.position, first.index, first.value, first.last_finite, count)


def check_golden_curve(metric: str, curve: Curve, *, allow_nonfinite: bool = False) -> None:
    """Refuse a curve that holds NaN or infinity as a golden, unless that is allowed.

    Raises:
        NonFiniteGoldenError: the curve is not finite throughout; with metric, index and last finite value.
    """
    found = None if allow_nonfinite else find_nonfinite(curve)
    if found is not None:
        raise NonFiniteGoldenError(
            metric=metric, index=found.index, value=found.value, last_finite=found.last_finite
        )


def same_nonfinite(golden: float, candidate: float) -> bool:
    """Tell whether two values are the same NaN or the same infinity."""
    return (math.isnan(golden) and math.isnan(candidate)) or (math.isinf(golden) and golden == candidate)
