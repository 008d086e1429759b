"""A stretch of a series as three binary columns: steps, times, values. Pure conversions, no storage.

Encodings are part of the documented schema (docs/reference/schema.md): RAW columns are little-endian arrays,
PACKED ones are compressed without loss. Nothing is done a point at a time in Python, and the standard library
is all that is needed. Measured against differences of times: they take 0.5 bytes a point less and three times
as long to read, because a running sum cannot leave Python.
"""

from __future__ import annotations

import sys
import zlib
from array import array

RAW = 0
PACKED = 1

TARGET_POINTS = 4096
"""A sealed chunk holds this many points up to twice as many.

Measured with 1,024, 2,048 and 4,096: rows of this size leave the least of SQLite's pages empty (1,024 take a fifth
more bytes a point), and are no slower to chart.
"""

_IS_BIG_ENDIAN = sys.byteorder == "big"
_LEVEL = 1  # deeper searching of mantissa bytes finds nothing and costs much
_WORTHWHILE = 0.9  # a plane that deflates to more of its size than this is kept as it is: faster to read


def pack_raw(column: array[float] | array[int]) -> bytes:
    """Return the column as little-endian bytes, 8 a point."""
    if _IS_BIG_ENDIAN:
        column = column[:]
        column.byteswap()
    return column.tobytes()


def pack(column: array[float] | array[int]) -> bytes:
    """Return the column of 8-byte numbers packed.

    The bytes of the little-endian numbers are parted into 8 planes (all first bytes, all second bytes, ...), so
    that alike bytes stand together. Byte 0 of the result is a mask of the planes that are stored as they are,
    byte 1 a mask of those that hold only zeros and are not stored; bit p stands for plane p. The planes of
    byte 0 follow in ascending order, then one zlib stream with all remaining planes in ascending order (absent
    when there are none).
    """
    raw = pack_raw(column)
    plain_mask, zero_mask, plain, squeezed = 0, 0, [], []
    for number in range(8):
        plane = raw[number::8]
        if not any(plane[:16]) and not any(plane):
            zero_mask |= 1 << number
        elif _is_noise(plane):
            plain_mask |= 1 << number
            plain.append(plane)
        else:
            squeezed.append(plane)
    parts = [bytes((plain_mask, zero_mask)), *plain]
    if squeezed:
        parts.append(zlib.compress(b"".join(squeezed), _LEVEL))
    return b"".join(parts)


def decode_floats(encoding: int, count: int, blob: bytes) -> array[float]:
    """Return the float64 column of a chunk of `count` points, bit for bit."""
    column = array("d")
    column.frombytes(_unpack(count, blob) if encoding == PACKED else blob)
    if _IS_BIG_ENDIAN:
        column.byteswap()
    return column


def decode_times(encoding: int, count: int, blob: bytes) -> array[int]:
    """Return the int64 column of a chunk of `count` points."""
    column = array("q")
    column.frombytes(_unpack(count, blob) if encoding == PACKED else blob)
    if _IS_BIG_ENDIAN:
        column.byteswap()
    return column


def _is_noise(plane: bytes) -> bool:
    # Random bytes show about 162 different values among 256; fewer means there is something to gain.
    if len(set(plane[:256])) < 140:
        return False
    return len(zlib.compress(plane, _LEVEL)) > _WORTHWHILE * len(plane)


def _unpack(count: int, blob: bytes) -> bytearray:
    plain_mask, zero_mask = blob[0], blob[1]
    plain_at = 2
    squeezed_from = 2 + plain_mask.bit_count() * count
    squeezed = zlib.decompress(memoryview(blob)[squeezed_from:]) if squeezed_from < len(blob) else b""
    squeezed_at = 0
    result = bytearray(8 * count)
    for number in range(8):
        bit = 1 << number
        if plain_mask & bit:
            result[number::8] = blob[plain_at : plain_at + count]
            plain_at += count
        elif not zero_mask & bit:
            result[number::8] = squeezed[squeezed_at : squeezed_at + count]
            squeezed_at += count
    return result
