"""Which points of another store a series does not have yet: exact, also where points are alike.

A series that holds two points alike (step, time and value are the same, bit for bit) keeps two. What both stores have is
mostly the same beginning, which is compared as it is; only where they differ the points are counted.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from otel_experiments.model.metric import PointBlock, Points

_Columns = tuple["array[int]", "array[int]", "array[int]"]


class KnownPoints:
    """The points that a series has, crossed off one by one as those of the other store come."""

    def __init__(self, points: Points) -> None:
        self._columns: _Columns = (_bits(points.steps), _int64(points.times_ns), _bits(points.values))
        self._passed = 0
        self._counts: Counter[tuple[int, int, int]] | None = None

    def without(self, block: PointBlock) -> PointBlock | None:
        """Return what of a block of the one series is new; None where nothing is."""
        columns = (_bits(block.steps), _int64(block.times_ns), _bits(block.values[0]))
        is_new = self._marks(columns)
        if all(is_new):
            return block
        if not any(is_new):
            return None
        return replace(
            block,
            steps=array("d", compress(block.steps, is_new)),
            times_ns=array("q", compress(block.times_ns, is_new)),
            values=(array("d", compress(block.values[0], is_new)),),
        )

    def _marks(self, columns: _Columns) -> Sequence[bool]:
        count = len(columns[1])
        if self._counts is None:
            left = len(self._columns[1]) - self._passed
            alike = min(left, count)
            stop = self._passed + alike
            if all(
                mine[self._passed : stop] == other[:alike]
                for mine, other in zip(self._columns, columns, strict=True)
            ):
                self._passed = stop
                return [False] * alike + [True] * (count - alike)
            self._counts = Counter(zip(*(column[self._passed :] for column in self._columns), strict=True))
        found = []
        for point in zip(*columns, strict=True):
            is_known = self._counts[point] > 0
            self._counts[point] -= is_known
            found.append(not is_known)
        return found


def _bits(column: Sequence[float]) -> array[int]:
    numbers = column if isinstance(column, array) and column.typecode == "d" else array("d", column)
    return array("q", numbers.tobytes())


def _int64(column: Sequence[int]) -> array[int]:
    return column if isinstance(column, array) and column.typecode == "q" else array("q", column)
