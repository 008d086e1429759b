"""Through a metric request without a parser, down to the points of histories. Pure.

Long stretches of a history's points are found by `columns`. Everything else, and a request that holds anything unusual, is
for protobuf's parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

from otel_experiments.codec.incoming.columns import Stretch, find_stretch, next_point
from otel_experiments.codec.incoming.wire import Unusual, fields
from otel_experiments.process.interruption import pass_on
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

_NAME: Final = ML_METRIC_VALUE.name.encode()
_NAME_TAG: Final = 0x0A
_DESCRIPTION_TAG: Final = 0x12
_UNIT_TAG: Final = 0x1A
_GAUGE_TAG: Final = 0x2A
_HISTORY_FIELDS: Final = frozenset((_NAME_TAG, _DESCRIPTION_TAG, _UNIT_TAG, _GAUGE_TAG))
_MOST_PASSED: Final = 63
"""Points that are passed without a look for a stretch, where many looks have found none."""

Piece = tuple[int, int]
"""Where in the request something begins and ends."""


class Visitor(Protocol):
    """What takes the parts of a request, in their order."""

    def enter_resource(self, message: ResourceMessage, schema_url: str, /) -> None:
        """What follows is of this resource."""
        ...

    def enter_scope(self, message: InstrumentationScope, schema_url: str, /) -> None:
        """What follows is of this scope."""
        ...

    def take_metric(self, metric: Metric, piece: Piece, /) -> None:
        """Take a metric with its points, which lies at `piece`."""
        ...

    def take_history(self, points: Sequence[NumberDataPoint], metric: Metric, piece: Piece, /) -> None:
        """Take points of a history, which lie at `piece`; `metric` has what they share, and no points."""
        ...

    def take_stretch(self, stretch: Stretch, metric: Metric, /) -> None:
        """Take many points of a history at once."""
        ...


def walk(payload: bytes, visitor: Visitor) -> bool:
    """Give all parts of a request to the visitor.

    Returns:
        False where protobuf's parser has to read the whole of it: what the visitor has got by then counts for nothing.
    """
    if _NAME not in payload:
        return False
    try:
        _walk(payload, visitor)
    except (Unusual, DecodeError, UnicodeDecodeError) as exc:
        pass_on(exc)  # the parser says what is wrong, or reads what is known to it alone
        return False
    return True


def _walk(payload: bytes, visitor: Visitor) -> None:
    """Give all parts of a request to the visitor.

    Raises:
        Unusual, DecodeError, UnicodeDecodeError: protobuf's parser has to read the whole of it.
    """
    for tag, start, end in fields(payload, 0, len(payload)):
        if tag != 0x0A:
            raise Unusual
        resource, schema_url, parts = _parts_of(payload, start, end)
        visitor.enter_resource(ResourceMessage.FromString(resource), schema_url)
        for part_start, part_end in parts:
            scope, schema_url, metrics = _parts_of(payload, part_start, part_end)
            visitor.enter_scope(InstrumentationScope.FromString(scope), schema_url)
            for metric_start, metric_end in metrics:
                _walk_metric(payload, metric_start, metric_end, visitor)


def _parts_of(data: bytes, start: int, end: int) -> tuple[bytes, str, list[tuple[int, int]]]:
    """Return the head of a group (its resource or scope), its schema URL, and where its parts are.

    Raises:
        Unusual, UnicodeDecodeError: there are other fields, or two of what there is one of.
    """
    heads, schema_urls, parts = [], [], []
    for tag, at, after in fields(data, start, end):
        match tag:
            case 0x0A:
                heads.append(data[at:after])
            case 0x12:
                parts.append((at, after))
            case 0x1A:
                schema_urls.append(data[at:after].decode())
            case _:
                raise Unusual
    if len(heads) > 1 or len(schema_urls) > 1:
        raise Unusual
    return (heads or [b""])[0], (schema_urls or [""])[0], parts


def _walk_metric(data: bytes, start: int, end: int, visitor: Visitor) -> None:
    history = _history_of(data, start, end)
    if history is None:
        visitor.take_metric(Metric.FromString(data[start:end]), (start, end))
        return
    metric, at, end = history
    left = at  # from here on points wait for protobuf's parser
    passed = patience = 0
    while at < end:
        stretch = find_stretch(data, at, end) if passed == patience else None
        if stretch is None:
            at = next_point(data, at, end)
            if passed < patience:
                passed += 1
            else:
                passed, patience = 0, min(2 * patience + 1, _MOST_PASSED)
            continue
        _take_rest(data, left, at, metric, visitor)
        visitor.take_stretch(stretch, metric)
        at = left = stretch.end
        passed = patience = 0
    _take_rest(data, left, end, metric, visitor)


def _take_rest(data: bytes, start: int, end: int, metric: Metric, visitor: Visitor) -> None:
    if start < end:
        visitor.take_history(Gauge.FromString(data[start:end]).data_points, metric, (start, end))


def _history_of(data: bytes, start: int, end: int) -> tuple[Metric, int, int] | None:
    """Return a history's metric without its points, and where these are; None for another metric.

    Raises:
        Unusual, UnicodeDecodeError: protobuf's parser has to read it.
    """
    held: dict[int, tuple[int, int]] = {}
    for tag, at, after in fields(data, start, end):
        if tag in held or tag not in _HISTORY_FIELDS:
            return None
        held[tag] = at, after
    name, description, unit = (
        data[slice(*held.get(tag, (0, 0)))].decode() for tag in (_NAME_TAG, _DESCRIPTION_TAG, _UNIT_TAG)
    )
    if name != ML_METRIC_VALUE.name or _GAUGE_TAG not in held:
        return None
    return Metric(name=name, description=description, unit=unit, gauge=Gauge()), *held[_GAUGE_TAG]
