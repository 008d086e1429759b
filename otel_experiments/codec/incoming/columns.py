"""Long stretches of data points as columns, without an object a point. Pure.

The numbers in a point are of fixed width, so the points of a series that an exporter sends in one piece have the same
length, and differ in nothing but these numbers. The layout is learnt from the first point, which protobuf's parser
reads. It holds for as many of the following points as equal the first one once the numbers are blanked out: all of their
bytes are compared, so that a stretch gives what protobuf's parser would give (decision 0029).
Source: opentelemetry-proto, metrics.proto; protobuf.dev, Encoding.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from otel_experiments.codec.incoming.history_points import HistoryPoint, history_point
from otel_experiments.codec.incoming.series import STEP_KEY, Columns, Gauge
from otel_experiments.codec.incoming.wire import Unusual, fields, varint

FEWEST_POINTS: Final = 4
"""A shorter stretch costs less where protobuf's parser reads it."""

_LONGEST_LOOK: Final = 1024
"""How many points are compared at once, so that they stay in the processor's cache."""
_STEP_FIELD: Final = b"\x0a" + bytes((len(STEP_KEY),)) + STEP_KEY.encode()
_DOUBLE: Final = Struct("<d").pack
_SIGNED: Final = Struct("<q").pack


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers are in each of a series' points, counted from the point's tag."""

    point: HistoryPoint
    size_bytes: int
    blanked: bytes
    time_at: int
    value_at: int
    is_integer: bool
    step_at: int | None
    others_at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Points of `data` that follow each other from `start` on, and have one layout."""

    data: bytes
    start: int
    layout: Layout
    count: int

    @property
    def end(self) -> int:
        """Where what follows the points begins."""
        return self.start + self.count * self.layout.size_bytes

    def add_to(self, gauge: Gauge) -> None:
        """Add the points to their series."""
        layout, size = self.layout, self.layout.size_bytes
        columns: Columns = gauge.columns_of(layout.point.attributes, has_steps=layout.step_at is not None)
        for start in range(self.start, self.end, _LONGEST_LOOK * size):
            points = self.data[start : min(start + _LONGEST_LOOK * size, self.end)]
            columns.times_ns.extend(_numbers("q", points, layout.time_at, size))
            if layout.is_integer:
                columns.values.extend(map(float, _numbers("q", points, layout.value_at, size)))
            else:
                columns.values.extend(_numbers("d", points, layout.value_at, size))
            if layout.step_at is not None:
                columns.steps.extend(_numbers("d", points, layout.step_at, size))


def find_stretch(data: bytes, start: int, end: int) -> Stretch | None:
    """Return the points from `start` on that are laid out as the first one; None where they are few.

    Raises:
        Unusual: there is no point at `start`.
    """
    after = next_point(data, start, end)
    size = after - start
    if start + FEWEST_POINTS * size > end:
        return None
    head = data[start : start + 2]
    if any(
        data[start + index * size : start + index * size + 2] != head for index in range(1, FEWEST_POINTS)
    ):
        return None
    layout = _learn(data[start:after])
    if layout is None:
        return None
    count = _count_following(data, start, end, layout)
    return Stretch(data, start, layout, count) if count >= FEWEST_POINTS else None


def next_point(data: bytes, start: int, end: int) -> int:
    """Return where the data point ends that begins at `start`.

    Raises:
        Unusual: there is none.
    """
    if data[start] != 0x0A:
        raise Unusual
    size, at = varint(data, start + 1, end)
    if at + size > end:
        raise Unusual
    return at + size


def _learn(raw: bytes) -> Layout | None:
    """Return the layout of a point; None where it has something that only protobuf's parser reads."""
    start = varint(raw, 1, len(raw))[1]
    try:
        message = NumberDataPoint.FromString(raw[start:])
        found = _places(raw, start)
    except (DecodeError, Unusual):
        return None
    point = history_point(message)
    times, values, steps, others = found["time"], found["value"], found["step"], found["other"]
    if point is None or len(times) != 1 or len(values) != 1 or len(steps) > 1:
        return None
    is_integer = raw[values[0] - 1] == 0x31
    layout = Layout(
        point, len(raw), _blank(raw, (*times, *values, *steps, *others)), times[0], values[0], is_integer,
        steps[0] if steps else None, tuple(others),
    )  # fmt: skip
    return layout if _agrees(layout, raw, message) else None


def _agrees(layout: Layout, raw: bytes, message: NumberDataPoint) -> bool:
    """Tell whether the numbers are where the layout has them, as protobuf's parser reads them."""
    step, at = layout.point.step, layout.step_at
    value = _SIGNED(message.as_int) if layout.is_integer else _DOUBLE(message.as_double)
    return (
        raw[layout.time_at : layout.time_at + 8] == _SIGNED(layout.point.time_ns)
        and raw[layout.value_at : layout.value_at + 8] == value
        and (step is None) == (at is None)
        and (step is None or at is None or raw[at : at + 8] == _DOUBLE(step))
    )


def _places(raw: bytes, start: int) -> dict[str, list[int]]:
    """Return where in a point are times, values, steps and other numbers of eight bytes that do not matter.

    Raises:
        Unusual: there is a field that is not known here.
    """
    places: dict[str, list[int]] = {"time": [], "value": [], "step": [], "other": []}
    for tag, at, end in fields(raw, start, len(raw)):
        match tag:
            case 0x19:
                places["time"].append(at)
            case 0x21 | 0x31:
                places["value"].append(at)
            case 0x2A:
                _exemplar_places(raw, at, end, places)
            case 0x11 | 0x3A:  # the start and the attributes, the same in all points
                pass
            case _:
                raise Unusual
    return places


def _exemplar_places(raw: bytes, start: int, end: int, places: dict[str, list[int]]) -> None:
    for tag, at, after in fields(raw, start, end):
        match tag:
            case 0x11 | 0x19 | 0x31:  # time and value, which are the point's again
                places["other"].append(at)
            case 0x22 if after - at == 8:  # span id
                places["other"].append(at)
            case 0x22 | 0x2A:
                pass
            case 0x3A:
                places["step"] += _step_place(raw, at, after)
            case _:
                raise Unusual


def _step_place(raw: bytes, start: int, end: int) -> list[int]:
    """Return where in an attribute the step is, if it is the step, and a float."""
    if STEP_KEY.encode() not in raw[start:end]:
        return []
    if raw[start : end - 11] == _STEP_FIELD and raw[end - 11 : end - 8] == b"\x12\x09\x21":
        return [end - 8]
    raise Unusual


def _count_following(data: bytes, start: int, end: int, layout: Layout) -> int:
    """Return how many points from `start` on have the layout."""
    size = layout.size_bytes
    count, likely = 0, _likely_count(data, start, end, layout)
    while count < likely:
        asked = min(_LONGEST_LOOK, likely - count)
        points = data[start + count * size : start + (count + asked) * size]
        found = _count_alike(points, asked, layout)
        count += found
        if found < asked:
            break
    return count


def _likely_count(data: bytes, start: int, end: int, layout: Layout) -> int:
    """Return how many points seem to follow each other, by a few of them: what they begin and end with is compared."""
    size, available = layout.size_bytes, (end - start) // layout.size_bytes
    places = (layout.time_at, layout.value_at, layout.step_at or layout.time_at, *layout.others_at)
    head, tail = layout.blanked[: min(places)], layout.blanked[max(places) + 8 :]

    def seems_alike(index: int) -> bool:
        at = start + index * size
        return data[at : at + len(head)] == head and data[at + size - len(tail) : at + size] == tail

    low, high = 0, 1
    while high < available and seems_alike(high):
        low, high = high, 2 * high
    high = min(high, available)
    while high - low > 1:
        middle = (low + high) // 2
        if seems_alike(middle):
            low = middle
        else:
            high = middle
    return low + 1


def _count_alike(points: bytes, count: int, layout: Layout) -> int:
    """Return how many of the points, from the first on, have the layout and a time that can be kept."""
    size = layout.size_bytes
    places = [layout.time_at, layout.value_at, *layout.others_at]
    if layout.step_at is not None:
        places.append(layout.step_at)
    last_bytes = points[layout.time_at + 7 :: size]  # the sign of each time, which none has that can be kept
    if max(last_bytes) > 127:
        count = next(index for index, byte in enumerate(last_bytes) if byte > 127)
        points = points[: count * size]
    blanked, expected = _blank(points, places, size), layout.blanked * count
    if blanked == expected:
        return count
    low, high = 0, count - 1  # the first point that differs is among these
    while low < high:
        middle = (low + high) // 2
        if blanked[low * size : (middle + 1) * size] == expected[low * size : (middle + 1) * size]:
            low = middle + 1
        else:
            high = middle
    return low


def _blank(points: bytes, places: Sequence[int], size: int = 0) -> bytes:
    """Return the bytes of points with zeros in places of eight bytes."""
    stride = size or len(points)
    made = bytearray(points)
    zeros = bytes(len(points) // stride)
    for place in places:
        for index in range(place, place + 8):
            made[index::stride] = zeros
    return bytes(made)


def _numbers(
    code: str, points: bytes, place: int, size: int
) -> array[Any]:  # integers or floats, as the code says
    """Return the little-endian numbers of eight bytes at one place of each point."""
    column = bytearray(8 * (len(points) // size))
    for index in range(8):
        column[index::8] = points[place + index :: size]
    made: array[Any] = array(code, column)
    if sys.byteorder == "big":
        made.byteswap()
    return made
