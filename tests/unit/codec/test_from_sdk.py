"""What the SDK hands over becomes the model and back, equal to what the SDK's own OTLP encoder makes of it."""

import dataclasses
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from otel_experiments.codec.from_sdk import (
    log_record_from_sdk,
    resource_from_sdk,
    scope_from_sdk,
    span_from_sdk,
)
from otel_experiments.codec.from_sdk_metrics import instrument_points_from_sdk
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Event, Resource, Scope

texts = st.text(st.characters(codec="utf-8"), max_size=12)
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
int64 = st.integers(-(2**63), 2**63 - 1)
uint64 = st.integers(0, 2**63 - 1)
counts = st.integers(0, 1000)
plain_values = st.one_of(texts, st.booleans(), int64, st.floats(), st.binary(max_size=8), st.none())
values = st.recursive(
    plain_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
plain_attributes = st.dictionaries(keys, values, max_size=4)
trace_ids, span_ids = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)
trace_states = st.sampled_from(["", "a=1", "vendor@x=opaque,b=2"])


@st.composite
def attributes(draw):
    """Draw attributes as the SDK keeps them, some of them dropped."""
    made = BoundedAttributes(attributes=draw(plain_attributes))
    made.dropped = draw(counts)
    return made


@st.composite
def contexts(draw, *, is_remote=None):
    """Draw a span context."""
    header = draw(trace_states)
    return SpanContext(
        draw(trace_ids),
        draw(span_ids),
        draw(st.booleans()) if is_remote is None else is_remote,
        TraceFlags(draw(st.integers(0, 3))),
        TraceState.from_header([header]) if header else None,
    )


def bounded(items, dropped):
    """Return the items as the SDK keeps them."""
    made = BoundedList(None)
    made.extend(items)
    made.dropped = dropped
    return made


@st.composite
def sdk_spans(draw):
    """Draw an ended span of the SDK, with all that a span can have."""
    context = draw(contexts(is_remote=False))
    parent = draw(st.none() | contexts())
    if parent is not None:
        parent = SpanContext(context.trace_id, parent.span_id, parent.is_remote)
    events = draw(st.lists(st.builds(SdkEvent, texts, attributes(), uint64), max_size=3))
    links = draw(st.lists(st.builds(trace.Link, contexts(is_remote=False), attributes()), max_size=3))
    code = draw(st.sampled_from(trace.StatusCode))
    description = draw(texts) if code is trace.StatusCode.ERROR else None
    return ReadableSpan(
        name=draw(texts),
        context=context,
        parent=parent,
        resource=SdkResource(draw(plain_attributes), draw(st.sampled_from([None, "https://example.com/r"]))),
        attributes=draw(attributes()),
        events=bounded(events, draw(counts)),
        links=bounded(links, draw(counts)),
        kind=draw(st.sampled_from(trace.SpanKind)),
        status=trace.Status(code, description),
        start_time=draw(uint64),
        end_time=draw(uint64),
        instrumentation_scope=InstrumentationScope(
            draw(texts), draw(st.none() | texts), "https://example.com/s"
        ),
    )


def plain(value):
    """Return an AnyValue as a Python value, floats by their bits."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return None if kind is None else exact(getattr(value, kind))


def exact(value):
    """Return a value that compares as what it is: NaN equals itself, 1 is neither 1.0 nor True."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(inner) for inner in value]
    if value is None:
        return None
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return (type(value).__name__, value)


def of(pairs):
    """Return OTLP attributes as a mapping of exact values."""
    return {pair.key: plain(pair.value) for pair in pairs}


def only_span(encoded):
    """Return resource, scope and span of a request with one span."""
    (resource,) = encoded.resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    return resource, scope, span


@given(sdk_spans())
@settings(max_examples=100)
def test_a_span_is_what_the_sdks_encoder_makes_of_it(sdk_span):
    """Ids, kind, times, status, attributes, events, links, dropped counts, resource and scope are the same."""
    resource, scope, encoded = only_span(encode_spans([sdk_span]))

    span = span_from_sdk(sdk_span)

    assert span.trace_id == encoded.trace_id.hex()
    assert span.span_id == encoded.span_id.hex()
    assert (span.parent_span_id or "") == encoded.parent_span_id.hex()
    assert (span.name, int(span.kind), int(span.status)) == (encoded.name, encoded.kind, encoded.status.code)
    assert span.status_message == encoded.status.message
    assert (span.start_ns, span.end_ns) == (encoded.start_time_unix_nano, encoded.end_time_unix_nano)
    assert span.trace_state == encoded.trace_state
    assert exact(span.attributes) == of(encoded.attributes)
    assert [
        (event.name, event.time_ns, exact(event.attributes), event.dropped_attributes_count)
        for event in span.events
    ] == [(e.name, e.time_unix_nano, of(e.attributes), e.dropped_attributes_count) for e in encoded.events]
    assert [
        (link.trace_id, link.span_id, exact(link.attributes), link.dropped_attributes_count)
        for link in span.links
    ] == [
        (i.trace_id.hex(), i.span_id.hex(), of(i.attributes), i.dropped_attributes_count)
        for i in encoded.links
    ]
    assert (
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
    ) == (
        encoded.dropped_attributes_count,
        encoded.dropped_events_count,
        encoded.dropped_links_count,
    )
    assert exact(span.resource.attributes) == of(resource.resource.attributes)
    assert (span.resource.schema_url, span.scope.schema_url) == (resource.schema_url, scope.schema_url)
    assert (span.scope.name, span.scope.version) == (scope.scope.name, scope.scope.version)
    if sdk_span.parent is not None:
        assert span.flags & ~0xFF == encoded.flags
    assert span.flags & 0xFF == sdk_span.context.trace_flags


@given(sdk_spans())
@settings(max_examples=100)
def test_a_span_leaves_as_it_came(sdk_span):
    """The SDK's exporter would have sent the same, but for trace flags and the links' trace states, which it leaves out."""
    expected = encode_spans([sdk_span])
    *_, encoded = only_span(expected)
    encoded.flags |= sdk_span.context.trace_flags
    for link, sdk_link in zip(encoded.links, sdk_span.links, strict=True):
        link.trace_state = sdk_link.context.trace_state.to_header()

    sent = ExportTraceServiceRequest.FromString(spans_to_request([span_from_sdk(sdk_span)]))

    assert sent.SerializeToString() == expected.SerializeToString()


def test_an_open_span_has_no_end():
    """A span that has started and not ended is open in the model."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("open", start_time=5)

    assert (span_from_sdk(span).start_ns, span_from_sdk(span).end_ns) == (5, None)


def test_what_the_sdk_dropped_is_counted():
    """A live span over its limits tells how many attributes, events and links it lost."""
    limits = SpanLimits(
        max_span_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1
    )
    tracer = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("t")
    links = [trace.Link(SpanContext(i, i, is_remote=False), {"a": 1, "b": 2}) for i in (1, 2, 3)]
    sdk_span = tracer.start_span("s", links=links, attributes={f"k{i}": i for i in range(5)})
    for i in range(4):
        sdk_span.add_event(f"e{i}", {"a": 1, "b": 2}, timestamp=i)
    sdk_span.end()

    span = span_from_sdk(sdk_span)
    assert (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count) == (3, 3, 2)
    assert span.events == (Event("e3", 3, {"b": 2}, 1),)
    assert [(link.trace_id[-1], link.dropped_attributes_count) for link in span.links] == [("3", 1)]


def test_nothing_becomes_nothing():
    """No resource, no scope: empty ones."""
    assert (resource_from_sdk(None), scope_from_sdk(None)) == (Resource(), Scope())


def sdk_log_record(record):
    """Return the log record as the SDK hands it to exporters."""
    attributes = BoundedAttributes(attributes=record.attributes)
    attributes.dropped = record.dropped_attributes_count
    made = ApiLogRecord(
        timestamp=record.time_ns,
        observed_timestamp=record.observed_time_ns,
        context=Context(),
        severity_text=record.severity_text or None,
        severity_number=SeverityNumber(record.severity_number) if record.severity_number else None,
        body=record.body,
        attributes=attributes,
        event_name=record.event_name or None,
    )
    made.trace_id = int(record.trace_id or "0", 16)
    made.span_id = int(record.span_id or "0", 16)
    made.trace_flags = TraceFlags(record.flags)
    resource = SdkResource(record.resource.attributes, record.resource.schema_url)
    return ReadableLogRecord(made, resource, InstrumentationScope(record.scope.name, record.scope.version))


@given(
    st.builds(
        LogRecord,
        time_ns=uint64,
        observed_time_ns=st.integers(1, 2**63 - 1),
        event_name=texts,
        severity_number=st.integers(0, 24),
        severity_text=texts,
        body=values,
        attributes=plain_attributes,
        trace_id=st.none() | trace_ids.map(lambda n: f"{n:032x}"),
        span_id=st.none() | span_ids.map(lambda n: f"{n:016x}"),
        flags=st.integers(0, 255),
        dropped_attributes_count=counts,
        resource=st.builds(Resource, plain_attributes, st.sampled_from(["", "https://example.com/r"])),
        scope=st.builds(Scope, texts, texts),
    )
)
@settings(max_examples=100)
def test_a_log_record_leaves_as_it_came(record):
    """Every field comes from the SDK's record, and leaves as the SDK's exporter would have sent it."""
    sdk_record = sdk_log_record(record)

    sent = ExportLogsServiceRequest.FromString(log_records_to_request([record]))

    assert sent.SerializeToString() == encode_logs([sdk_record]).SerializeToString()
    back = log_record_from_sdk(sdk_record)
    assert dataclasses.replace(back, body=None, attributes={}, resource=Resource()) == dataclasses.replace(
        record,
        time_ns=record.time_ns or record.observed_time_ns,
        body=None,
        attributes={},
        resource=Resource(),
    )


def test_a_log_record_that_nobody_observed_was_observed_when_it_happened():
    """Of the two times of a record one may be missing; the stored record has both."""
    sdk_record = sdk_log_record(LogRecord(time_ns=7, observed_time_ns=9))

    sdk_record.log_record.observed_timestamp = None
    unobserved = log_record_from_sdk(sdk_record)
    sdk_record.log_record.timestamp, sdk_record.log_record.observed_timestamp = None, 9
    timeless = log_record_from_sdk(sdk_record)

    assert (unobserved.time_ns, unobserved.observed_time_ns) == (7, 7)
    assert (timeless.time_ns, timeless.observed_time_ns) == (9, 9)


@pytest.fixture
def collected():
    """Return the data of one collection over all kinds of instruments."""
    reader = InMemoryMetricReader()
    views = [
        View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation(max_size=20))
    ]
    provider = MeterProvider(
        metric_readers=[reader],
        views=views,
        resource=SdkResource({"ml.run.id": "f" * 32}),
        exemplar_filter=AlwaysOnExemplarFilter(),
        shutdown_on_exit=False,
    )
    meter = provider.get_meter("m", "1", "https://example.com/s")
    meter.create_counter("counter", "{sample}", "Samples.").add(3, {"ml.phase": "train"})
    meter.create_up_down_counter("updown").add(-2)
    meter.create_gauge("gauge").set(0.5)
    for name in ("histogram", "exponential"):
        histogram = meter.create_histogram(name, "s")
        for value in (0.001, 7.0, 7.0, 900.0):
            histogram.record(value)
    yield reader.get_metrics_data()
    provider.shutdown()


def test_instruments_become_points_as_the_sdks_encoder_sees_them(collected):
    """Kind, unit, temporality, monotonicity, values, buckets, exemplars, resource and run of each instrument."""
    (resource,) = encode_metrics(collected).resource_metrics
    encoded = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}

    points = {point.name: point for point in instrument_points_from_sdk(collected)}

    assert points.keys() == encoded.keys() == {"counter", "updown", "gauge", "histogram", "exponential"}
    assert {point.run_id for point in points.values()} == {"f" * 32}
    for name, point in points.items():
        data = getattr(encoded[name], encoded[name].WhichOneof("data"))
        (sent,) = data.data_points
        assert (point.kind, point.unit) == (encoded[name].WhichOneof("data"), encoded[name].unit)
        assert (point.time_ns, point.start_ns) == (sent.time_unix_nano, sent.start_time_unix_nano)
        assert point.temporality == getattr(data, "aggregation_temporality", 0)
        assert point.is_monotonic == getattr(data, "is_monotonic", False)
        assert exact(point.attributes) == of(sent.attributes)
        assert [exemplar["time_ns"] for exemplar in point.exemplars] == [
            exemplar.time_unix_nano for exemplar in sent.exemplars
        ]
        if point.value is not None:
            assert point.value == getattr(sent, sent.WhichOneof("value"))
    histogram, sent = points["histogram"].histogram, encoded["histogram"].histogram.data_points[0]
    assert (histogram["count"], histogram["sum"], histogram["min"], histogram["max"]) == (
        4,
        914.001,
        0.001,
        900.0,
    )
    assert histogram["bucket_counts"] == list(sent.bucket_counts)
    assert histogram["explicit_bounds"] == list(sent.explicit_bounds)
    exponential = points["exponential"].histogram
    sent = encoded["exponential"].exponential_histogram.data_points[0]
    assert (exponential["scale"], exponential["zero_count"]) == (sent.scale, sent.zero_count)
    assert exponential["positive"] == {
        "offset": sent.positive.offset,
        "bucket_counts": list(sent.positive.bucket_counts),
    }


def test_a_span_says_which_run_it_is_of():
    """Its own attribute wins over its resource's: an application's span inside a run has no run in its resource."""
    provider = TracerProvider(resource=SdkResource({"ml.run.id": "of resource"}), shutdown_on_exit=False)
    tracer = provider.get_tracer("t")

    assert span_from_sdk(tracer.start_span("s")).run_id == "of resource"
    assert span_from_sdk(tracer.start_span("s", attributes={"ml.run.id": "own"})).run_id == "own"
