"""The points of a series in another order or form than they are stored in."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from otel_experiments.model.metric import Points


class NumpyPoints(NamedTuple):
    """The history of a series as NumPy arrays of one length.

    Attributes:
        steps, values: float64.
        times_ns: nanoseconds since the Unix epoch, int64.
    """

    steps: Any  # NumPy is optional, its types cannot be named here
    times_ns: Any
    values: Any

    def __repr__(self) -> str:
        return f"NumpyPoints(<{len(self.steps):,} points>)"


def merged_by_time(parts: Sequence[Points]) -> Points:
    """Return the points of several histories as one, by time; those of one history stay in their order."""
    rows = sorted(
        chain.from_iterable(zip(one.times_ns, one.steps, one.values, strict=True) for one in parts),
        key=itemgetter(0),
    )
    return Points(
        array("d", [step for _, step, _ in rows]),
        array("q", [time_ns for time_ns, _, _ in rows]),
        array("d", [value for _, _, value in rows]),
    )


def numbered_by_time(points: Points) -> Points:
    """Return points that came without steps with their numbers in the order of time, those of one time as recorded."""
    steps = array("d", bytes(8 * len(points)))
    for number, index in enumerate(sorted(range(len(points)), key=points.times_ns.__getitem__)):
        steps[index] = number
    return Points(steps, points.times_ns, points.values)
