"""Which points of a received block a series does not have yet: the same request may come twice, or in parts.

Points are the same when step, time and value are, bit for bit. A series that was recorded with two points alike keeps
both, and the second coming of the block that brought them adds none.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from otel_experiments.model.metric import Points
from otel_experiments.store.semantics.summary import Axis

Columns: TypeAlias = "tuple[Axis, array[float]]"
"""Points of one series that come together."""

_Point = tuple[int, int, int]


def without_known(
    blocks: Iterable[tuple[Axis, array[float], bool]],
    last_time_ns: int | None,
    load: Callable[[], Points],
) -> list[Columns]:
    """Return what is new of the blocks of one series, in their order; each says last whether it was received.

    Args:
        blocks: what is to be added.
        last_time_ns: the latest time of the points that are stored; None where there are none. What begins after it
            is new without a look.
        load: returns what is stored. Called once at most.
    """
    fresh: list[Columns] = []
    known: Counter[_Point] | None = None
    for axis, values, is_received in blocks:
        if is_received and last_time_ns is not None and min(axis.times_ns) <= last_time_ns:
            if known is None:
                stored = load()
                known = Counter(_points(stored.steps, stored.times_ns, stored.values))
                for other, column in fresh:
                    known.update(_points(other.steps, other.times_ns, column))
            kept = _selected(axis, values, known)
        else:
            kept = axis, values
        if kept is None:
            continue
        fresh.append(kept)
        if known is not None:
            known.update(_points(kept[0].steps, kept[0].times_ns, kept[1]))
        latest_ns = kept[0].times_ns[kept[0].last_index]
        last_time_ns = latest_ns if last_time_ns is None else max(last_time_ns, latest_ns)
    return fresh


def _selected(axis: Axis, values: array[float], known: Counter[_Point]) -> Columns | None:
    """Return the points of which the block has more than the series."""
    met: Counter[_Point] = Counter()
    places = []
    for place, point in enumerate(_points(axis.steps, axis.times_ns, values)):
        met[point] += 1
        if met[point] > known[point]:
            places.append(place)
    if not places:
        return None
    if len(places) == len(values):
        return axis, values
    steps = array("d", [axis.steps[place] for place in places])
    times_ns = array("q", [axis.times_ns[place] for place in places])
    return Axis.of(steps, times_ns), array("d", [values[place] for place in places])


def _points(steps: Sequence[float], times_ns: Sequence[int], values: Sequence[float]) -> Iterator[_Point]:
    return zip(_bits(steps), times_ns, _bits(values), strict=True)


def _bits(column: Sequence[float]) -> array[int]:
    numbers = column if isinstance(column, array) and column.typecode == "d" else array("d", column)
    return array("q", numbers.tobytes())
