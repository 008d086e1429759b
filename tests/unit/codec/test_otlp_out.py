"""The bytes that leave are what protobuf's own library and the SDK's encoder make of the same telemetry."""

import math
import struct
from array import array
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.logs.v1 import logs_pb2 as logs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1 import trace_pb2 as traces
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import export as sdk_export
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status
from opentelemetry.trace import StatusCode as SdkStatusCode

from otel_experiments.codec.from_sdk import log_record_from_sdk, span_from_sdk
from otel_experiments.codec.incoming.from_protobuf import decode_log_records, decode_spans
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["ü" * 64, "x" * 127, "x" * 17_000]
)
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
int64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([127, 128, 2**14 - 1, 2**14, -1])
times = st.integers(0, 2**63 - 1)
counts = st.integers(0, 2**32 - 1) | st.just(0)
floats = (
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]) | st.floats()
)
values = st.recursive(
    st.one_of(texts, st.booleans(), int64, floats, st.binary(max_size=8), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
attributes = st.dictionaries(keys, values, max_size=4)
trace_ids = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
span_ids = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
trace_states = st.sampled_from(["", "vendor@x=opaque,b=2"])
schemas = st.sampled_from(["", "https://example.com/schema"])
resources = st.lists(st.builds(Resource, attributes, schemas), min_size=1, max_size=2, unique_by=repr)
scopes = st.lists(st.builds(Scope, texts, texts, schemas, attributes), min_size=1, max_size=2, unique_by=repr)


def value_message(value):
    """Return a value as protobuf's library has it."""
    if value is None:
        return common.AnyValue()
    if isinstance(value, dict):
        return common.AnyValue(kvlist_value=common.KeyValueList(values=pairs(value)))
    if isinstance(value, list):
        return common.AnyValue(array_value=common.ArrayValue(values=map(value_message, value)))
    names = {str: "string", bool: "bool", int: "int", float: "double", bytes: "bytes"}
    return common.AnyValue(**{f"{names[type(value)]}_value": value})


def pairs(found):
    """Return attributes as protobuf's library has them."""
    return [common.KeyValue(key=key, value=value_message(value)) for key, value in found.items()]


def grouped(records, kind, scope_kind, field, message):
    """Return what is below a request: messages of records by resource and scope, in the order of their first."""
    found = {}
    for record in records:
        by_scope = found.setdefault(repr(record.resource), (record.resource, {}))[1]
        by_scope.setdefault(repr(record.scope), (record.scope, []))[1].append(message(record))
    return [
        kind(
            resource=ResourceMessage(attributes=pairs(resource.attributes)),
            schema_url=resource.schema_url,
            **{
                f"scope_{field}": [
                    scope_kind(
                        scope=common.InstrumentationScope(
                            name=scope.name, version=scope.version, attributes=pairs(scope.attributes)
                        ),
                        schema_url=scope.schema_url,
                        **{"log_records" if field == "logs" else field: made},
                    )
                    for scope, made in by_scope.values()
                ]
            },
        )
        for resource, by_scope in found.values()
    ]


def span_message(span):
    """Return a span as protobuf's library has it."""
    return traces.Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        trace_state=span.trace_state,
        parent_span_id=bytes.fromhex(span.parent_span_id or ""),
        name=span.name,
        kind=int(span.kind) or 1,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=pairs(span.attributes),
        dropped_attributes_count=span.dropped_attributes_count,
        events=[
            traces.Span.Event(
                time_unix_nano=event.time_ns,
                name=event.name,
                attributes=pairs(event.attributes),
                dropped_attributes_count=event.dropped_attributes_count,
            )
            for event in span.events
        ],
        dropped_events_count=span.dropped_events_count,
        links=[
            traces.Span.Link(
                trace_id=bytes.fromhex(link.trace_id),
                span_id=bytes.fromhex(link.span_id),
                trace_state=link.trace_state,
                attributes=pairs(link.attributes),
                dropped_attributes_count=link.dropped_attributes_count,
                flags=0x100,
            )
            for link in span.links
        ],
        dropped_links_count=span.dropped_links_count,
        status=traces.Status(message=span.status_message, code=int(span.status)),
        flags=0x100 | span.flags & (0x2FF if span.parent_span_id else 0xFF),
    )


def log_message(record):
    """Return a log record as protobuf's library has it."""
    return logs.LogRecord(
        time_unix_nano=record.time_ns,
        observed_time_unix_nano=record.observed_time_ns,
        severity_number=record.severity_number,
        severity_text=record.severity_text,
        body=value_message(record.body),
        attributes=pairs(record.attributes),
        dropped_attributes_count=record.dropped_attributes_count,
        flags=record.flags,
        trace_id=bytes.fromhex(record.trace_id or ""),
        span_id=bytes.fromhex(record.span_id or ""),
        event_name=record.event_name,
    )


@st.composite
def spans(draw):
    """Draw spans of few resources and scopes, with all that a span can have."""
    events = st.lists(st.builds(Event, texts, times, attributes, counts), max_size=2).map(tuple)
    links = st.lists(st.builds(Link, trace_ids, span_ids, attributes, trace_states, counts), max_size=2).map(
        tuple
    )
    one = st.builds(
        Span,
        trace_id=trace_ids,
        span_id=span_ids,
        name=texts,
        start_ns=times,
        end_ns=times,
        parent_span_id=st.none() | span_ids,
        kind=st.sampled_from(SpanKind),
        status=st.sampled_from(StatusCode),
        status_message=texts,
        attributes=attributes,
        events=events,
        links=links,
        resource=st.sampled_from(draw(resources)),
        scope=st.sampled_from(draw(scopes)),
        trace_state=trace_states,
        flags=st.integers(0, 0x3FF),
        dropped_attributes_count=counts,
        dropped_events_count=counts,
        dropped_links_count=counts,
    )
    return draw(st.lists(one, max_size=4))


@st.composite
def log_records(draw):
    """Draw log records and events of few resources and scopes."""
    one = st.builds(
        LogRecord,
        time_ns=times,
        observed_time_ns=times,
        event_name=texts,
        severity_number=st.integers(0, 24),
        severity_text=texts,
        body=values,
        attributes=attributes,
        trace_id=st.none() | trace_ids,
        span_id=st.none() | span_ids,
        flags=st.integers(0, 255),
        dropped_attributes_count=counts,
        resource=st.sampled_from(draw(resources)),
        scope=st.sampled_from(draw(scopes)),
    )
    return draw(st.lists(one, max_size=4))


@given(spans())
@settings(max_examples=100)
def test_spans_leave_as_protobufs_library_writes_them(drawn):
    """Every field of every span, by resource and scope."""
    expected = ExportTraceServiceRequest(
        resource_spans=grouped(drawn, traces.ResourceSpans, traces.ScopeSpans, "spans", span_message)
    )

    sent = ExportTraceServiceRequest.FromString(spans_to_request(drawn))

    assert sent.SerializeToString() == expected.SerializeToString()


@given(log_records())
@settings(max_examples=100)
def test_log_records_leave_as_protobufs_library_writes_them(drawn):
    """Every field of every log record and event, by resource and scope."""
    expected = ExportLogsServiceRequest(
        resource_logs=grouped(drawn, logs.ResourceLogs, logs.ScopeLogs, "logs", log_message)
    )

    sent = ExportLogsServiceRequest.FromString(log_records_to_request(drawn))

    assert sent.SerializeToString() == expected.SerializeToString()


@given(spans())
@settings(max_examples=50)
def test_a_span_that_was_sent_can_be_received(drawn):
    """What comes back is the span, with its trace flags and the state of its trace and of its links."""
    for span in drawn:
        flags = 0x100 | span.flags & (0x2FF if span.parent_span_id else 0xFF)
        kind = span.kind or SpanKind.INTERNAL

        (received,) = decode_spans(spans_to_request([span]))

        assert repr(received) == repr(replace(span, flags=flags, kind=kind, end_ns=span.end_ns or None))


@given(log_records())
@settings(max_examples=50)
def test_a_log_record_that_was_sent_can_be_received(drawn):
    """What comes back is the log record."""
    for record in drawn:
        (received,) = decode_log_records(log_records_to_request([record]))

        times_ns = record.time_ns or record.observed_time_ns, record.observed_time_ns or record.time_ns
        assert repr(received) == repr(replace(record, time_ns=times_ns[0], observed_time_ns=times_ns[1]))


def test_a_span_of_the_sdk_leaves_as_from_the_sdks_exporter():
    """An application's own span inside a run arrives as if the application had sent it."""
    resource = SdkResource({"service.name": "app", "ranks": [0, 1]}, "https://example.com/r")
    tracer = TracerProvider(resource=resource, shutdown_on_exit=False).get_tracer(
        "app", "1.2", "https://example.com/s"
    )
    with tracer.start_as_current_span("parent", attributes={"a": 1, "b": 0.5, "c": ("x", "y")}) as parent:
        parent.add_event("event", {"k": "v"}, timestamp=7)
        with tracer.start_as_current_span("child") as child:
            child.add_link(parent.get_span_context(), {"why": True})
            child.record_exception(ValueError("wrong"), timestamp=8)
            child.set_status(Status(SdkStatusCode.ERROR, "ValueError: wrong"))
    both = [parent, child]
    expected = encode_spans(both)
    for span in expected.resource_spans[0].scope_spans[0].spans:
        span.flags |= parent.get_span_context().trace_flags  # which the SDK's encoder leaves out

    assert spans_to_request(list(map(span_from_sdk, both))) == expected.SerializeToString()


def test_a_log_record_of_the_sdk_leaves_as_from_the_sdks_exporter():
    """The same for its log records, and a receiver has them as the application had them."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=SdkResource({"service.name": "app"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("app", "1.2", "https://example.com/s").emit(
        timestamp=5,
        observed_timestamp=6,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body={"loss": [1, 0.5, None]},
        attributes={"a": 1},
        event_name="app.event",
    )
    finished = exporter.get_finished_logs()

    sent = ExportLogsServiceRequest.FromString(
        log_records_to_request(list(map(log_record_from_sdk, finished)))
    )
    assert sent == encode_logs(finished)
    assert decode_log_records(encode_logs(finished).SerializeToString()) == list(
        map(log_record_from_sdk, finished)
    )


steps = floats | st.integers(-(2**53), 2**53).map(float)
series_keys = st.builds(SeriesKey, texts, st.sampled_from(["", "train", "🚀"]), st.integers(0, 1))


@st.composite
def blocks(draw):
    """Draw a block of points, its columns in arrays as the journal has them."""
    count = draw(st.integers(1, 5))
    found = draw(st.lists(series_keys, min_size=1, max_size=3, unique=True))

    def column(code, numbers):
        return array(code, draw(st.lists(numbers, min_size=count, max_size=count)))

    return PointBlock(
        "a" * 32,
        tuple(found),
        column("d", steps),
        column("q", times),
        tuple(column("d", floats) for _ in found),
    )


def sdk_points(origin, drawn):
    """Return what the SDK's encoder makes of the points: series by series, each step in an exemplar."""
    by_series = {}
    for block in drawn:
        for key, column in zip(block.keys, block.values, strict=True):
            rows = zip(block.steps, block.times_ns, column, strict=True)
            by_series.setdefault((key.name, key.phase), []).extend(rows)
    points = [
        sdk_export.NumberDataPoint(
            attributes={"ml.metric.name": name} | ({"ml.phase": phase} if phase else {}),
            start_time_unix_nano=0,
            time_unix_nano=time_ns,
            value=value,
            exemplars=[
                sdk_metrics.Exemplar(
                    {"ml.metric.step": step},
                    value,
                    time_ns,
                    int(origin.span_id, 16),
                    int(origin.trace_id, 16),
                )
            ],
        )
        for (name, phase), rows in by_series.items()
        for step, time_ns, value in rows
    ]
    gauge = sdk_export.Metric(
        ML_METRIC_VALUE.name, ML_METRIC_VALUE.brief, ML_METRIC_VALUE.unit, sdk_export.Gauge(points)
    )
    scope = InstrumentationScope("otel_experiments", "1", "https://example.com/s")
    resource = SdkResource(dict(origin.resource.attributes), origin.resource.schema_url)
    scope_metrics = sdk_export.ScopeMetrics(scope, [gauge], scope.schema_url)
    collected = sdk_export.ResourceMetrics(resource, [scope_metrics], resource.schema_url)
    return encode_metrics(sdk_export.MetricsData([collected]))


@given(st.lists(blocks(), min_size=1, max_size=3), trace_ids, span_ids)
@settings(max_examples=200)
def test_points_leave_as_the_sdks_encoder_writes_them(drawn, trace_id, span_id):
    """Each time, value and step to its last bit, each series in one piece and in the order of recording."""
    origin = PointOrigin(Resource({"ml.run.id": "a" * 32}, "https://example.com/r"), trace_id, span_id)
    scope = Scope("otel_experiments", "1", "https://example.com/s")

    sent = ExportMetricsServiceRequest.FromString(points_to_request([(origin, drawn)], scope))

    assert sent.SerializeToString() == sdk_points(origin, drawn).SerializeToString()


def test_points_of_several_runs_leave_under_their_resources():
    """Each run has a resource of its own in the request, and the scope with version and schema in each."""
    runs = [
        (PointOrigin(Resource({"ml.run.id": run * 32}), run * 32, run * 16), [block_of([1.0, 2.0])])
        for run in ("a", "b")
    ]

    sent = ExportMetricsServiceRequest.FromString(
        points_to_request(runs, Scope("scope", "7", "https://example.com/s"))
    )

    assert [r.resource.attributes[0].value.string_value[0] for r in sent.resource_metrics] == ["a", "b"]
    for resource, run in zip(sent.resource_metrics, ("a", "b"), strict=True):
        (scope,) = resource.scope_metrics
        points = scope.metrics[0].gauge.data_points
        assert (scope.scope.name, scope.scope.version, scope.schema_url) == (
            "scope",
            "7",
            "https://example.com/s",
        )
        assert [(point.as_double, point.exemplars[0].trace_id.hex()) for point in points] == [
            (1.0, run * 32),
            (2.0, run * 32),
        ]


def block_of(values, times_ns=None):
    """Return a block of one series, its columns in lists."""
    times_ns = times_ns or list(range(len(values)))
    return PointBlock("a" * 32, (SeriesKey("m"),), list(range(len(values))), times_ns, (values,))


LARGE = 2**70
UNUSUAL = {
    "large": LARGE,
    "huge": -(10**400),
    "list": [1, LARGE],
    "nested": {"a": [{"b": LARGE}]},
    "most": 2**63 - 1,
    "least": -(2**63),
}
FITTING = UNUSUAL | {
    "large": float(LARGE),
    "huge": -math.inf,
    "list": [1, float(LARGE)],
    "nested": {"a": [{"b": float(LARGE)}]},
}


def test_integers_beyond_64_bits_leave_as_floats():
    """The SDK's encoder would leave such an attribute out, of spans, events, links, logs, resources and scopes."""
    resource, scope = Resource({"large": LARGE}), Scope("scope", attributes={"large": LARGE})
    span = Span(
        trace_id="1" * 32, span_id="2" * 16, name="span", start_ns=1, end_ns=2, resource=resource, scope=scope,
        attributes=UNUSUAL, events=(Event("event", 1, UNUSUAL),), links=(Link("1" * 32, "2" * 16, UNUSUAL),),
    )  # fmt: skip
    record = LogRecord(1, 1, resource=resource, scope=scope, attributes=UNUSUAL, body=UNUSUAL)

    (spans,) = ExportTraceServiceRequest.FromString(spans_to_request([span])).resource_spans
    (records,) = ExportLogsServiceRequest.FromString(log_records_to_request([record])).resource_logs

    sent, log = spans.scope_spans[0].spans[0], records.scope_logs[0].log_records[0]
    for encoded in (sent.attributes, sent.events[0].attributes, sent.links[0].attributes, log.attributes):
        assert list(encoded) == pairs(FITTING)
    for encoded in (spans.resource, records.resource, spans.scope_spans[0].scope):
        assert list(encoded.attributes) == pairs({"large": float(LARGE)})
    assert log.body == value_message(FITTING)


class Name(str):
    """A text of a class of its own."""

    __slots__ = ()


def test_values_of_derived_classes_leave_as_what_they_are_derived_from():
    """Numbers of an enum, texts of a class, mappings and sequences of any kind."""
    odd = {
        "enum": SpanKind.SERVER,
        "text": Name("x"),
        "mapping": MappingProxyType({"a": range(2)}),
    }

    (resource,) = ExportLogsServiceRequest.FromString(
        log_records_to_request([LogRecord(1, 1, attributes=odd)])
    ).resource_logs

    (record,) = resource.scope_logs[0].log_records
    assert list(record.attributes) == pairs({"enum": 2, "text": "x", "mapping": {"a": [0, 1]}})


def test_a_value_of_no_kind_of_otlp_is_refused():
    """Nothing is left out in silence: the caller counts what cannot be sent."""
    with pytest.raises(TypeError, match="type set, for which OTLP has no room"):
        log_records_to_request([LogRecord(1, 1, body=[{1}])])


def test_text_that_utf8_has_no_room_for_takes_nothing_with_it():
    """Half of an emoji becomes a question mark; the SDK's encoder would refuse the whole request."""
    span = Span("1" * 32, "2" * 16, "half \ud83d", 1, 2, attributes={"\ud83d": "\ud83d!"})

    (resource,) = ExportTraceServiceRequest.FromString(spans_to_request([span])).resource_spans

    (sent,) = resource.scope_spans[0].spans
    assert (sent.name, list(sent.attributes)) == ("half ?", pairs({"?": "?!"}))


@pytest.mark.parametrize(
    "span",
    [
        Span("1" * 30, "2" * 16, "short id", 1, 2),
        Span("1" * 32, "2" * 16, "negative time", -1, 2),
        Span("1" * 32, "2" * 16, "no time of OTLP", 1, 2**64),
        Span("1" * 32, "2" * 16, "negative count", 1, 2, dropped_events_count=-1),
    ],
    ids=lambda span: span.name,
)
def test_what_would_make_a_broken_request_is_refused(span):
    """A request that no receiver can read is never made; the caller counts what was not sent."""
    with pytest.raises((ValueError, struct.error)):
        spans_to_request([span])


def test_a_point_from_before_1970_is_refused():
    """OTLP counts time from 1970; such a point would seem to be of the year 2554."""
    origin = PointOrigin(Resource(), "1" * 32, "2" * 16)

    with pytest.raises(ValueError, match="before 1970"):
        points_to_request([(origin, [block_of([1.0, 2.0], [5, -1])])], Scope())


def test_counts_beyond_32_bits_leave_as_the_largest():
    """OTLP counts what was dropped in 32 bits."""
    span = Span("1" * 32, "2" * 16, "s", 1, 2, dropped_attributes_count=2**40)

    (resource,) = ExportTraceServiceRequest.FromString(spans_to_request([span])).resource_spans

    assert resource.scope_spans[0].spans[0].dropped_attributes_count == 2**32 - 1
