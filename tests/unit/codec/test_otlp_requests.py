"""Requests of other programs: what can be kept is kept, item by item, and the sender hears of the rest."""

import base64
import json
import math

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_experiments.codec.incoming.check import Checked, check_request
from otel_experiments.codec.incoming.from_protobuf import decode_log_records, decode_spans
from otel_experiments.codec.incoming.metrics_from_protobuf import decode_instrument_points
from otel_experiments.codec.incoming.read import read_logs, read_metrics, read_spans
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.errors import TelemetryDecodeError

RUN, OTHER = "a" * 32, "b" * 32
TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8, 16))
LATEST, TOO_LATE = 2**63 - 1, 2**63


def text(key, value):
    """Return an attribute with a text."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def trace_request(*spans, run_id=None):
    """Return the bytes of a request with spans of one resource."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    if run_id is not None:
        group.resource.attributes.append(text("ml.run.id", run_id))
    group.scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def span(**given):
    """Return a span that can be kept, but for what is given."""
    return Span(**({"trace_id": TRACE_ID, "span_id": SPAN_ID, "name": "step"} | given))


def metric_request(*metrics, run_id=None):
    """Return the bytes of a request with metrics of one resource."""
    group = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])
    if run_id is not None:
        group.resource.attributes.append(text("ml.run.id", run_id))
    return ExportMetricsServiceRequest(resource_metrics=[group]).SerializeToString()


def history(*points):
    """Return the gauge of metric histories."""
    return Metric(name="ml.metric.value", unit="1", gauge=Gauge(data_points=points))


def point(name="loss", step=None, exemplars=None, **given):
    """Return a point of a history."""
    if step is not None:
        exemplars = [
            Exemplar(
                filtered_attributes=[KeyValue(key="ml.metric.step", value=AnyValue(**step))], as_double=0.5
            )
        ]
    values = {} if "as_int" in given or "as_double" in given else {"as_double": 0.5}
    return NumberDataPoint(
        attributes=[text("ml.metric.name", name)] if name is not None else [],
        exemplars=exemplars or [],
        **(values | given),
    )


def json_of(signal, item):
    """Return the bytes of a JSON request with one item."""
    groups, parts, items = {
        "traces": ("resourceSpans", "scopeSpans", "spans"),
        "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
        "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    }[signal]
    return json.dumps({groups: [{parts: [{items: [item]}]}]}).encode()


def json_span(**given):
    """Return a span of OTLP/JSON that can be kept, but for what is given."""
    return {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex(), "name": "step"} | given


def json_attribute(value):
    """Return what a span with one attribute has for it after it came as JSON."""
    sent = json_span(attributes=[{"key": "k", "value": value}])
    (found,) = read_spans("json", json_of("traces", sent))
    return found.attributes["k"]


REFUSED_SPANS = {
    "a trace id of 3 bytes": {"trace_id": b"abc"},
    "no trace id": {"trace_id": b""},
    "a trace id of zeros": {"trace_id": bytes(16)},
    "a span id of 16 bytes": {"span_id": bytes(range(16))},
    "a span id of zeros": {"span_id": bytes(8)},
    "a parent span id of 4 bytes": {"parent_span_id": b"abcd"},
    "a start after 2262": {"start_time_unix_nano": TOO_LATE},
    "an end after 2262": {"end_time_unix_nano": 2**64 - 1},
    "an event after 2262": {"events": [Span.Event(time_unix_nano=TOO_LATE)]},
    "a link with ids of 2 bytes": {"links": [Span.Link(trace_id=b"ab", span_id=b"cd")]},
}


def as_json(given):
    """Return fields of a span of protobuf as OTLP/JSON has them."""
    found = {}
    for key, value in given.items():
        match key:
            case "events":
                found["events"] = [{"timeUnixNano": str(event.time_unix_nano)} for event in value]
            case "links":
                found["links"] = [
                    {"traceId": one.trace_id.hex(), "spanId": one.span_id.hex()} for one in value
                ]
            case "trace_id" | "span_id" | "parent_span_id":
                first, *others = key.split("_")
                found[first + "".join(map(str.capitalize, others))] = value.hex()
            case _:
                first, *others = key.split("_")
                found[first + "".join(map(str.capitalize, others))] = str(value)
    return found


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("broken", REFUSED_SPANS.values(), ids=REFUSED_SPANS)
def test_a_span_that_cannot_be_kept_costs_no_other_span(broken, encoding):
    """A span with impossible ids or times is refused with its name and the reason; its neighbours are kept."""
    if encoding == "protobuf":
        payload = trace_request(span(name="first"), span(name="odd", **broken), span(name="last"), run_id=RUN)
    else:
        items = [json_span(name="first"), json_span(name="odd") | as_json(broken), json_span(name="last")]
        resource = {"attributes": [{"key": "ml.run.id", "value": {"stringValue": RUN}}]}
        payload = json.dumps(
            {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": items}]}]}
        ).encode()

    checked = check_request("traces", encoding, payload)

    assert (checked.item_count, checked.refused_count, checked.counts_by_run) == (3, 1, {RUN: 2})
    assert "1 of 3 spans" in checked.message
    assert "the span 'odd' has" in checked.message
    refusals = Refusals()
    assert [one.name for one in read_spans(encoding, payload, refusals)] == ["first", "last"]
    assert refusals.count == 1
    assert refusals.first in checked.message


def test_files_are_refused_whole_for_an_item_that_cannot_be_kept():
    """Where nothing counts what is left out, as for a file that is compared, such an item is an error that names it."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(event_name="odd", time_unix_nano=TOO_LATE)
    metrics = metric_request(Metric(name="odd", gauge=Gauge(data_points=[point(time_unix_nano=TOO_LATE)])))

    for decode, payload in (
        (decode_spans, trace_request(span(name="odd", trace_id=b"abc"))),
        (decode_log_records, logs.SerializeToString()),
        (decode_instrument_points, metrics),
    ):
        with pytest.raises(TelemetryDecodeError, match=r"OTLP protobuf: .* 'odd' has a t"):
            decode(payload)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_times_of_1970_and_2106_and_ends_before_starts_are_kept(encoding):
    """A clock that is wrong is no reason to lose a span: its times are kept as they came."""
    given = {"start_time_unix_nano": 4_291_747_200_000_000_000, "end_time_unix_nano": 1}
    payload = (
        trace_request(span(**given))
        if encoding == "protobuf"
        else json_of("traces", json_span() | as_json(given))
    )

    (found,) = read_spans(encoding, payload)

    assert (found.start_ns, found.end_ns) == tuple(given.values())
    assert check_request("traces", encoding, payload).refused_count == 0


def test_links_without_ids_are_kept():
    """A link of a span to no span has attributes all the same; its ids are zeros."""
    given = [Span.Link(attributes=[text("why", "retry")])]
    sent = {"links": [{"attributes": [{"key": "why", "value": {"stringValue": "retry"}}]}]}

    (binary,) = read_spans("protobuf", trace_request(span(links=given)))
    (from_json,) = read_spans("json", json_of("traces", json_span(**sent)))

    assert binary.links == from_json.links
    assert (binary.links[0].trace_id, binary.links[0].span_id) == ("0" * 32, "0" * 16)


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"abc"], ids=["none", "zeros", "of wrong length"])
def test_a_log_record_is_kept_without_a_trace_that_is_none(trace_id):
    """A log record whose trace id is none belongs to no trace, and is kept."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(trace_id=trace_id, event_name="e")
    record.time_unix_nano = 7
    from_json = json_of("logs", {"traceId": trace_id.hex(), "eventName": "e", "timeUnixNano": "7"})

    for encoding, payload in (("protobuf", request.SerializeToString()), ("json", from_json)):
        (found,) = read_logs(encoding, payload)

        assert (found.trace_id, found.event_name, found.time_ns) == (None, "e", 7)
        assert check_request("logs", encoding, payload) == Checked(1)


@pytest.mark.parametrize("field", ["time_unix_nano", "observed_time_unix_nano"])
def test_a_log_record_of_no_possible_time_is_refused(field):
    """A log record after 2262 is refused by its name; one of the last possible nanosecond is kept."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="kept", **{field: LATEST})
    records.add(event_name="late", **{field: TOO_LATE})
    payload = request.SerializeToString()

    checked = check_request("logs", "protobuf", payload)

    assert (checked.item_count, checked.refused_count) == (2, 1)
    assert "the log record 'late'" in checked.message
    refusals = Refusals()
    assert [record.event_name for record in read_logs("protobuf", payload, refusals)] == ["kept"]
    assert refusals.count == 1


@pytest.mark.parametrize("name", ["ml.metric.value", "loss"])
@pytest.mark.parametrize("field", ["time_unix_nano", "start_time_unix_nano"])
def test_a_data_point_of_no_possible_time_is_refused(field, name):
    """A data point after 2262 is refused with the name of its metric, in a history and elsewhere."""
    points = [point(**{field: LATEST}), point(**{field: TOO_LATE}), point(time_unix_nano=5)]
    payload = metric_request(Metric(name=name, gauge=Gauge(data_points=points)), run_id=RUN)

    checked = check_request("metrics", "protobuf", payload)
    refusals = Refusals()
    series, others = read_metrics("protobuf", payload, refusals)

    assert refusals.count == 1
    assert (checked.item_count, checked.refused_count, checked.counts_by_run) == (3, 1, {RUN: 2})
    assert f"the metric '{name}'" in checked.message
    assert sum(len(one.values) for one in series) + len(others) == 2


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_data_point_of_a_metric_without_a_name_is_refused(encoding):
    """What no name finds again is refused with that reason, and the named metric beside it is kept."""
    metrics = [Metric(name=name, gauge=Gauge(data_points=[point(time_unix_nano=5)])) for name in ("", "loss")]
    payload = metric_request(*metrics, run_id=RUN)
    if encoding == "json":
        payload = MessageToJson(ExportMetricsServiceRequest.FromString(payload)).encode()

    checked = check_request("metrics", encoding, payload)
    series, others = read_metrics(encoding, payload)

    assert (checked.item_count, checked.refused_count, checked.counts_by_run) == (2, 1, {RUN: 1})
    assert "a metric without a name has no name to be found by" in checked.message
    assert (series, [one.name for one in others]) == ([], ["loss"])


def test_items_that_name_a_run_themselves_are_counted_for_it():
    """A span with a run id of its own is counted for that run, whatever its resource says, as it is read."""
    payload = trace_request(
        span(name="of the resource"),
        span(name="of its own", attributes=[text("ml.run.id", OTHER)]),
        span(name="refused", trace_id=b"", attributes=[text("ml.run.id", "c" * 32)]),
        run_id=RUN,
    )

    checked = check_request("traces", "protobuf", payload)

    (alone,) = check_request(
        "traces", "protobuf", trace_request(span(attributes=[text("ml.run.id", OTHER)]), run_id=RUN)
    ).run_ids
    assert alone == OTHER
    assert checked.counts_by_run == {RUN: 1, OTHER: 1}
    assert checked.run_ids == {RUN, OTHER}
    assert [one.run_id for one in read_spans("protobuf", payload)] == [RUN, OTHER]


def test_long_histories_are_counted_as_single_points_are():
    """However many points a request has of a series, each counts for the run that it names, and one of no time is refused."""
    times = range(1, 41)
    long = [point(step={"double_value": float(at)}, time_unix_nano=at) for at in times]
    of_other = [NumberDataPoint(time_unix_nano=at, as_double=0.5) for at in times]
    for one in of_other:
        one.attributes.extend((text("ml.metric.name", "acc"), text("ml.run.id", OTHER)))
    late = [point(time_unix_nano=at) for at in (*times, TOO_LATE, *times)]
    load = Metric(name="load", gauge=Gauge(data_points=[NumberDataPoint(time_unix_nano=1, as_double=1.0)]))
    payload = metric_request(history(*long, *of_other, *late), load, run_id=RUN)

    checked = check_request("metrics", "protobuf", payload)

    assert (checked.item_count, checked.refused_count) == (40 + 40 + 81 + 1, 1)
    assert checked.counts_by_run == {RUN: 40 + 80 + 1, OTHER: 40}
    assert "after the year 2262" in checked.message


@pytest.mark.parametrize(
    ("named", "counted"),
    [
        (RUN, {RUN: 1}),
        (RUN.upper(), {RUN: 1}),
        ("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", {RUN: 1}),
        ("my run", {}),
        ("a\0b", {}),
        ("", {}),
    ],
)
def test_a_run_is_counted_by_its_id_however_it_is_written(named, counted):
    """Run ids in capitals or as a UUID are the same run; a name that is no id is that of no run yet."""
    as_json = json_of("traces", json_span(attributes=[{"key": "ml.run.id", "value": {"stringValue": named}}]))

    assert check_request("traces", "protobuf", trace_request(span(), run_id=named)).counts_by_run == counted
    assert check_request("traces", "json", as_json).counts_by_run == counted


def test_half_an_emoji_in_json_hinders_nothing():
    """Texts that no UTF-8 can carry are read, and a message about their item can be sent."""
    odd = json_of("traces", json_span(name="\ud800", traceId="", attributes=[{"key": "\ud800"}]))
    good = json_of("traces", json_span(name="\ud800"))

    assert check_request("traces", "json", odd).message.encode()
    assert read_spans("json", good)[0].name == "\ud800"


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize(("encoding", "payload"), [("protobuf", b""), ("json", b"{}"), ("json", b" {} ")])
def test_an_empty_request_has_nothing(signal, encoding, payload):
    """A request without items is a good request."""
    assert check_request(signal, encoding, payload) == Checked(0)


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize(
    ("encoding", "payload"),
    [
        ("protobuf", b"hello world"),
        ("protobuf", b"\x0a\x05\x12"),
        ("json", b"hello"),
        ("json", b""),
        ("json", b"[]"),
        ("json", b'"text"'),
        ("json", b'{"resourceSpans": [}'),
        ("json", b"\xff\xfe{\x00}\x00"),
        ("json", b"[" * 100_000),
        ("json", b'{"a":' * 100_000),
        ("json", b'{"resourceSpans": 7, "resourceMetrics": 7, "resourceLogs": 7}'),
        ("json", b'{"a": ' + b"9" * 5000 + b"}"),
    ],
)
def test_what_is_no_request_is_refused_whole(signal, encoding, payload):
    """Bytes that cannot be decoded raise the one error for them, and no other."""
    with pytest.raises(TelemetryDecodeError):
        check_request(signal, encoding, payload)


_LIST = ('{"arrayValue":{"values":[', "]}}")
_MAPPING = ('{"kvlistValue":{"values":[{"key":"k","value":', "}]}}")


def nested_request(signal, levels):
    """A request with an attribute that has lists or mappings inside each other."""
    nested = "".join(opening for opening, _ in levels) + '{"intValue":"1"}'
    nested += "".join(closing for _, closing in reversed(levels))
    sent = json_of("traces", json_span(attributes=[{"key": "k", "value": "NESTED"}]))
    if signal == "metrics":
        point = {
            "asDouble": 1,
            "timeUnixNano": "1",
            "exemplars": [{"filteredAttributes": [{"key": "k", "value": "NESTED"}]}],
        }
        metric = {"name": "m", "gauge": {"dataPoints": [point]}}
        sent = json.dumps(
            {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}, separators=(",", ":")
        ).encode()
    return sent.replace(b'"NESTED"', nested.encode())


@pytest.mark.parametrize("signal", ["traces", "metrics"])
@pytest.mark.parametrize(
    "levels", [[_LIST] * 45, [_MAPPING] * 30, [_LIST, _MAPPING] * 18], ids=["lists", "mappings", "both"]
)
def test_values_are_read_as_deep_as_protobuf_reads_them(signal, levels):
    """What is kept of JSON can leave as protobuf; one list more and the request is refused."""
    payload = nested_request(signal, levels)
    assert check_request(signal, "json", payload).item_count == 1
    if signal == "traces":
        sent = spans_to_request(read_spans("json", payload), is_exact=True)
        assert read_spans("protobuf", sent) == read_spans("json", payload)

        with pytest.raises(TelemetryDecodeError, match="for which protobuf has no room"):
            check_request(signal, "json", nested_request(signal, [*levels, _LIST]))


@pytest.mark.parametrize("level", [_LIST, _MAPPING], ids=["list", "mapping"])
def test_values_nested_without_end_are_refused(level):
    """A bomb is refused, and nothing overflows."""
    with pytest.raises(TelemetryDecodeError):
        check_request("traces", "json", nested_request("traces", [level] * 5000))


def test_a_bomb_of_protobuf_is_refused():
    """Messages inside each other without end are no request."""
    made = b"\x18\x01"
    for _ in range(2000):
        inner = b"\x0a" + varint(len(made)) + made
        made = b"\x2a" + varint(len(inner)) + inner
    pair = b"\x0a\x01k\x12" + varint(len(made)) + made
    attribute = b"\x0a" + varint(len(pair)) + pair
    resource = b"\x0a" + varint(len(attribute)) + attribute

    with pytest.raises(TelemetryDecodeError):
        check_request("traces", "protobuf", b"\x0a" + varint(len(resource)) + resource)


def varint(number):
    """Return a length as protobuf has it."""
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes(made) + bytes((number,))


def test_a_value_of_ten_megabytes_is_kept():
    """Texts are kept whole, however long; a message about their item stays short."""
    long = "x" * 10_000_000

    (found,) = read_spans("protobuf", trace_request(span(attributes=[text("k", long)])))
    checked = check_request("traces", "protobuf", trace_request(span(name=long, trace_id=b"")))

    assert found.attributes == {"k": long}
    assert len(checked.message) < 400


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 7}, 7),
        ({"intValue": 7.0}, 7),
        ({"doubleValue": "NaN"}, math.nan),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"doubleValue": 3}, 3.0),
        ({"doubleValue": "0.1"}, 0.1),
        ({"boolValue": False}, False),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"bytesValue": "+/8="}, b"\xfb\xff"),
        ({"arrayValue": {}}, []),
        ({"arrayValue": {"values": [{}, None, {"stringValue": ""}]}}, [None, None, ""]),
        ({"kvlistValue": {"values": [{"key": "a"}, {"key": "b", "value": {"intValue": 0}}]}}, {"a": None, "b": 0}),
        ({"stringValue": None}, None),
        ({"unknown": 7}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_json_values_are_read_as_the_specification_has_them(sent, found):
    """64-bit integers as number or text, special floats as text, bytes in base64, null as nothing."""
    read = json_attribute(sent)

    assert (type(read), repr(read)) == (type(found), repr(found))


@pytest.mark.parametrize(
    "sent",
    [
        {"intValue": "9223372036854775808"},
        {"intValue": "-9223372036854775809"},
        {"intValue": 1.5},
        {"intValue": True},
        {"intValue": "1_0"},
        {"intValue": "9" * 400},
        {"doubleValue": "nearly 1"},
        {"doubleValue": True},
        {"doubleValue": "1_0"},
        {"stringValue": 7},
        {"boolValue": 1},
        {"bytesValue": "!"},
        {"bytesValue": 7},
        {"arrayValue": []},
        {"arrayValue": {"values": {}}},
        {"kvlistValue": {"values": 7}},
        7,
    ],
    ids=repr,
)
def test_json_values_of_another_type_are_refused(sent):
    """A value that is not what its key says makes a request undecodable, with a text that names the span."""
    with pytest.raises(TelemetryDecodeError, match="the span 'step' cannot be read"):
        json_attribute(sent)


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "SPAN_KIND_SERVER"},
        {"status": {"code": "STATUS_CODE_OK"}},
        {"kind": "3"},
        {"traceState": 7},
        {"attributes": {}},
        {"events": [7]},
        {"status": 7},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": str(2**64)},
        {"flags": 2**32},
        {"traceId": 7},
    ],
    ids=repr,
)
def test_a_json_request_is_held_to_the_specification(odd):
    """Names of enumerations, negative times and other types than OTLP's make a request undecodable."""
    with pytest.raises(TelemetryDecodeError, match="the span 'step' cannot be read"):
        check_request("traces", "json", json_of("traces", json_span(**odd)))


def test_json_keys_that_are_not_known_are_ignored_and_null_is_the_default():
    """Newer senders have more keys, some write null: neither hinders."""
    odd = {
        "trace_id": "snake", "future": [[{}]], "kind": None, "status": None, "events": None, "links": None,
        "attributes": None, "startTimeUnixNano": None, "traceState": None, "flags": None, "parentSpanId": None,
    }  # fmt: skip

    assert read_spans("json", json_of("traces", json_span(**odd))) == read_spans(
        "json", json_of("traces", json_span())
    )


def test_json_ids_in_either_case_are_the_same_and_base64_is_none():
    """Ids are hex digits in requests; what protobuf's own JSON writes is refused by item."""
    upper = json_span(traceId=TRACE_ID.hex().upper(), spanId=SPAN_ID.hex().upper())
    based = json_span(traceId=base64.b64encode(TRACE_ID).decode())

    (found,) = read_spans("json", json_of("traces", upper))

    assert (found.trace_id, found.span_id) == (TRACE_ID.hex(), SPAN_ID.hex())
    assert check_request("traces", "json", json_of("traces", based)).refused_count == 1


def test_kinds_and_codes_of_newer_versions_are_unspecified():
    """Enumerations may grow; a number that is not known yet is kept as unspecified in both encodings."""
    (binary,) = read_spans("protobuf", trace_request(span(kind=9)))
    (from_json,) = read_spans("json", json_of("traces", json_span(kind=9, status={"code": 7})))

    assert (binary.kind, from_json.kind, from_json.status) == (0, 0, 0)


def test_a_history_comes_as_columns_and_other_points_as_they_are():
    """Points that name their metric become columns by series; what only looks like them is an ordinary data point."""
    payload = metric_request(
        history(
            point("loss", {"double_value": 0.5}, time_unix_nano=1),
            point("acc", {"int_value": 3}, time_unix_nano=2, as_int=2**60),
            point("loss", {"double_value": 1.5}, time_unix_nano=3, as_double=math.nan),
            point("loss", time_unix_nano=4),
            point("loss", {"string_value": "7"}, time_unix_nano=5),
            point("loss", {"bool_value": True}, time_unix_nano=6),
            point("loss", time_unix_nano=7, flags=1),
            point(None, time_unix_nano=8),
            point("", time_unix_nano=9),
            NumberDataPoint(attributes=[text("ml.metric.name", "loss")], time_unix_nano=10),
        ),
        Metric(name="ml.metric.value", sum={"data_points": [point()]}),
        Metric(name="load", gauge=Gauge(data_points=[point(time_unix_nano=12)])),
    )

    series, others = read_metrics("protobuf", payload)

    assert [(one.attributes["ml.metric.name"], one.unit) for one in series] == [
        ("loss", "1"),
        ("acc", "1"),
        ("loss", "1"),
    ]
    stepped, whole, plain = series
    assert (list(stepped.steps), list(stepped.times_ns), repr(list(stepped.values))) == (
        [0.5, 1.5],
        [1, 3],
        "[0.5, nan]",
    )
    assert (list(whole.steps), list(whole.values)) == ([3.0], [float(2**60)])
    assert (plain.steps, list(plain.times_ns)) == (None, [4, 5, 6])
    assert [(one.name, one.time_ns) for one in others] == [
        ("ml.metric.value", 7), ("ml.metric.value", 8), ("ml.metric.value", 9), ("ml.metric.value", 10),
        ("ml.metric.value", 0), ("load", 12),
    ]  # fmt: skip


def test_the_step_is_that_of_the_first_exemplar_with_one():
    """A point may have more exemplars, of samples that have no step."""
    exemplars = [
        Exemplar(as_double=1.0),
        Exemplar(filtered_attributes=[KeyValue(key="ml.metric.step", value=AnyValue(double_value=8.0))]),
        Exemplar(filtered_attributes=[KeyValue(key="ml.metric.step", value=AnyValue(double_value=9.0))]),
    ]

    ((series,), _) = read_metrics("protobuf", metric_request(history(point(exemplars=exemplars))))

    assert list(series.steps) == [8.0]


def test_a_summary_is_kept_and_leaves_as_it_came():
    """Summaries of older libraries are data points like others, in both encodings, and are sent on."""
    quantiles = [
        SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=1.5),
        SummaryDataPoint.ValueAtQuantile(quantile=1, value=9),
    ]
    data = SummaryDataPoint(
        attributes=[text("a", "b")], time_unix_nano=5, start_time_unix_nano=1, count=3, sum=4.5, quantile_values=quantiles,
    )  # fmt: skip
    payload = metric_request(Metric(name="latency", unit="s", summary=Summary(data_points=[data])))
    sent = {
        "name": "latency", "unit": "s",
        "summary": {"dataPoints": [{
            "attributes": [{"key": "a", "value": {"stringValue": "b"}}], "timeUnixNano": "5", "startTimeUnixNano": "1",
            "count": "3", "sum": 4.5, "quantileValues": [{"quantile": 0.5, "value": 1.5}, {"quantile": 1, "value": 9}],
        }]},
    }  # fmt: skip

    _, points = read_metrics("protobuf", payload)

    assert points == read_metrics("json", json_of("metrics", sent))[1]
    assert (points[0].kind, points[0].histogram) == (
        "summary", {"count": 3, "sum": 4.5, "quantiles": [[0.5, 1.5], [1.0, 9.0]]},
    )  # fmt: skip
    assert read_metrics("protobuf", instrument_points_to_request(points)) == ([], points)
    assert check_request("metrics", "protobuf", payload) == Checked(1)


def test_of_a_field_that_comes_twice_the_last_one_counts():
    """Points whose time is there twice have the last one, as protobuf has it, however many points there are."""
    second = NumberDataPoint(time_unix_nano=3).SerializeToString()
    points = [point(time_unix_nano=time_ns).SerializeToString() + second for time_ns in range(3, 20)]
    gauge = b"".join(b"\x0a" + varint(len(one)) + one for one in points)
    empty = metric_request(history())
    name_and_unit = b"\x0a\x0fml.metric.value\x1a\x011"
    metric = name_and_unit + b"\x2a" + varint(len(gauge)) + gauge
    assert name_and_unit in empty
    payload = b""
    for tag, content in ((b"\x12", metric), (b"\x12", None), (b"\x0a", None)):
        payload = tag + varint(len(content or payload)) + (content or payload)

    ((series,), _) = read_metrics("protobuf", payload)

    assert list(series.times_ns) == [3] * 17


@pytest.mark.parametrize(
    ("signal", "document", "said"),
    [
        ("traces", {"foo": 1}, "its keys are 'foo', and none is 'resourceSpans'"),
        (
            "metrics",
            {"resource_metrics": []},
            "its keys are 'resource_metrics', and none is 'resourceMetrics'",
        ),
        (
            "traces",
            {"resourceMetrics": []},
            "it holds metrics, and was sent as traces. Send it to /v1/metrics.",
        ),
        ("logs", {"\ud800": 1}, r"its keys are '\ud800', and none is 'resourceLogs'"),
    ],
)
def test_keys_that_are_none_of_the_signal_are_warned_of(signal, document, said):
    """They are ignored, as the specification asks, and the sender hears that nothing was found."""
    checked = check_request(signal, "json", json.dumps(document).encode())

    assert (checked.item_count, checked.refused_count, checked.message) == (0, 0, "")
    assert said in checked.warning
    assert checked.warning.encode()


@pytest.mark.parametrize("kind", ["gauge", "sum"])
def test_data_points_without_a_value_are_warned_of(kind):
    """A misspelled asDouble is seen; a point whose flag says that there is no value is as it is meant."""
    points = [{"asdouble": 1}, {"flags": 1}, {"asInt": "0"}]
    payload = json_of("metrics", {"name": "loss", kind: {"dataPoints": points}})

    checked = check_request("metrics", "json", payload)

    assert checked.item_count == 3
    assert checked.warning.startswith("1 data point has no value, the first of the metric 'loss'. ")


@pytest.mark.parametrize(
    ("signal", "item", "said"),
    [
        ("traces", json_span(parentSpanId="abc"), "the span 'step' has the parent span id 'abc'"),
        (
            "traces",
            json_span(links=[{"traceId": "abc"}]),
            "the span 'step' has a link with the trace id 'abc'",
        ),
        (
            "metrics",
            {"name": "loss", "gauge": {"dataPoints": [{"timeUnixNano": str(TOO_LATE)}]}},
            "a data point of the metric 'loss' has a time after",
        ),
    ],
)
def test_a_refusal_names_what_is_meant(signal, item, said):
    """The id that is wrong is called by its name, and a data point by that of its metric; no others are spoken of."""
    message = check_request(signal, "json", json_of(signal, item)).message

    assert said in message
    assert "the others are" not in message


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"null", "null where an object should be"),
        (b"[]", "a list where an object should be"),
        (b'{"resourceSpans": {}}', "a document cannot be read: resourceSpans is an object, no list"),
        (b'{"resourceSpans": [7]}', "a number where the object of a resource should be"),
    ],
)
def test_an_error_speaks_of_json(payload, said):
    """Types have JSON's names, and what has no name is not said to lack one."""
    with pytest.raises(TelemetryDecodeError) as caught:
        check_request("traces", "json", payload)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"status": []}, "status is a list, no object"),
        ({"status": 0}, "status is a number, no object"),
        ({"links": [3]}, "a number where an object should be"),
        ({"attributes": ["key"]}, "a text where an object should be"),
        ({"attributes": [{"key": "k", "value": []}]}, "a list where an object should be"),
        ({"attributes": [{"key": "k", "value": {"kvlistValue": 1}}]}, "a number where an object should be"),
        ({"attributes": [{"key": "k", "value": {"bytesValue": 1}}]}, "a number where a text should be"),
    ],
    ids=str,
)
def test_json_of_another_type_is_said_in_words_of_json(changed, said):
    """Who sends a list where an object belongs hears so, and nothing of Python's objects."""
    with pytest.raises(TelemetryDecodeError) as told:
        check_request("traces", "json", json_of("traces", json_span(**changed)))

    assert f"the span 'step' cannot be read: {said}." in str(told.value)


@pytest.mark.parametrize(("key", "found"), [("resource", []), ("resource", "x"), ("scope", False)])
def test_json_groups_of_another_type_are_refused(key, found):
    """A resource or scope that is no object is not taken for an empty one."""
    group = {"scopeSpans": [{"spans": []}]}
    (group if key == "resource" else group["scopeSpans"][0])[key] = found

    with pytest.raises(TelemetryDecodeError, match=f"{key} is .*, no object"):
        check_request("traces", "json", json.dumps({"resourceSpans": [group]}).encode())
