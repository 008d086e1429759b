"""PNG from an array, without a library for images: zlib has all that it takes.

Format: https://www.w3.org/TR/png-3/. Each row is filtered by the one of three filters whose differences are smallest in sum,
as the specification recommends for pictures (12.7).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

from otel_experiments.codec.media.library import numpy

LEVEL: Final = 6
"""Of zlib's compression: what Pillow takes, too."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
_NONE, _SUB, _UP = 0, 1, 2


def png_bytes(pixels: Any, *, level: int = LEVEL) -> bytes:  # an array of numpy
    """Return a PNG of an array of height x width x (1 to 4 channels): booleans, bytes, or 16-bit integers."""
    return b"".join(
        (
            _SIGNATURE,
            _header(pixels),
            _chunk(b"IDAT", zlib.compress(_filtered(pixels), level)),
            _chunk(b"IEND", b""),
        )
    )


def apng_bytes(frames: Sequence[Any], *, fps: float, level: int = LEVEL) -> bytes:  # as above
    """Return an animated PNG of frames of one shape, played without end; programs that know no animation show the first."""
    delay = (1, max(1, round(fps))) if fps >= 1 else (round(1000 / fps) & 0xFFFF, 1000)
    height, width = frames[0].shape[:2]
    parts = [_SIGNATURE, _header(frames[0]), _chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    sequence = 0
    for frame in frames:
        control = struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, *delay, 0, 0)
        parts.append(_chunk(b"fcTL", control))
        sequence += 1
        data = zlib.compress(_filtered(frame), level)
        if sequence == 1:
            parts.append(_chunk(b"IDAT", data))
        else:
            parts.append(_chunk(b"fdAT", struct.pack(">I", sequence) + data))
            sequence += 1
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _header(pixels: Any) -> bytes:
    height, width, channels = pixels.shape
    depth = 1 if pixels.dtype.kind == "b" else 8 * pixels.dtype.itemsize
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0))


def _chunk(name: bytes, data: bytes) -> bytes:
    return b"".join(
        (struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))
    )


def _filtered(pixels: Any) -> bytes:
    """Return the rows as bytes, each behind the number of its filter."""
    np = numpy()
    height, _, channels = pixels.shape
    if pixels.dtype.kind == "b":
        rows = np.packbits(pixels[:, :, 0], axis=1)
        return _lines(rows, _NONE)
    if pixels.dtype.itemsize == 2:
        pixels = pixels.astype(">u2")
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    reach = channels * pixels.dtype.itemsize  # how many bytes before a byte its neighbour's is
    sub, up = rows.copy(), rows.copy()
    sub[:, reach:] -= rows[:, :-reach]
    up[1:] -= rows[:-1]
    choices = np.stack([rows, sub, up])
    # A difference of 255 is one of -1: what counts is how far a byte is from 0, either way round.
    costs = np.abs(choices.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
    best = costs.argmin(axis=0)
    return _lines(choices[best, np.arange(height)], best)


def _lines(rows: Any, filters: Any) -> bytes:
    np = numpy()
    lines = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    lines[:, 0] = filters
    lines[:, 1:] = rows
    return bytes(lines.tobytes())
