"""Data points of instruments leave as they were collected: as the SDK's encoder makes them of the collection."""

import math
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import TracerProvider

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.codec.incoming.read import read_metrics
from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.model.instrument import InstrumentPoint


def collect(measured, exemplar_filter=None, counted=(3,)):
    """Return what an SDK collects of every kind of instrument, in two scopes."""
    reader = InMemoryMetricReader()
    view = View(instrument_name="wide", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        [reader],
        SdkResource({"service.name": "s"}, "https://example.com/1"),
        exemplar_filter or AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
        views=[view],
    )
    first = provider.get_meter("one", "1.0", "https://example.com/2")
    requests = first.create_counter("requests", "1", "how many")
    for count in counted:
        requests.add(count, {"kind": "a"})
    first.create_up_down_counter("queue").add(-2)
    first.create_gauge("load").set(0.5, {"core": 1, "on": True})
    second = provider.get_meter("two", attributes={"x": "y"})
    narrow, wide = second.create_histogram("narrow", "s"), second.create_histogram("wide", "s")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    for value in measured:
        with tracer.start_as_current_span("measure"):
            narrow.record(value, {"part": "p"})
            wide.record(value)
    return reader.get_metrics_data()


def sent(points):
    """Return the request that is sent for the points, as a receiver reads it."""
    return ExportMetricsServiceRequest.FromString(instrument_points_to_request(list(points)))


@given(
    st.lists(st.floats(-(2.0**40), 2.0**40) | st.integers(-(2**40), 2**40), max_size=12),
    st.lists(st.integers(0, 2**40) | st.floats(0, 2.0**40), min_size=1, max_size=3),
)
@settings(max_examples=50)
def test_every_kind_of_instrument_leaves_as_it_was_collected(measured, counted):
    """Counters, gauges and both kinds of histograms make the same message as the SDK's collection."""
    collected = collect(measured, counted=counted)

    assert sent(instrument_points_from_sdk(collected)) == encode_metrics(collected)


def test_what_the_sdks_exporter_sends_is_read_as_it_was_collected():
    """A receiver has of every kind of instrument the data points that the program's own SDK has."""
    collected = collect([0.001, 7, 50.0], AlwaysOnExemplarFilter())

    series, points = read_metrics("protobuf", encode_metrics(collected).SerializeToString())

    expected = [
        replace(point, start_ns=0) if point.kind == "gauge" else point  # gauges are sent without a start
        for point in instrument_points_from_sdk(collected)
    ]
    assert (series, points) == ([], expected)


def test_exemplars_leave_with_their_spans():
    """The measurement that an exemplar shows keeps its value, time, attributes, trace and span."""
    collected = collect([0.001, 7, 50.0], AlwaysOnExemplarFilter())
    message = sent(instrument_points_from_sdk(collected))

    assert message == encode_metrics(collected)
    (narrow,) = (
        m for s in message.resource_metrics[0].scope_metrics for m in s.metrics if m.name == "narrow"
    )
    assert all(exemplar.trace_id for exemplar in narrow.histogram.data_points[0].exemplars)


def test_an_exemplar_of_no_trace_leaves_without_one():
    """A measurement outside of any span has no ids, empty or not given."""
    seen = {"time_ns": 5, "value": 0.5, "attributes": {"ml.metric.step": 7.0}}
    points = [
        InstrumentPoint("load", "gauge", 5, value=1, exemplars=(exemplar,))
        for exemplar in (seen, seen | {"trace_id": "", "span_id": ""})
    ]

    first, second = sent(points).resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points

    assert first == second
    assert (first.exemplars[0].as_double, first.exemplars[0].trace_id) == (0.5, b"")


def test_points_of_several_collections_share_one_metric():
    """Each resource, scope and metric comes once, with the points of all collections."""
    points = list(instrument_points_from_sdk(collect([1.0])))
    later = [replace(point, time_ns=point.time_ns + 1) for point in points]

    (part,) = sent([*points, *later]).resource_metrics

    counts = [
        (metric.name, len(getattr(metric, metric.WhichOneof("data")).data_points))
        for scope in part.scope_metrics
        for metric in scope.metrics
    ]
    assert counts == [("requests", 2), ("queue", 2), ("load", 2), ("narrow", 2), ("wide", 2)]


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        (3, "as_int", 3),
        (-(2**63), "as_int", -(2**63)),
        (3.0, "as_double", 3.0),
        (2**70, "as_double", float(2**70)),
        (-math.inf, "as_double", -math.inf),
        (None, None, None),
    ],
    ids=["integer", "least", "float", "large", "infinity", "none"],
)
def test_the_value_of_a_point_leaves_as_the_number_it_is(value, field, expected):
    """Integers stay integers as long as 64 bits hold them; a point without a value says so by its flags."""
    point = InstrumentPoint("load", "gauge", 5, value=value, flags=1 if value is None else 0)

    (metric,) = sent([point]).resource_metrics[0].scope_metrics[0].metrics

    (made,) = metric.gauge.data_points
    assert (made.WhichOneof("value"), made.flags, made.time_unix_nano) == (field, point.flags, 5)
    assert value is None or getattr(made, field) == expected


def test_a_histogram_without_buckets_leaves_as_its_count_and_sum():
    """What OTLP brought with no more than that is sent with no more than that."""
    point = InstrumentPoint(
        "took", "histogram", 5, start_ns=1, temporality=1,
        histogram={"count": 2, "sum": None, "min": None, "max": 3.5, "bucket_counts": [], "explicit_bounds": []},
    )  # fmt: skip

    (metric,) = sent([point]).resource_metrics[0].scope_metrics[0].metrics

    (made,) = metric.histogram.data_points
    assert (made.count, made.max, made.start_time_unix_nano, metric.histogram.aggregation_temporality) == (
        2,
        3.5,
        1,
        1,
    )
    assert [made.HasField(name) for name in ("sum", "min", "max")] == [False, False, True]
    assert not made.bucket_counts


def test_an_exponential_histogram_without_buckets_leaves_without_them():
    """What measured only zeros has no buckets on either side."""
    found = {"count": 2, "sum": 0.0, "min": None, "max": None, "scale": -3, "zero_count": 2}
    point = InstrumentPoint(
        "took", "exponential_histogram", 5, histogram=found | {"positive": {"offset": 0, "bucket_counts": []}}
    )

    (metric,) = sent([point]).resource_metrics[0].scope_metrics[0].metrics

    (made,) = metric.exponential_histogram.data_points
    assert [made.HasField(name) for name in ("positive", "negative", "min", "max", "sum")] == [
        False, False, False, False, True,
    ]  # fmt: skip
    assert (made.count, made.zero_count, made.scale) == (2, 2, -3)


@pytest.mark.parametrize("count", [2**64 - 1, 2**64], ids=["largest", "beyond"])
def test_a_bucket_counts_in_64_bits(count):
    """The largest count of OTLP is sent; a larger one is refused, and the caller counts what was not sent."""
    found = {"count": 1, "scale": 0, "zero_count": 0, "positive": {"offset": -1, "bucket_counts": [0, count]}}
    point = InstrumentPoint("took", "exponential_histogram", 5, histogram=found)

    if count >= 2**64:
        with pytest.raises(ValueError, match="64 bits"):
            instrument_points_to_request([point])
        return
    (metric,) = sent([point]).resource_metrics[0].scope_metrics[0].metrics

    (made,) = metric.exponential_histogram.data_points
    assert (made.positive.offset, list(made.positive.bucket_counts)) == (-1, [0, count])


def test_a_histogram_with_a_negative_count_is_refused():
    """A request that no receiver can read is never made; the caller counts what was not sent."""
    point = InstrumentPoint("took", "histogram", 5, histogram={"count": -1})

    with pytest.raises(struct.error):
        instrument_points_to_request([point])
