"""Windows over what has a time: which of it lies in the last minutes, and windows that slide over all of it.

Times are nanoseconds since the Unix epoch and ascend; what is returned are indexes, so that callers cut their own columns.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.errors import AnalysisError

_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 7 * 86_400_000_000_000,
}
_LONGEST_NS: Final = 2**63
"""292 years: what 64 bits hold."""
_LENGTH: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


@dataclass(frozen=True, slots=True)
class Window:
    """One window over ascending times.

    Attributes:
        start_ns: where it begins; what happens then is in it.
        end_ns: where it ends; what happens then is in the next.
        first: the index of the first time in it.
        last: the index behind the last time in it.
    """

    start_ns: int
    end_ns: int
    first: int
    last: int


def length_ns(text: str) -> int | None:
    """Return how many nanoseconds a length of time such as `5m` or `1.5 h` has; None where it is none, or is 0.

    Args:
        text: a number and a unit: ns, us, ms, s, m, min, h, d or w.
    """
    found = _LENGTH.fullmatch(text)
    unit = None if found is None else _UNITS_NS.get(found[2])
    if found is None or unit is None:
        return None
    length = float(found[1]) * unit
    return round(length) or None if length < _LONGEST_NS else None


def last_of(times_ns: Sequence[int], length: int, *, now_ns: int | None = None) -> slice:
    """Return where the times of the last `length` nanoseconds lie.

    Args:
        times_ns: ascending times.
        length: how long the time before `now_ns` is, both ends counted.
        now_ns: the end; by default the last time.
    """
    if not times_ns:
        return slice(0, 0)
    end = times_ns[-1] if now_ns is None else now_ns
    return between(times_ns, end - length, end)


def between(times_ns: Sequence[int], start_ns: int, end_ns: int) -> slice:
    """Return where the times from `start_ns` to `end_ns` lie, both ends counted.

    Args:
        times_ns: ascending times.
        start_ns: the first time that counts.
        end_ns: the last time that counts.
    """
    first = bisect_left(times_ns, start_ns)
    return slice(first, max(first, bisect_right(times_ns, end_ns)))


def sliding(times_ns: Sequence[int], width: int, *, step: int | None = None) -> Iterator[Window]:
    """Return windows that slide over times, from the first time on until one holds the last.

    A window without a time in it is left out. Times that all lie in one window make one. One pass: a window is found from where the
    one before it was.

    Args:
        times_ns: ascending times.
        width: how long a window is, in nanoseconds.
        step: how far one begins behind the one before; by default its width, so that each time lies in one window.

    Raises:
        AnalysisError: the width or the step is not positive.
    """
    step = width if step is None else step
    if width <= 0 or step <= 0:
        raise AnalysisError(
            what="A window is longer than nothing and slides forward",
            found=f"{width} ns every {step} ns was asked for",
            fix='Give lengths of time such as "5m", and every "1m".',
        )
    if not times_ns:
        return
    origin, last_ns, count = times_ns[0], times_ns[-1], len(times_ns)
    first = last = 0
    # The last window is the first one that holds the last time.
    final = _ceil(last_ns - origin - width + 1, step)
    place = 0
    while place <= final:
        start = origin + place * step
        first = _advance(times_ns, start, first, count)
        if first == count:
            return
        if times_ns[first] >= start + width:  # a gap: go to the first window that holds the next time
            place = max(place + 1, _ceil(times_ns[first] - width + 1 - origin, step))
            continue
        last = _advance(times_ns, start + width, max(first, last), count)
        yield Window(start, start + width, first, last)
        place += 1


def _ceil(value: int, by: int) -> int:
    return max(0, -(-value // by))


def _advance(times_ns: Sequence[int], to_ns: int, at: int, count: int) -> int:
    """Return the index of the first time not before `to_ns`, looked for from `at` on in steps that double."""
    reach = 1
    low = at
    while at + reach <= count and times_ns[at + reach - 1] < to_ns:
        low = at + reach
        reach *= 2
    return bisect_left(times_ns, to_ns, low, min(count, at + reach))
