"""Data points of instruments leave as they were collected."""

from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.codec.to_sdk_metrics import instrument_points_to_sdk


@pytest.fixture
def collected():
    """Return what an SDK collects of every kind of instrument, in two scopes."""
    reader = InMemoryMetricReader()
    view = View(instrument_name="wide", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider(
        [reader],
        Resource({"service.name": "s"}, "https://example.com/1"),
        AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
        views=[view],
    )
    first = provider.get_meter("one", "1.0", "https://example.com/2")
    first.create_counter("requests", "1", "how many").add(3, {"kind": "a"})
    first.create_up_down_counter("queue").add(-2)
    first.create_gauge("load").set(0.5, {"core": 1, "on": True})
    second = provider.get_meter("two", attributes={"x": "y"})
    for value in (0.001, 1.0, 50.0, 1e6):
        second.create_histogram("narrow", "s").record(value, {"part": "p"})
        second.create_histogram("wide", "s").record(value)
    return reader.get_metrics_data()


def test_every_kind_of_instrument_leaves_as_it_was_collected(collected):
    """Counters, gauges and both kinds of histograms make the same message as the SDK's collection."""
    points = list(instrument_points_from_sdk(collected))

    assert len(points) == 5
    assert encode_metrics(instrument_points_to_sdk(points)) == encode_metrics(collected)


def test_points_of_several_collections_share_one_resource_and_scope(collected):
    """The SDK's encoder keeps one part of each resource and scope, so no part comes twice."""
    points = list(instrument_points_from_sdk(collected))
    later = [replace(point, time_ns=point.time_ns + 1) for point in points]

    (part,) = encode_metrics(instrument_points_to_sdk([*points, *later])).resource_metrics

    counts = {
        metric.name: len(getattr(metric, metric.WhichOneof("data")).data_points)
        for scope in part.scope_metrics
        for metric in scope.metrics
    }
    assert counts == {"requests": 2, "queue": 2, "load": 2, "narrow": 2, "wide": 2}


def test_an_exemplar_leaves_with_its_span(collected):
    """An exemplar that an exporter brought keeps its value, time, attributes, trace and span."""
    exemplar = {
        "time_ns": 7, "value": 1.5, "trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "2", "attributes": {"a": 1},
    }  # fmt: skip
    point = replace(next(instrument_points_from_sdk(collected)), exemplars=(exemplar,))

    assert [p.exemplars for p in instrument_points_from_sdk(instrument_points_to_sdk([point]))] == [
        (exemplar,)
    ]
