"""Long histories are read as columns: the points that are alike are found, however their sender lays them out."""

from array import array

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from otel_experiments.codec.incoming.columns import find_stretch, next_point
from otel_experiments.codec.incoming.histories_from_protobuf import Taken
from otel_experiments.codec.incoming.history_walk import walk
from otel_experiments.codec.incoming.series import Histories
from otel_experiments.codec.incoming.wire import Unusual, fields
from otel_experiments.codec.otlp.fields import delimited
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope

RUN_ID, SPAN_ID = "a" * 32, "b" * 16


def history(count, *names):
    """Return a request of ours with as many points of each series."""
    steps, times_ns = array("d", range(count)), array("q", range(10, 10 + count))
    blocks = [PointBlock(RUN_ID, (SeriesKey(name),), steps, times_ns, (steps,)) for name in names]
    return points_to_request(
        [(PointOrigin(Resource({"ml.run.id": RUN_ID}), RUN_ID, SPAN_ID), blocks)], Scope("s")
    )


def gauge_of(payload):
    """Return the bytes of the data points in a request with one gauge."""
    return (
        MetricsData.FromString(payload)
        .resource_metrics[0]
        .scope_metrics[0]
        .metrics[0]
        .gauge.SerializeToString()
    )


def eight(tag, number):
    """Return a field of eight bytes."""
    return tag + number.to_bytes(8, "little")


def attribute(key, content):
    """Return an attribute whose value has these bytes."""
    return delimited(b"\x0a", key) + delimited(b"\x12", content)


NAMED = delimited(b"\x3a", attribute(b"ml.metric.name", b"\x0a\x04loss"))


def stepped(step):
    """Return an exemplar with a step."""
    return delimited(
        b"\x2a", eight(b"\x19", step) + delimited(b"\x3a", attribute(b"ml.metric.step", eight(b"\x21", step)))
    )


LAYOUTS = {
    "fields in order": lambda n: eight(b"\x19", n) + eight(b"\x21", n) + stepped(n) + NAMED,
    "attributes first": lambda n: NAMED + stepped(n) + eight(b"\x21", n) + eight(b"\x19", n),
    "integers": lambda n: eight(b"\x19", n) + eight(b"\x31", n) + stepped(n) + NAMED,
    "with a start": lambda n: eight(b"\x11", 3) + eight(b"\x19", n) + eight(b"\x21", n) + NAMED,
    "without steps": lambda n: eight(b"\x19", n) + eight(b"\x21", n) + NAMED,
    "other spans": lambda n: eight(b"\x19", n) + eight(b"\x21", n)
    + delimited(b"\x2a", eight(b"\x11", n) + delimited(b"\x22", n.to_bytes(8, "big"))) + NAMED,
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("count", [4, 5, 1024, 1025, 5000])
def test_all_points_of_a_series_are_one_stretch(layout, count):
    """Whatever the order of its fields, a series is found in one piece, none of its points left to the parser."""
    data = b"".join(delimited(b"\x0a", layout(number)) for number in range(count))

    stretch = find_stretch(data, 0, len(data))

    assert stretch is not None
    assert stretch.count == count
    histories = Histories()
    stretch.add_to(histories.gauge_of(Resource(), Scope("s"), "1"))
    (found,) = histories.pieces()
    assert found.times_ns.tolist() == list(range(count))
    values = found.values if stretch.layout.is_integer else array("q", found.values.tobytes())
    assert values.tolist() == list(range(count))


@pytest.mark.parametrize("lengths", [(4, 4), (4, 7, 900), (100, 4, 4)])
def test_each_series_of_a_request_is_one_stretch(lengths):
    """Series follow each other: one ends where the next begins, also where their names are equally long."""
    data = b"".join(gauge_of(history(length, f"train/loss{number}")) for number, length in enumerate(lengths))

    at, found = 0, []
    while at < len(data):
        stretch = find_stretch(data, at, len(data))
        assert stretch is not None
        found.append(stretch.count)
        at += stretch.count * stretch.layout.size_bytes

    assert tuple(found) == lengths


@pytest.mark.parametrize("odd", range(12))
def test_a_stretch_ends_before_a_point_that_differs(odd):
    """A point that has another trace, and so differs in the middle, ends the stretch, and is not lost in it."""
    points = [
        eight(b"\x19", n) + eight(b"\x21", n)
        + delimited(b"\x2a", delimited(b"\x2a", (b"x" if n == odd else b"y") * 16) + eight(b"\x19", n)) + NAMED
        for n in range(12)
    ]  # fmt: skip
    data = b"".join(delimited(b"\x0a", point) for point in points)

    stretch = find_stretch(data, 0, len(data))

    assert (stretch.count if stretch else 0) == (odd if odd >= 4 else 0)


def test_few_points_are_left_to_the_parser():
    """Three points are no stretch: it would cost more than it saves."""
    data = gauge_of(history(3, "loss"))

    assert find_stretch(data, 0, len(data)) is None
    assert next_point(data, 0, len(data)) == len(data) // 3


def test_requests_of_ours_need_no_parser():
    """What this product sends is taken apart as it is; what is unusual in it goes through the parser as a whole."""
    payload = history(50, "loss", "accuracy")

    taken = Taken()

    assert walk(payload, taken)
    assert [len(series.values) for series in taken.histories.pieces()] == [50, 50]
    assert not walk(payload + b"\x78\x01", Taken())
    assert not walk(payload[:-1], Taken())


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b",
        b"\x0c",
        b"\x0a\x02a",
        b"\x19" + bytes(7),
        b"\x0d" + bytes(3),
        b"\x08",
        b"\x08" + b"\xff" * 11,
        b"\x80\x01",
    ],
)
def test_what_is_no_message_has_no_fields(data):
    """Fields that end behind their message, groups and tags of more bytes are never guessed at."""
    with pytest.raises(Unusual):
        list(fields(data, 0, len(data)))


def test_fields_are_found_where_they_are():
    """Of each field the tag and the place of its value, whatever its kind."""
    data = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4)

    assert list(fields(data, 0, len(data))) == [(8, 1, 3), (18, 5, 8), (25, 9, 17), (37, 18, 22)]
    assert list(fields(data, 3, 8)) == [(18, 5, 8)]
