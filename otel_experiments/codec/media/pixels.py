"""From an array of any library to the pixels of a picture: height x width x channels, whole numbers."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from otel_experiments.codec.media.library import as_array, is_tensor, numpy
from otel_experiments.codec.media.media import Tell
from otel_experiments.errors import MediaRefusedError

Channels = Literal["first", "last"]

_COUNTS: Final = (1, 2, 3, 4)
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_BYTE: Final = 255
_PLAINLY_BYTES: Final = 2.0
"""Floats are 0 to 1. Where the highest is above this, they are taken for 0 to 255."""
_MAX_BATCH: Final = 1024
_MAX_PIXELS: Final = 2**28


def pixels_of(value: Any, tell: Tell, *, channels: Channels | None = None) -> Any:
    """Return an array as pixels of `bool`, `uint8` or `uint16`, with an axis for channels.

    Where the channels are is seen from the shape; where it may be either, tensors of PyTorch have them first, all others
    last. Units: floats 0 to 1, or 0 to 255 where the highest is above 2.

    Raises:
        MediaRefusedError: its shape is not that of a picture.
    """
    array = as_array(value)
    likely: Channels = "first" if is_tensor(value) else "last"
    if array.ndim == 4 and 0 < len(array) <= _MAX_BATCH:
        return whole_numbers(_grid([shaped(one, likely, channels) for one in array]), tell)
    return whole_numbers(shaped(array, likely, channels), tell)


def _grid(pictures: list[Any]) -> Any:
    """Return a batch of pictures as one: row by row, as nearly square as may be, black where none is left."""
    np = numpy()
    across = math.ceil(math.sqrt(len(pictures)))
    height, width, count = pictures[0].shape
    down = math.ceil(len(pictures) / across)
    grid = np.zeros((down * height, across * width, count), pictures[0].dtype)
    for place, one in enumerate(pictures):
        top, left = place // across * height, place % across * width
        grid[top : top + height, left : left + width] = one
    return grid


def shaped(array: Any, likely: Channels, asked: Channels | None) -> Any:
    """Return the array as height x width x channels."""
    shape = array.shape
    if array.ndim == 2:
        array = array[:, :, None]
    elif array.ndim == 3:
        can_be_last, can_be_first = shape[2] in _COUNTS, shape[0] in _COUNTS
        is_first = asked == "first" or (
            asked is None and can_be_first and (likely == "first" or not can_be_last)
        )
        if is_first:
            array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in _COUNTS or 0 in array.shape:
        raise MediaRefusedError(
            why=f"an array of shape {tuple(shape)} is no picture; pass height x width, height x width x 1 to 4 channels, "
            "or a batch of these"
        )
    if array.shape[0] * array.shape[1] > _MAX_PIXELS:
        raise MediaRefusedError(
            why=f"a picture of {array.shape[1]} x {array.shape[0]} pixels is too large; make it smaller"
        )
    return array


def whole_numbers(array: Any, tell: Tell) -> Any:
    """Return the values as booleans, bytes or 16-bit integers; `tell` hears of each change that is not one of scale."""
    np = numpy()
    kind = array.dtype.kind
    if kind == "b":
        return array if array.shape[2] == 1 else array.astype(np.uint8) * _BYTE
    if kind != "f":
        lowest, highest = int(array.min()), int(array.max())
        if lowest >= 0 and highest <= _BYTE and array.dtype != np.uint16:
            return array.astype(np.uint8)
        if lowest >= 0 and highest < 2**16:
            return array.astype(np.uint16)
        tell(
            f"its integers go from {lowest} to {highest}, and pixels from 0 to 65535: values outside 0 to 255 are cut off"
        )
        return array.clip(0, _BYTE).astype(np.uint8)
    array = array.astype(np.float32)
    bad = int(array.size - np.isfinite(array).sum())
    if bad:
        tell(f"{bad} of its {array.size} values are NaN or infinite: they are black in the picture")
        array = np.where(np.isfinite(array), array, np.float32(0))
    low, high = float(array.min()), float(array.max())
    scale = 1 if low >= 0 and _PLAINLY_BYTES < high <= _BYTE else _BYTE
    array = array * np.float32(scale)
    if low < 0 or high * scale > _BYTE:
        tell(f"its floats go from {low:g} to {high:g}, and pixels from 0 to 1: values outside are cut off")
        array = array.clip(0, _BYTE)
    return (array + np.float32(0.5)).astype(np.uint8)


def mode_of(pixels: Any) -> str:
    """Return what Pillow calls pixels of this form."""
    return "1" if pixels.dtype.kind == "b" else _MODES[pixels.shape[2]]
