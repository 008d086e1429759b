"""OTLP as OpenTelemetry's own encoder writes it, protobuf and JSON, becomes the spans and points it was made from."""

import base64
import json
import math

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from otel_experiments.codec.from_sdk import span_from_sdk
from otel_experiments.codec.incoming.from_json import log_records_from_json, spans_from_json
from otel_experiments.codec.incoming.from_protobuf import decode_log_records, decode_spans
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json
from otel_experiments.codec.incoming.metrics_from_protobuf import decode_instrument_points
from otel_experiments.errors import TelemetryDecodeError

IDS = {"traceId", "spanId", "parentSpanId"}


@pytest.fixture
def sdk_spans():
    """Return spans that use everything a span has."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "vision", "ml.run.id": "a" * 32}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("lib", "1.2", "https://example.com/schema", {"k": 1})
    with tracer.start_as_current_span("outer", kind=SpanKind.CLIENT) as outer:
        outer.set_attributes({"s": "x", "i": -(2**63), "b": True, "f": 0.1, "l": ["a", "b"], "n": [1, 2]})
        outer.add_event("happened", {"why": "test"})
        with tracer.start_as_current_span("inner", links=[Link(outer.get_span_context(), {"r": 1})]) as inner:
            inner.set_status(Status(StatusCode.ERROR, "broken"))
    return exporter.get_finished_spans()


def with_hex_ids(value):
    """Return protobuf's JSON with ids in hex, as OTLP says."""
    if isinstance(value, list):
        return [with_hex_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(one).hex().upper() if key in IDS else with_hex_ids(one)
        for key, one in value.items()
    }


def by_id(spans):
    """Return spans in one order, attributes as plain lists."""
    return sorted(((s.span_id, s) for s in spans), key=lambda pair: pair[0])


def test_protobuf_spans_are_the_spans_that_were_exported(sdk_spans):
    """Every field of a span survives the way through OTLP protobuf."""
    payload = encode_spans(sdk_spans).SerializeToString()

    found = by_id(decode_spans(payload))

    wanted = by_id(span_from_sdk(span) for span in sdk_spans)
    for (_, one), (_, other) in zip(found, wanted, strict=True):
        for field in one.__slots__:
            mine, theirs = getattr(one, field), getattr(other, field)
            if field == "attributes":
                theirs = {key: list(v) if isinstance(v, tuple) else v for key, v in theirs.items()}
            if field in {"flags", "is_received"}:
                continue  # the SDK's encoder leaves the trace flags out; how a span came is no part of it
            assert (field, mine) == (field, theirs)


@pytest.mark.parametrize("convert", [lambda document: document, with_hex_ids], ids=["base64 ids", "hex ids"])
def test_json_spans_are_the_protobuf_spans(sdk_spans, convert):
    """OTLP/JSON with hex ids in any case, or with protobuf's base64 ids, says the same as the bytes."""
    message = encode_spans(sdk_spans)
    document = json.loads(json.dumps(convert(MessageToDict(message))))

    assert by_id(spans_from_json(document)) == by_id(decode_spans(message.SerializeToString()))


@pytest.mark.parametrize("value", [0.1, math.inf, -math.inf, math.nan, 7])
def test_metric_points_keep_value_step_and_time(value):
    """A point with an exemplar comes back from both forms with its exact value, infinities and NaN included."""
    point = NumberDataPoint(
        attributes={"ml.metric.name": "loss"}, start_time_unix_nano=0, time_unix_nano=2**62 + 1, value=value,
        exemplars=[Exemplar({"ml.metric.step": 3.5}, value, 5, 0xAB, 0xCD)],
    )  # fmt: skip
    metric = Metric("ml.metric.value", "d", "", Gauge([point]))
    scope = ScopeMetrics(InstrumentationScope("s"), [metric], "")
    message = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))

    (binary,) = decode_instrument_points(message.SerializeToString())
    (text,) = instrument_points_from_json(json.loads(json.dumps(with_hex_ids(MessageToDict(message)))))

    assert repr(binary) == repr(text)
    assert (repr(binary.value), binary.time_ns, binary.exemplars[0]["attributes"]) == (
        repr(value), 2**62 + 1, {"ml.metric.step": 3.5},
    )  # fmt: skip


def test_tempo_batches_and_names_of_enumerations_are_read():
    """What other exporters write beside the specification is read as well."""
    document = {
        "batches": [
            {
                "resource": {"attributes": [{"key": "a", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "4"}}]}}}]},
                "instrumentationLibrarySpans": [
                    {
                        "instrumentationLibrary": {"name": "lib"},
                        "spans": [
                            {"traceId": "AA" * 16, "spanId": "bb" * 8, "parentSpanId": "", "name": "x",
                             "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": 5, "endTimeUnixNano": "9",
                             "status": {"code": "STATUS_CODE_ERROR"}}
                        ],
                    }
                ],
            }
        ]
    }  # fmt: skip

    (span,) = spans_from_json(document)

    assert (span.trace_id, span.parent_span_id, span.kind, span.status, span.end_ns, span.scope.name) == (
        "aa" * 16, None, 2, 2, 9, "lib",
    )  # fmt: skip
    assert span.resource.attributes == {"a": {"k": 4}}


def test_log_records_are_read():
    """Events with bodies, and severities by name or number."""
    document = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": "7", "eventName": "e", "severityNumber": "SEVERITY_NUMBER_WARN2", "body": {"bytesValue": "AAE="}},
            {"observedTimeUnixNano": 8, "severityNumber": 9},
        ]}]}]
    }  # fmt: skip

    first, second = log_records_from_json(document)

    assert (first.time_ns, first.event_name, first.severity_number, first.body) == (7, "e", 14, b"\x00\x01")
    assert (second.time_ns, second.severity_number, second.body) == (8, 9, None)


@pytest.mark.parametrize("sent", [(7, 9), (7, 0), (0, 9)], ids=["both", "no observed time", "no time"])
def test_a_log_record_with_one_of_its_times_has_both(sent):
    """What has no time happened when it was observed, and the other way round, in JSON and in protobuf."""
    document = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": str(sent[0]), "observedTimeUnixNano": str(sent[1])},
        ]}]}]
    }  # fmt: skip
    (from_json,) = log_records_from_json(document)
    (from_protobuf,) = decode_log_records(ParseDict(document, LogsData()).SerializeToString())

    expected = (sent[0] or sent[1], sent[1] or sent[0])
    assert (from_json.time_ns, from_json.observed_time_ns) == expected
    assert (from_protobuf.time_ns, from_protobuf.observed_time_ns) == expected


@pytest.mark.parametrize(
    "span",
    [
        {"traceId": "xyz", "spanId": "bb" * 8},
        {"spanId": "bb" * 8},
        {"traceId": "aa" * 16, "spanId": "bb" * 8, "kind": "SPAN_KIND_WHAT"},
        {"traceId": "aa" * 16, "spanId": "bb" * 8, "attributes": [{"key": 7}]},
        7,
    ],
)
def test_a_span_that_is_none_is_refused_by_name(span):
    """What is no span raises one error of ours, never another one and never a wrong span."""
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}

    with pytest.raises(TelemetryDecodeError, match="span"):
        list(spans_from_json(document))


@pytest.mark.parametrize(
    "payload", [b"\xff\xff\xff", b"hello world, this is text", b"\x0a\x05\x12\x03\x12\x01\x0a"]
)
def test_bytes_that_are_no_traces_are_refused(payload):
    """Other bytes are told apart from OTLP."""
    with pytest.raises(TelemetryDecodeError):
        decode_spans(payload)
