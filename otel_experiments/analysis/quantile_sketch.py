"""A quantile sketch of durations: how many fell into each of many narrow, log-spaced buckets.

A bucket is so narrow that its middle is within 1 % of every duration in it, and an integer of 64 bits falls into one of about
2,200: the sketch has a bound, and nothing is ever merged into wider buckets. So the order of adding does not matter, two sketches
add up to the sketch of both, and what was added can be taken out again. Source of the idea: DDSketch (Masson, Rim, Lee; VLDB
2019), without its collapsing.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

RELATIVE_ERROR: Final = 0.01
LARGEST_NS: Final = 2**63 - 1
"""What is longer counts as this long."""
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_MIDDLE: Final = 2 / (_GAMMA + 1)
_BUCKET_BYTES: Final = 2
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""By how many bytes a count takes: the code of an array of such."""


def buckets_of(durations_ns: Sequence[int]) -> dict[int, int]:
    """Return the sketch of durations: how many are in each bucket.

    Bucket 0 has those that are no longer than nothing, another one has 1 + the logarithm to the base of the buckets, rounded up.
    """
    positive = durations_ns if min(durations_ns, default=1) > 0 else [one for one in durations_ns if one > 0]
    counted = Counter(map(math.ceil, map(math.log, positive, repeat(_GAMMA))))
    sketch = {rounded + 1: counted[rounded] for rounded in sorted(counted)}
    if len(positive) == len(durations_ns):
        return sketch
    return {0: len(durations_ns) - len(positive), **sketch}


def middle_of(bucket: int) -> float:
    """Return what stands for every duration in a bucket, in nanoseconds."""
    return 0.0 if bucket == 0 else _MIDDLE * _GAMMA ** (bucket - 1)


def merged(sketch: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """Return the sketch of all that is in two; counts below 0 are of what is taken out, and what counts to nothing is gone."""
    if not sketch:
        return dict(other)
    counts = dict(sketch)
    is_sorted = True
    for bucket, count in other.items():
        known = counts.get(bucket)
        is_sorted = is_sorted and known is not None and known + count != 0
        counts[bucket] = count if known is None else known + count
    return counts if is_sorted else {bucket: counts[bucket] for bucket in sorted(counts) if counts[bucket]}


def quantiles(
    sketch: Mapping[int, int], wanted: Iterable[float], *, minimum: float, maximum: float
) -> list[float]:
    """Return quantiles in nanoseconds, each within 1 % of the exact one by linear interpolation (R-7, as NumPy has it).

    Args:
        sketch: the count by bucket, in the order of the buckets, with at least one duration.
        wanted: quantiles from 0 to 1, in ascending order.
        minimum: the shortest duration, in nanoseconds; no quantile is below it.
        maximum: the longest one.
    """
    found: list[float] = []
    buckets, counts = list(sketch), list(sketch.values())
    last = sum(counts) - 1
    at, seen = 0, counts[0]
    for quantile in wanted:
        place = quantile * last
        rank = math.floor(place)
        while seen <= rank:
            at += 1
            seen += counts[at]
        low = high = middle_of(buckets[at])
        if place > rank and seen <= rank + 1:
            high = middle_of(buckets[at + 1])
        found.append(min(max(low + (high - low) * (place - rank), minimum), maximum))
    return found


def to_bytes(sketch: Mapping[int, int]) -> bytes:
    """Return a sketch, in the order of the buckets, as bytes.

    The first byte says how many bytes a count takes: 1, 2, 4 or 8. Then come all buckets, two bytes each, and all counts,
    unsigned and little-endian.
    """
    most = max(sketch.values(), default=0)
    size = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4 if most < 1 << 32 else 8
    code = _CODES[size]
    buckets, counts = array("H", sketch), array(code, sketch.values())
    if sys.byteorder == "big":
        buckets.byteswap()
        counts.byteswap()
    return bytes((size,)) + buckets.tobytes() + counts.tobytes()


def from_bytes(packed: bytes) -> dict[int, int]:
    """Return the sketch that `to_bytes` packed.

    Raises:
        ValueError: the bytes are no sketch.
    """
    size = sum(packed[:1])
    code = _CODES.get(size)
    entry_bytes = _BUCKET_BYTES + size
    if code is None or (len(packed) - 1) % entry_bytes:
        raise ValueError("The bytes are no quantile sketch.")
    middle = 1 + (len(packed) - 1) // entry_bytes * _BUCKET_BYTES
    buckets, counts = array("H", packed[1:middle]), array(code, packed[middle:])
    if sys.byteorder == "big":
        buckets.byteswap()
        counts.byteswap()
    return dict(zip(buckets, counts, strict=True))
