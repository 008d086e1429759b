"""Where what is stored is cut into pages, by time: the same in every store."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

PAGE_ITEMS: Final = 500
"""Spans, log records or data points of instruments in a page."""
PAGE_BYTES: Final = 4 << 20
"""About how many bytes of attributes and texts they have together; more where one item has more."""
PAGE_POINTS: Final = 50_000
"""About how many metric points are in a page; more where that many have the same time."""

WHOLE_ITEMS: Final = 500
WHOLE_POINTS: Final = 5_000
"""The same for pages of a whole run, which become one request each where they are exported."""


def slices(
    times_ns: Sequence[int], until_ns: int, sizes: Callable[[slice], Iterable[int]] | None = None
) -> Iterator[tuple[slice, int]]:
    """Yield the pages of items in order of time, each with the time before which nothing is left out.

    Args:
        times_ns: the items' times.
        until_ns: where the last page ends.
        sizes: returns the bytes of each of some items; without it all are taken for small.
    """
    for first in range(0, len(times_ns), PAGE_ITEMS):
        start, stop, held = first, min(first + PAGE_ITEMS, len(times_ns)), 0
        for index, size in enumerate(sizes(slice(first, stop)) if sizes is not None else (), first):
            if index > start and held + size > PAGE_BYTES:
                yield slice(start, index), times_ns[index]
                start, held = index, 0
            held += size
        yield slice(start, stop), times_ns[stop] if stop < len(times_ns) else until_ns


def boundaries(axes: Iterable[tuple[Sequence[int], int]], since_ns: int, until_ns: int) -> list[int]:
    """Return the ends of the windows of time in which metric points are read; the last one is `until_ns`.

    Args:
        axes: the times of points that were logged together, with how many series have them.
        since_ns: where the first window begins.
        until_ns: where the last one ends.
    """
    marks: list[tuple[int, int]] = []
    for times_ns, series_count in axes:
        rows = max(1, PAGE_POINTS // 2 // max(1, series_count))
        ordered = array("q", sorted(time_ns for time_ns in times_ns if since_ns <= time_ns < until_ns))
        for start in range(0, len(ordered), rows):
            piece = ordered[start : start + rows]
            marks.append((piece[-1], len(piece) * series_count))
    found: list[int] = []
    held = 0
    for time_ns, count in sorted(marks):
        held += count
        if held >= PAGE_POINTS:
            held = 0
            if time_ns + 1 < until_ns and (not found or found[-1] <= time_ns):
                found.append(time_ns + 1)
    return [*found, until_ns]
