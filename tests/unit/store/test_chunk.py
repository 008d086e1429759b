"""Columns of points survive their packing bit for bit, and packing is worth it."""

from __future__ import annotations

import math
import random
import struct
import zlib
from array import array

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.store.sqlite.chunk import PACKED, RAW, decode_floats, decode_times, pack, pack_raw

any_bits = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
floats = st.lists(st.floats() | any_bits | st.integers(-5, 5).map(float), min_size=1, max_size=600)
times = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), min_size=1, max_size=600)


@given(column=floats.map(lambda values: array("d", values)))
def test_floats_survive_bit_for_bit(column):
    """Every float64, NaN payloads and signed zeros included, comes back."""
    for encoding, encode in ((RAW, pack_raw), (PACKED, pack)):
        assert decode_floats(encoding, len(column), encode(column)).tobytes() == column.tobytes()


@given(column=times.map(lambda values: array("q", values)))
def test_times_survive(column):
    """Every int64 comes back."""
    for encoding, encode in ((RAW, pack_raw), (PACKED, pack)):
        assert decode_times(encoding, len(column), encode(column)) == column


def documented(blob: bytes, count: int) -> bytes:
    """Unpack a column by the words of docs/reference/schema.md alone."""
    plain_mask, zero_mask = blob[0], blob[1]
    plain_planes = [plane for plane in range(8) if plain_mask >> plane & 1]
    other_planes = [plane for plane in range(8) if not (plain_mask | zero_mask) >> plane & 1]
    planes = [bytes(count)] * 8
    at = 2
    for plane in plain_planes:
        planes[plane] = blob[at : at + count]
        at += count
    if other_planes:
        inflated = zlib.decompress(blob[at:])
        for index, plane in enumerate(other_planes):
            planes[plane] = inflated[index * count : (index + 1) * count]
    return bytes(planes[plane][point] for point in range(count) for plane in range(8))


def test_the_packing_is_the_documented_one():
    """A reader written from the documentation reads noisy, smooth and constant columns."""
    noise = random.Random(1)
    for column in (
        array("d", [noise.random() for _ in range(2048)]),
        array("d", range(2048)),
        array("d", [0.0] * 2048),
        array("d", [struct.unpack("<f", struct.pack("<f", noise.random()))[0] for _ in range(2048)]),
    ):
        assert documented(pack(column), len(column)) == column.tobytes()


def test_packing_keeps_its_promise_of_size():
    """A realistic point takes at most 10 bytes: consecutive steps, jittering times, a float64 random walk."""
    noise = random.Random(7)
    steps, now, value = array("d", range(5000, 7048)), 1_700_000_000_000_000_000, 2.0
    clock, walk = array("q"), array("d")
    for _ in range(2048):
        now += int(1_000_000 + noise.gauss(0, 50_000))
        value += noise.gauss(0, 0.01)
        clock.append(now)
        walk.append(value)

    sizes = [len(pack(column)) / 2048 for column in (steps, clock, walk)]

    assert sum(sizes) <= 10
    assert sizes[0] < 0.5
    assert len(pack(array("d", [math.pi] * 2048))) < 200
