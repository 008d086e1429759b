"""Pixels out of a PNG that `png_write` made: of 1, 8 or 16 bits a channel, not interlaced, with three of the five filters."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from otel_experiments.codec.media.library import numpy

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 4: 2, 2: 3, 6: 4}
_NONE, _SUB, _UP = 0, 1, 2
_MAX_BYTES: Final = 2**28
_PER_BYTE: Final = 64
"""A few bytes may claim to be a picture that fills the memory: so many bytes of pixels are read of any file, and more of a
larger one, so many for each of its bytes."""


def read_png(data: bytes) -> Any:  # an array of numpy
    """Return the pixels: height x width for one channel, else height x width x channels.

    Raises:
        ValueError: these bytes are no PNG, or one that is not read here.
    """
    np = numpy()
    head: tuple[int, ...] = ()
    parts = []
    at = len(_SIGNATURE)
    if not data.startswith(_SIGNATURE):
        raise ValueError("these bytes are no PNG")
    while at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        at += length + 12
        if name == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif name == b"IDAT":
            parts.append(body)
    width, height, depth, colours, _, _, is_interlaced = head
    if is_interlaced or colours not in _CHANNELS or depth not in {1, 8, 16}:
        raise ValueError("a PNG of this form is not read here")
    channels = _CHANNELS[colours]
    size = height * (1 + (width * channels * depth + 7) // 8)
    if width * height * channels * max(1, depth // 8) > _MAX_BYTES + _PER_BYTE * len(data):
        raise ValueError("the picture is too large for its bytes")
    found = zlib.decompressobj().decompress(b"".join(parts), size)
    lines = np.frombuffer(found, np.uint8).reshape(height, -1)
    rows = _unfiltered(lines[:, 1:].copy(), lines[:, 0].tolist(), max(1, channels * depth // 8))
    if depth == 1:
        return np.unpackbits(rows, axis=1, count=width).astype(np.bool_)
    if depth == 16:
        rows = rows.view(">u2").astype(np.uint16)
    return rows if channels == 1 else rows.reshape(height, width, channels)


def _unfiltered(rows: Any, filters: list[int], reach: int) -> Any:
    np = numpy()
    for place, kind in enumerate(filters):
        row = rows[place]
        if kind == _SUB:
            row[:] = np.add.accumulate(row.reshape(-1, reach), axis=0, dtype=np.uint8).reshape(-1)
        elif kind == _UP and place:
            row += rows[place - 1]
        elif kind not in {_NONE, _UP}:
            raise ValueError("a PNG with this filter is not read here")
    return rows
