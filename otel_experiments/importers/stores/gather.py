"""Pages of whole runs, put together: a transaction costs the same for little as for much, and an axis is stored once.

A whole run comes series by series, and each brings the steps and times that it has in common with others. Where they are
together in one batch they are one block again, as when they were logged.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey

_HELD_POINTS: Final = 500_000
"""24 bytes each, until they are written."""
_HELD_ITEMS: Final = 4_000
_ITEMS: Final = ("spans", "log_records", "instrument_points", "artifacts", "params")


def gathered(pages: Iterable[WriteBatch]) -> Iterator[WriteBatch]:
    """Yield the same in larger pages, in which series with the same steps and times are one block."""
    held, points, items = WriteBatch(), 0, 0
    for page in pages:
        for name in WriteBatch.__slots__:
            getattr(held, name).extend(getattr(page, name))
        points += sum(len(block.times_ns) for block in page.points)
        items += sum(len(getattr(page, name)) for name in _ITEMS)
        if points >= _HELD_POINTS or items >= _HELD_ITEMS:
            held.points = joined(held.points)
            yield held
            held, points, items = WriteBatch(), 0, 0
    if held:
        held.points = joined(held.points)
        yield held


def joined(blocks: Sequence[PointBlock]) -> list[PointBlock]:
    """Return blocks of one series each as blocks of several; the points of each series stay in their order."""
    groups: list[list[PointBlock]] = []
    places: dict[tuple[str, int, bytes, bytes], int] = {}
    latest: dict[tuple[str, SeriesKey], int] = {}
    for block in blocks:
        axis = (
            block.run_id,
            block.attempt,
            array("d", block.steps).tobytes(),
            array("q", block.times_ns).tobytes(),
        )
        series = block.run_id, block.keys[0]
        place = places.get(axis, -1)
        if place <= latest.get(
            series, -1
        ):  # there is none yet, or it comes before what the series has already
            place = places[axis] = len(groups)
            groups.append([])
        groups[place].append(block)
        latest[series] = place
    return [_one(group) for group in groups]


def _one(group: list[PointBlock]) -> PointBlock:
    first = group[0]
    if len(group) == 1:
        return first
    keys = tuple(block.keys[0] for block in group)
    values = tuple(block.values[0] for block in group)
    return PointBlock(first.run_id, keys, first.steps, first.times_ns, values, attempt=first.attempt)
