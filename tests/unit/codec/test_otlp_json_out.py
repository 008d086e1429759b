"""Requests as OTLP/JSON: as the specification has it, and as what reads it back reads the bytes."""

import json
import math
import struct
from array import array

import pytest

from otel_experiments.codec.incoming.read import read_logs, read_metrics, read_spans
from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.json_text import request_to_json
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode

RUN_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
SPAN = Span(
    RUN_ID,
    SPAN_ID,
    "naïve 😀",
    1,
    None,
    "c" * 16,
    kind=SpanKind.UNSPECIFIED,
    status=StatusCode.ERROR,
    attributes={
        "n": 2**62,
        "x": math.nan,
        "raw": b"\x00\xff",
        "deep": {"list": [1, -0.0, None, {}], "on": False},
    },
    events=(Event("e", 3, {"inf": -math.inf}, 2),),
    links=(Link("d" * 32, "e" * 16, {}, "k=v"),),
    resource=Resource({"service.name": "s"}, "https://example.test/1"),
    scope=Scope("lib", "1"),
    flags=0x301,
)


def test_json_is_what_the_specification_says():
    """Ids are hex digits, enumerations numbers, 64-bit integers texts, bytes base64, and what is no number a text."""
    document = json.loads(request_to_json("traces", spans_to_request([SPAN], is_exact=True)))

    (span,) = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    values = {item["key"]: item["value"] for item in span["attributes"]}
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == (RUN_ID, SPAN_ID, "c" * 16)
    assert span["startTimeUnixNano"] == "1"
    assert span["status"] == {"code": 2}
    assert span["flags"] == 0x301
    assert values["n"] == {"intValue": str(2**62)}
    assert values["x"] == {"doubleValue": "NaN"}
    assert values["raw"] == {"bytesValue": "AP8="}
    assert span["events"][0]["attributes"][0]["value"] == {"doubleValue": "-Infinity"}
    assert span["links"][0]["traceId"] == "d" * 32


def test_an_exact_request_comes_back_as_it_was_in_both_encodings():
    """Kind, flags, open ends, starts of gauges and unknown temporalities are those that were stored."""
    record = LogRecord(5, 6, "e", 9, "INFO", {"a": [1, None]}, {"b": True}, flags=0x1FF, run_id=None)
    points = [
        InstrumentPoint("g", "gauge", 7, start_ns=3, value=2**60),
        InstrumentPoint("s", "sum", 7, 3, value=-math.inf, temporality=0, is_monotonic=True),
    ]

    for encoding in ("protobuf", "json"):
        spans = spans_to_request([SPAN], is_exact=True)
        logs = log_records_to_request([record], is_exact=True)
        metrics = instrument_points_to_request(points, is_exact=True)
        if encoding == "json":
            spans, logs, metrics = (
                request_to_json(signal, payload)
                for signal, payload in (("traces", spans), ("logs", logs), ("metrics", metrics))
            )
        assert repr(read_spans(encoding, spans)) == repr([SPAN])
        assert read_logs(encoding, logs) == [record]
        assert read_metrics(encoding, metrics) == ([], points)


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000123])
def test_a_nan_keeps_its_bits_in_json(bits):
    """JSON has one NaN; a point that is another one has its bits beside it, and comes back as itself."""
    values = array("d", struct.pack("<QQ", bits, 0x3FF0000000000000))
    block = PointBlock(RUN_ID, (SeriesKey("loss"),), [1.0, 2.0], [10, 20], (values,))
    request = points_to_request([(PointOrigin(Resource(), RUN_ID, SPAN_ID), [block])], Scope())

    (series,), others = read_metrics("json", request_to_json("metrics", request))

    assert others == []
    assert array("d", series.values).tobytes() == values.tobytes()
    assert list(series.steps) == [1.0, 2.0]
