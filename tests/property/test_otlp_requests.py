"""What leaves as OTLP comes back as it was, and whatever else comes is read as protobuf's parser reads it."""

import base64
import contextlib
import dataclasses
import json
import math
import struct
from array import array
from collections.abc import Mapping, Sequence

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.incoming.check import check_request
from otel_experiments.codec.incoming.histories_from_protobuf import Taken, metrics_from_otlp
from otel_experiments.codec.incoming.protobuf_values import parse
from otel_experiments.codec.incoming.read import read_logs, read_metrics, read_spans
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.otlp.fields import delimited, varint
from otel_experiments.codec.otlp.instruments import instrument_points_to_request
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.codec.otlp.spans import spans_to_request
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode

RUN_ID, SPAN_ID = "a" * 32, "b" * 16
READERS = {"traces": read_spans, "logs": read_logs, "metrics": read_metrics}
MESSAGES = {"traces": TracesData, "logs": LogsData, "metrics": MetricsData}
IDS = {"traceId", "spanId", "parentSpanId"}

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324])
BITS = st.integers(0, 2**64 - 1) | st.sampled_from(
    [0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8000000000000]
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.integers(0, 2**32 - 1)
TIMES = st.integers(0, 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
ATTRIBUTES = st.dictionaries(TEXTS, VALUES, max_size=3)
TRACE_IDS = st.integers(1, 2**128 - 1).map("{:032x}".format)
SPAN_IDS = st.integers(1, 2**64 - 1).map("{:016x}".format)
RESOURCES = st.builds(
    Resource, ATTRIBUTES | st.just({"ml.run.id": RUN_ID}) | st.just({"ml.run.id": 7}), TEXTS
)
SCOPES = st.builds(Scope, TEXTS, TEXTS, TEXTS, ATTRIBUTES)


def run_of(item):
    """Return the item with the run that its attributes or its resource name."""
    run_id = item.attributes.get("ml.run.id") or item.resource.attributes.get("ml.run.id")
    return dataclasses.replace(item, run_id=run_id if isinstance(run_id, str) else None)


def with_flags(span):
    """Return a span with the flags that the sender always sets: it is known whether the parent is remote."""
    return dataclasses.replace(span, flags=span.flags | 0x100)


SPANS = (
    st.builds(
        Span,
        trace_id=TRACE_IDS,
        span_id=SPAN_IDS,
        name=TEXTS,
        start_ns=TIMES,
        end_ns=st.integers(1, 2**63 - 1),
        parent_span_id=st.none() | SPAN_IDS,
        kind=st.sampled_from(list(SpanKind)[1:]),
        status=st.sampled_from(list(StatusCode)),
        status_message=TEXTS,
        attributes=ATTRIBUTES,
        events=st.lists(st.builds(Event, TEXTS, TIMES, ATTRIBUTES, COUNTS), max_size=2).map(tuple),
        links=st.lists(st.builds(Link, TRACE_IDS, SPAN_IDS, ATTRIBUTES, TEXTS, COUNTS), max_size=2).map(
            tuple
        ),
        resource=RESOURCES,
        scope=SCOPES,
        trace_state=TEXTS,
        flags=st.integers(0, 255),
        dropped_attributes_count=COUNTS,
        dropped_events_count=COUNTS,
        dropped_links_count=COUNTS,
    )
    .map(run_of)
    .map(with_flags)
)
RECORDS = st.builds(
    LogRecord,
    time_ns=st.integers(1, 2**63 - 1),
    observed_time_ns=st.integers(1, 2**63 - 1),
    event_name=TEXTS,
    severity_number=st.integers(0, 24),
    severity_text=TEXTS,
    body=VALUES,
    attributes=ATTRIBUTES,
    trace_id=st.none() | TRACE_IDS,
    span_id=st.none() | SPAN_IDS,
    flags=st.integers(0, 255),
    dropped_attributes_count=COUNTS,
    resource=RESOURCES,
    scope=SCOPES,
).map(run_of)
LONG_COUNTS = st.integers(0, 2**64 - 1)
BUCKETS = st.fixed_dictionaries(
    {
        "offset": st.integers(-(2**31), 2**31 - 1),
        "bucket_counts": st.lists(LONG_COUNTS, min_size=1, max_size=3),
    }
)
TOTALS = {
    "count": LONG_COUNTS,
    "sum": st.none() | FLOATS,
    "min": st.none() | FLOATS,
    "max": st.none() | FLOATS,
}
DISTRIBUTIONS = {
    "histogram": st.fixed_dictionaries(
        TOTALS
        | {
            "bucket_counts": st.lists(LONG_COUNTS, max_size=3),
            "explicit_bounds": st.lists(FLOATS, max_size=3),
        }
    ),
    "exponential_histogram": st.fixed_dictionaries(
        TOTALS
        | {"scale": st.integers(-10, 20), "zero_count": LONG_COUNTS, "positive": BUCKETS, "negative": BUCKETS}
    ),
    "summary": st.fixed_dictionaries(
        {
            "count": LONG_COUNTS,
            "sum": FLOATS,
            "quantiles": st.lists(st.lists(FLOATS, min_size=2, max_size=2), max_size=2),
        }
    ),
}
EXEMPLARS = st.fixed_dictionaries(
    {
        "time_ns": LONG_COUNTS,
        "value": st.none() | INTEGERS | FLOATS,
        "trace_id": st.just("") | TRACE_IDS,
        "span_id": st.just("") | SPAN_IDS,
        "attributes": ATTRIBUTES,
    }
)


@st.composite
def instrument_points(draw):
    """Return a data point of any kind."""
    kind = draw(st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram", "summary"]))
    is_number = kind in {"gauge", "sum"}
    return run_of(
        InstrumentPoint(
            name=draw(NAMES),
            kind=kind,
            time_ns=draw(TIMES),
            start_ns=0 if kind == "gauge" else draw(TIMES),
            unit=draw(TEXTS),
            description=draw(TEXTS),
            value=draw(st.none() | INTEGERS | FLOATS) if is_number else None,
            histogram=None if is_number else draw(DISTRIBUTIONS[kind]),
            is_monotonic=kind == "sum" and draw(st.booleans()),
            temporality=0 if kind in {"gauge", "summary"} else draw(st.sampled_from([1, 2])),
            flags=draw(COUNTS),
            attributes=draw(ATTRIBUTES),
            exemplars=() if kind == "summary" else tuple(draw(st.lists(EXEMPLARS, max_size=2))),
            resource=draw(RESOURCES),
            scope=draw(SCOPES),
        )
    )


def exact(value, *, keeps_nan=True):
    """Return what is equal for equal values only: types apart, floats by their bits."""
    if dataclasses.is_dataclass(value):
        return tuple(
            exact(getattr(value, one.name), keeps_nan=keeps_nan)
            for one in dataclasses.fields(value)
            if one.compare
        )
    if isinstance(value, float):
        return "nan" if math.isnan(value) and not keeps_nan else struct.pack("<d", value)
    if isinstance(value, Mapping):
        return tuple((key, exact(value[key], keeps_nan=keeps_nan)) for key in sorted(value))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "list", tuple(exact(one, keeps_nan=keeps_nan) for one in value)
    return type(value).__name__, value


def as_set(items):
    """Return items in no order: a request has them by resource and scope, and not as they came."""
    return sorted(map(repr, map(exact, items)))


def as_json(signal, payload):
    """Return the request in JSON as the specification has it, made by protobuf's own writer but for ids."""

    def with_hex(value):
        if isinstance(value, list):
            return [with_hex(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64decode(one).hex() if key in IDS and isinstance(one, str) else with_hex(one)
            for key, one in value.items()
        }

    document = MessageToDict(MESSAGES[signal].FromString(payload), use_integers_for_enums=True)
    return json.dumps(with_hex(document)).encode()


def read_or_refuse(read, *given):
    """Return what is read, exactly; None when the bytes are refused."""
    try:
        return exact(read(*given))
    except TelemetryDecodeError:
        return None


def by_parser(payload):
    """Return what metric requests hold by protobuf's parser alone, without the shorter way."""
    taken = Taken()
    taken.take_groups(parse(MetricsData(), payload).resource_metrics)
    return taken.histories.pieces(), taken.others, taken.refusals


def by_columns(payload):
    """Return what metric requests hold."""
    refusals = Refusals()
    return *metrics_from_otlp(payload, refusals), refusals


@given(st.lists(SPANS, max_size=4))
@settings(max_examples=60)
def test_spans_come_back_as_they_were(spans):
    """Every field of every span survives the way out and back, in both encodings."""
    payload = spans_to_request(spans)

    assert as_set(read_spans("protobuf", payload)) == as_set(spans)
    assert exact(read_spans("json", as_json("traces", payload)), keeps_nan=False) == exact(
        read_spans("protobuf", payload), keeps_nan=False
    )


@given(st.lists(RECORDS, max_size=4))
@settings(max_examples=60)
def test_log_records_come_back_as_they_were(records):
    """Every field of every log record and event survives the way out and back, in both encodings."""
    payload = log_records_to_request(records)

    assert as_set(read_logs("protobuf", payload)) == as_set(records)
    assert exact(read_logs("json", as_json("logs", payload)), keeps_nan=False) == exact(
        read_logs("protobuf", payload), keeps_nan=False
    )


@given(st.lists(instrument_points(), max_size=4))
@settings(max_examples=80)
def test_data_points_of_instruments_come_back_as_they_were(points):
    """Every kind of data point survives the way out and back, in both encodings."""
    payload = instrument_points_to_request(points)

    series, found = read_metrics("protobuf", payload)

    assert series == []
    assert as_set(found) == as_set(points)
    assert exact(read_metrics("json", as_json("metrics", payload)), keeps_nan=False) == exact(
        ([], found), keeps_nan=False
    )


@given(
    st.lists(
        st.tuples(
            st.lists(st.builds(SeriesKey, TEXTS.filter(bool), TEXTS), min_size=1, max_size=3, unique=True),
            st.lists(st.tuples(TIMES, BITS, BITS), min_size=1, max_size=40),
        ),
        max_size=3,
    ),
    RESOURCES,
    SCOPES,
)
@settings(max_examples=60)
def test_points_of_histories_come_back_as_they_were(blocks, resource, scope):
    """Steps, times and values of every series come back bit by bit, series by series, in the order of recording."""
    wanted, sent = {}, []
    for keys, rows in blocks:
        times_ns = [time_ns for time_ns, _, _ in rows]
        steps, values = (array("d", struct.pack(f"<{len(rows)}Q", *(row[i] for row in rows))) for i in (1, 2))
        sent.append(PointBlock(RUN_ID, tuple(keys), steps, array("q", times_ns), (values,) * len(keys)))
        for key in keys:
            held = wanted.setdefault((key.name, key.phase), [b"", b"", b""])
            for index, column in enumerate((steps, array("q", times_ns), values)):
                held[index] += column.tobytes()

    series, others = read_metrics(
        "protobuf", points_to_request([(PointOrigin(resource, RUN_ID, SPAN_ID), sent)], scope)
    )

    found = {
        (one.attributes["ml.metric.name"], one.attributes.get("ml.phase", "")): [
            column.tobytes() for column in (one.steps, one.times_ns, one.values)
        ]
        for one in series
    }
    assert others == []
    assert found == wanted
    assert all(exact((one.resource, one.scope)) == exact((resource, scope)) for one in series)


def attribute(key, content):
    """Return an attribute whose value has these bytes."""
    return delimited(b"\x0a", key.encode()) + delimited(b"\x12", content)


def number(tag, bits):
    """Return a field of eight bytes."""
    return tag + bits.to_bytes(8, "little")


STEPS = {
    "float": lambda bits: b"\x21" + bits.to_bytes(8, "little"),
    "integer": lambda bits: b"\x18" + varint(bits),
    "text": lambda bits: delimited(b"\x0a", str(bits).encode()),
    "nothing": lambda _: b"",
}


@st.composite
def stretches(draw):
    """Return points, each the bytes of a data point, that are alike but for their numbers."""
    name = draw(st.sampled_from(["loss", "acc", "l", "", None]))
    value_tag = draw(st.sampled_from([b"\x21", b"\x31", b""]))
    step, step_key, samples, start, rest = "float", "ml.metric.step", 0, b"", b""
    if draw(st.booleans()):
        step = draw(st.sampled_from([*STEPS, None]))
        step_key = draw(st.sampled_from(["ml.metric.step", "other", "ml.metric.step2"]))
        samples = draw(st.integers(0, 2))
        start = draw(st.sampled_from([b"", number(b"\x11", 5), number(b"\x11", 2**63)]))
        rest = draw(
            st.sampled_from([b"", b"\x40\x00", b"\x40\x01", b"\x98\x06\x01", b"\x48\x07", number(b"\x19", 3)])
        )
    order = draw(st.permutations(range(4)))
    points = []
    for time_ns, value, step_bits in draw(
        st.lists(st.tuples(st.integers(0, 2**63 - 1) | BITS, BITS, BITS), min_size=1, max_size=30)
    ):
        exemplar = (
            number(b"\x11", time_ns)
            + number(b"\x19", value)
            + delimited(b"\x22", step_bits.to_bytes(8, "big"))
        )
        if step is not None:
            exemplar += delimited(b"\x3a", attribute(step_key, STEPS[step](step_bits)))
        exemplars = [delimited(b"\x2a", exemplar)] * (1 if step else 0) + [
            delimited(b"\x2a", number(b"\x11", 1))
        ] * samples
        named = (
            b""
            if name is None
            else delimited(b"\x3a", attribute("ml.metric.name", delimited(b"\x0a", name.encode())))
        )
        parts = [
            number(b"\x19", time_ns),
            number(value_tag, value) if value_tag else b"",
            b"".join(exemplars),
            named,
        ]
        points.append(start + b"".join(parts[index] for index in order) + rest)
    return points


@st.composite
def mixes(draw):
    """Return a request with points of many kinds in one gauge, in stretches or by turns."""
    drawn = draw(st.lists(stretches(), min_size=1, max_size=4))
    if draw(st.booleans()):
        points = [point for stretch in drawn for point in stretch]
    else:
        points = [stretch[index] for index in range(30) for stretch in drawn if index < len(stretch)]
    odd_in_gauge = draw(st.sampled_from([b"", b"", b"", b"\x48\x01", b"\x0a"]))
    gauge = b"".join(delimited(b"\x0a", point) for point in points) + odd_in_gauge
    fields = [
        delimited(
            b"\x0a", draw(st.sampled_from([b"ml.metric.value", b"ml.metric.value", b"ml.metric.values"]))
        ),
        delimited(b"\x1a", b"1"),
        delimited(b"\x2a", gauge),
    ]
    fields += draw(
        st.lists(
            st.sampled_from([b"\x78\x05", fields[2], fields[0], delimited(b"\x1a", b"\xff")]), max_size=1
        )
    )
    metric = delimited(b"\x12", b"".join(draw(st.permutations(fields))))
    scope = delimited(b"\x0a", delimited(b"\x0a", b"scope"))
    scope_parts = [scope, metric, *draw(st.lists(st.sampled_from([metric, scope, b"\x78\x05"]), max_size=1))]
    group = delimited(b"\x12", b"".join(scope_parts))
    resource = delimited(
        b"\x0a", delimited(b"\x0a", attribute("ml.run.id", delimited(b"\x0a", RUN_ID.encode())))
    )
    parts = [resource, group, *draw(st.lists(st.sampled_from([group, resource, b"\x78\x05"]), max_size=1))]
    return delimited(b"\x0a", b"".join(parts))


@given(mixes())
@settings(max_examples=300)
def test_any_mix_of_points_is_read_as_the_parser_reads_it(payload):
    """However points are mixed, none is lost, moved or changed against protobuf's parser, and equal ones are refused."""
    assert read_or_refuse(by_columns, payload) == read_or_refuse(by_parser, payload)


@given(mixes())
@settings(max_examples=60)
def test_histories_are_told_apart_as_ordinary_data_points_are_read(payload):
    """Columns are what one gets who reads every data point and then takes the histories out."""
    try:
        series, others, _ = by_parser(payload)
    except TelemetryDecodeError:
        return
    read = read_metrics("json", as_json("metrics", payload))

    assert exact(read, keeps_nan=False) == exact((series, others), keeps_nan=False)


PLAIN = points_to_request(
    [
        (
            PointOrigin(Resource({"ml.run.id": RUN_ID}, "https://example.com"), RUN_ID, SPAN_ID),
            [
                PointBlock(
                    RUN_ID,
                    (SeriesKey("loss"), SeriesKey("acc", "test")),
                    range(30),
                    range(30),
                    ([0.5] * 30, [1.0] * 30),
                )
            ],
        )
    ],
    Scope("scope", "1", "https://example.com", {"a": 1}),
)


@given(
    st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 40),
)
@settings(max_examples=500)
@example([(0, 0)], 0)
def test_damaged_points_are_read_as_the_parser_reads_them(damage, cut):
    """Bytes that were changed or cut are refused or read exactly as protobuf's parser does it."""
    made = bytearray(PLAIN)
    for index, byte in damage:
        made[index] = byte
    payload = bytes(made[: len(made) - cut if cut < 20 else len(made)])

    assert read_or_refuse(by_columns, payload) == read_or_refuse(by_parser, payload)


SENT = (
    st.tuples(st.just("traces"), st.lists(SPANS, min_size=1, max_size=2).map(spans_to_request))
    | st.tuples(st.just("logs"), st.lists(RECORDS, min_size=1, max_size=2).map(log_records_to_request))
    | st.tuples(
        st.just("metrics"), st.lists(instrument_points(), max_size=2).map(instrument_points_to_request)
    )
    | st.tuples(st.just("metrics"), mixes() | st.just(PLAIN))
)
DAMAGE = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=3)


def damaged(payload, damage):
    """Return the bytes with some of them changed."""
    made = bytearray(payload)
    for index, byte in damage:
        made[index % len(made) : index % len(made) + 1] = bytes((byte,))
    return bytes(made)


@given(SENT, st.sampled_from(["protobuf", "json"]), DAMAGE)
@settings(max_examples=300)
def test_what_was_checked_can_be_read(sent, encoding, damage):
    """A request that was not refused is read later without an error, with as many items of each run as were counted."""
    signal, payload = sent
    try:
        if encoding == "json":
            payload = as_json(signal, payload)
        payload = damaged(payload, damage) if payload else payload
        checked = check_request(signal, encoding, payload)
    except (TelemetryDecodeError, DecodeError):  # protobuf's own writer refuses what a mix holds
        return
    refusals = Refusals()
    found = READERS[signal](encoding, payload, refusals)
    if signal != "metrics":
        runs = [item.run_id for item in found]
    else:
        series, others = found
        runs = [item.run_id for item in others]
        for one in series:
            named = one.attributes.get("ml.run.id") or one.resource.attributes.get("ml.run.id")
            runs += [named if isinstance(named, str) else None] * len(one.values)
    counted = {run_id: runs.count(run_id) for run_id in runs if run_id == RUN_ID}

    assert checked.refused_count == refusals.count
    assert checked.item_count == len(runs) + refusals.count
    assert checked.counts_by_run == counted
    assert bool(checked.message) == bool(refusals.count)


KEYS = st.sampled_from(
    [
        "resourceSpans",
        "scopeSpans",
        "spans",
        "resourceMetrics",
        "scopeMetrics",
        "metrics",
        "resourceLogs",
        "scopeLogs",
        "logRecords",
        "resource",
        "scope",
        "attributes",
        "key",
        "value",
        "stringValue",
        "intValue",
        "doubleValue",
        "boolValue",
        "bytesValue",
        "arrayValue",
        "kvlistValue",
        "values",
        "traceId",
        "spanId",
        "name",
        "kind",
        "status",
        "code",
        "message",
        "events",
        "links",
        "timeUnixNano",
        "startTimeUnixNano",
        "flags",
        "gauge",
        "sum",
        "histogram",
        "summary",
        "dataPoints",
        "exponentialHistogram",
        "exemplars",
        "filteredAttributes",
        "asInt",
        "asDouble",
        "bucketCounts",
        "positive",
        "quantileValues",
        "unit",
        "severityNumber",
        "body",
        "schemaUrl",
    ]
)
LEAVES = (
    st.none() | st.booleans() | INTEGERS | FLOATS
    | st.sampled_from(["", "a" * 32, "b" * 16, "7", "NaN", "ml.metric.value", "ml.run.id", "\ud800", "=", "-1"])
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@st.composite
def json_requests(draw):
    """Return a document that is nearly a request."""
    signal = draw(st.sampled_from(["traces", "metrics", "logs"]))
    groups, parts, items = {
        "traces": ("resourceSpans", "scopeSpans", "spans"),
        "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
        "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    }[signal]
    item = draw(st.dictionaries(KEYS, TREES, max_size=6))
    if draw(st.booleans()):
        item |= {"traceId": "a" * 32, "spanId": "b" * 16, "name": "ml.metric.value"}
    if draw(st.booleans()):
        item["gauge"] = {"dataPoints": [draw(st.dictionaries(KEYS, TREES, max_size=5))]}
    document = draw(
        st.just({groups: [{parts: [{items: [item]}]}]})
        | st.just({groups: [{parts: [item]}]})
        | st.just({groups: [item]})
        | TREES
    )
    return signal, document


@given(json_requests())
@settings(max_examples=400)
def test_any_json_is_read_or_refused(request):
    """Whatever JSON comes, it is taken or refused with the one error for that, never with another."""
    signal, document = request

    with contextlib.suppress(TelemetryDecodeError):
        check_request(signal, "json", json.dumps(document).encode())
