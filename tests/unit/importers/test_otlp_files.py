"""What files of OTLP hold is found by their content, request by request, and a bad part costs nothing but itself."""

import gzip
import io
import json

import pytest

from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.json_text import request_to_json
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.importers.otlp.files import MAX_REQUEST_BYTES, FilePart, Unreadable, parts_of
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope, Span

RUN_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
BLOCK = PointBlock(RUN_ID, (SeriesKey("loss"),), [0.0], [7], ([1.0],))
PROTOBUF = {
    "traces": spans_to_request([Span(RUN_ID, SPAN_ID, "s", 1, 2)]),
    "logs": log_records_to_request([LogRecord(5, 5, body="x")]),
    "metrics": points_to_request([(PointOrigin(Resource(), RUN_ID, SPAN_ID), [BLOCK])], Scope()),
}
JSON = {signal: request_to_json(signal, payload) for signal, payload in PROTOBUF.items()}


def framed(*payloads):
    """The payloads as the Collector's file exporter writes protobuf."""
    return b"".join(len(payload).to_bytes(4, "big") + payload for payload in payloads)


def read(content):
    """What a file with this content holds."""
    return list(parts_of(io.BytesIO(content), name="x.jsonl"))


def test_json_lines_are_requests_one_a_line():
    """Each line is a request of its signal, as it stands; empty lines and line ends of Windows do not matter."""
    parts = read(b"\xef\xbb\xbf" + b"\r\n\n".join(JSON.values()) + b"\n")

    assert parts == [
        FilePart(f"line {number}", signal, "json", payload)
        for number, (signal, payload) in zip((1, 3, 5), JSON.items(), strict=True)
    ]


def test_protobuf_is_read_behind_its_length_or_alone():
    """Messages behind lengths of four bytes are requests, and so is a file that is one message."""
    messages = [
        FilePart(f"message {n}", *one)
        for n, one in enumerate(
            ((signal, "protobuf", payload) for signal, payload in PROTOBUF.items()), start=1
        )
    ]

    assert read(framed(*PROTOBUF.values())) == messages
    assert read(PROTOBUF["logs"]) == [FilePart("the file", "logs", "protobuf", PROTOBUF["logs"])]
    assert read(framed(b"", PROTOBUF["traces"])) == [
        FilePart("message 2", "traces", "protobuf", PROTOBUF["traces"])
    ]


def test_protobuf_that_begins_as_json_does_is_protobuf():
    """A message whose first length is the number of a brace is no JSON behind a line break."""
    for size in range(200):
        record = LogRecord(1, 1, "e", resource=Resource({"service.name": "x" * size}))
        payload = log_records_to_request([record])
        if payload[:2] == b"\n{":
            break
    framed = len(payload).to_bytes(4, "big") + payload

    assert payload[:2] == b"\n{"
    assert list(parts_of(io.BytesIO(payload), name="f")) == [
        FilePart("the file", "logs", "protobuf", payload)
    ]
    assert list(parts_of(io.BytesIO(framed * 2), name="f")) == [
        FilePart("message 1", "logs", "protobuf", payload), FilePart("message 2", "logs", "protobuf", payload)
    ]  # fmt: skip


def test_what_is_compressed_is_read_as_what_it_holds():
    """A file of lines or of messages may be compressed with gzip."""
    assert read(gzip.compress(JSON["logs"])) == read(JSON["logs"])
    assert read(gzip.compress(framed(*PROTOBUF.values()))) == read(framed(*PROTOBUF.values()))


@pytest.mark.parametrize("kind", ["gauge", "sum", "histogram"])
def test_metrics_are_known_by_their_layout(kind):
    """Whatever the instrument is, and also where its name and description are as long as ids."""
    histogram = {
        "count": 1,
        "sum": 1.0,
        "min": None,
        "max": None,
        "bucket_counts": [1],
        "explicit_bounds": [],
    }
    point = InstrumentPoint(
        "n" * 16,
        kind,
        5,
        3,
        description="d" * 8,
        value=1,
        histogram=histogram if kind == "histogram" else None,
    )

    (part,) = read(framed(instrument_points_to_request([point])))

    assert part.signal == "metrics"


def test_json_over_several_lines_is_read_whole():
    """Documents that were printed for people, in a list or one after the other."""
    pretty = [json.dumps(json.loads(payload), indent=2).encode() for payload in JSON.values()]

    for content in (b"\n".join(pretty), b"[" + b",".join(pretty) + b"]"):
        parts = read(content)
        assert [part.signal for part in parts] == list(JSON)
        assert [json.loads(part.payload) for part in parts] == [
            json.loads(payload) for payload in JSON.values()
        ]


def test_a_line_that_is_cut_costs_nothing_but_itself():
    """A program that was killed while it wrote leaves half a line; the lines around it are read."""
    first, second = JSON["traces"], JSON["logs"]

    parts = read(first + b"\n" + second[:40] + b"\n" + second + b"\n" + first[:50])

    assert [part.place for part in parts] == ["line 1", "line 2", "line 3", "line 4"]
    assert [isinstance(part, Unreadable) for part in parts] == [False, True, False, True]
    assert "is it cut?" in parts[1].why


@pytest.mark.parametrize(
    ("content", "place", "why"),
    [
        (framed(PROTOBUF["traces"]) + b"\x00\x00\x10\x00abc", "message 2", "the file ends within it"),
        (framed(PROTOBUF["traces"]) + b"\x00", "message 2", "the file ends within it"),
        (framed(b"\x0a\x05abc"), "message 1", "it ends within a field"),
        (gzip.compress(JSON["logs"] * 99)[:-20], "the rest", "it is cut or damaged"),
        (b'{"run_id": "x", "metric": "y"}\n', "line 1", "its keys: run_id, metric"),
        (b'{"a": [1, 2}\n', "line 1", "no JSON"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(content, place, why):
    """Where it is and why it cannot be read, with what is before it read."""
    *_, last = read(content)

    assert (type(last), last.place) == (Unreadable, place)
    assert why in last.why


def test_a_file_of_another_kind_is_refused():
    """A store is no telemetry, and neither is a length that no request has."""
    with pytest.raises(TelemetryDecodeError, match="it is a store"):
        read(b"SQLite format 3\x00 and more")
    with pytest.raises(
        TelemetryDecodeError, match="neither JSON in UTF-8 nor protobuf of OTLP: no file of these begins so"
    ):
        read(b"text that is no telemetry")
    assert read(b"") == []
    assert MAX_REQUEST_BYTES < 0x0A000000


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b" \n\n  \n" * 5, []),
        (b"[" * 100_000 + b"\n", ["its JSON is nested too deeply to be read"]),
        (b'{"resourceSpanz": ' + b"[" * 100_000 + b"}", ["its JSON is nested too deeply to be read"]),
    ],
    ids=["blank lines", "deep JSON over lines", "deep JSON on a line"],
)
def test_what_a_file_without_requests_holds_is_said_plainly(content, found):
    """Blank lines are nothing at all, and JSON that is nested too deeply is called that."""
    assert [part.why for part in parts_of(io.BytesIO(content), name="file")] == found
