"""Which points of a received block a series does not have yet: the same request may come twice, or in parts.

Points are the same when step, time and value are, bit for bit. A series that was recorded with two points alike keeps
both, and the second coming of the block that brought them adds none. A gauge whose step is an attribute is sent again at
each collection: there points are the same when step and value are.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from otel_experiments.model.metric import Points
from otel_experiments.store.semantics.band import finite_steps
from otel_experiments.store.semantics.summary import Axis

if TYPE_CHECKING:
    from otel_experiments.model.metric import PointBlock

Columns: TypeAlias = "tuple[Axis, array[float]]"
"""Points of one series that come together."""


class StepRange(NamedTuple):
    """The steps of some points: the lowest and highest finite one, NaN for both where there is none, and whether there are others."""

    low: float
    high: float
    has_others: bool


_Point = tuple[int, int, int]
_NOTHING: Final = Points((), (), ())


def without_known(
    parts: Iterable[tuple[Axis, array[float], PointBlock]],
    last_time_ns: int | None,
    load: Callable[[StepRange], Points],
) -> list[Columns]:
    """Return what is new of the blocks of one series, in their order.

    Args:
        parts: what is to be added, each with the block that it is of.
        last_time_ns: the latest time of the points that are stored; None where there are none. What begins after it
            is new without a look, unless it repeats itself.
        load: returns what is stored and has such steps; more does no harm. Called once at most.
    """
    parts = list(parts)
    fresh: list[Columns] = []
    stored: Points | None = None
    known: dict[bool, Counter[_Point]] = {}
    for axis, values, block in parts:
        is_repeating = block.is_repeating
        may_be_known = last_time_ns is not None and block.is_received and min(axis.times_ns) <= last_time_ns
        if is_repeating or may_be_known:
            stored = stored or (load(_steps(parts)) if last_time_ns is not None else _NOTHING)
            if is_repeating not in known:
                columns = [(stored.steps, stored.times_ns, stored.values)]
                columns += [(other.steps, other.times_ns, column) for other, column in fresh]
                known[is_repeating] = Counter(
                    point for one in columns for point in _points(*one, is_repeating=is_repeating)
                )
            kept = _selected(axis, values, known[is_repeating], is_repeating=is_repeating)
        else:
            kept = axis, values
        if kept is None:
            continue
        fresh.append(kept)
        for is_timeless, counter in known.items():
            counter.update(_points(kept[0].steps, kept[0].times_ns, kept[1], is_repeating=is_timeless))
        latest_ns = kept[0].times_ns[kept[0].last_index]
        last_time_ns = latest_ns if last_time_ns is None else max(last_time_ns, latest_ns)
    return fresh


def _steps(parts: Iterable[tuple[Axis, array[float], PointBlock]]) -> StepRange:
    """Return the steps of all parts: a point that is stored already has one of them."""
    low, high, others = finite_steps(array("d", chain.from_iterable(axis.steps for axis, _, _ in parts)))
    return StepRange(low, high, others > 0)


def _selected(
    axis: Axis, values: array[float], known: Counter[_Point], *, is_repeating: bool
) -> Columns | None:
    """Return the points of which the block has more than the series; of those that repeat themselves the new ones."""
    met: Counter[_Point] = Counter()
    places = []
    for place, point in enumerate(_points(axis.steps, axis.times_ns, values, is_repeating=is_repeating)):
        met[point] += 1
        if met[point] > known[point] and not (is_repeating and known[point] + met[point] > 1):
            places.append(place)
    if not places:
        return None
    if len(places) == len(values):
        return axis, values
    steps = array("d", [axis.steps[place] for place in places])
    times_ns = array("q", [axis.times_ns[place] for place in places])
    return Axis.of(steps, times_ns), array("d", [values[place] for place in places])


def _points(
    steps: Sequence[float], times_ns: Sequence[int], values: Sequence[float], *, is_repeating: bool
) -> Iterator[_Point]:
    """Yield what makes each point the one that it is; where points repeat themselves the time is no part of it."""
    return zip(_bits(steps), repeat(0) if is_repeating else times_ns, _bits(values), strict=not is_repeating)


def _bits(column: Sequence[float]) -> array[int]:
    numbers = column if isinstance(column, array) and column.typecode == "d" else array("d", column)
    return array("q", numbers.tobytes())
