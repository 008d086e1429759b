"""What leaves by OTLP holds what the store holds, as far as OTLP has room for it."""

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_experiments.codec.to_sdk import log_records_to_sdk, spans_to_sdk
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Event, Link, Resource, Scope, Span

LARGE = 2**70
RESOURCE = Resource({"large": LARGE})
SCOPE = Scope("scope", attributes={"large": LARGE})
ATTRIBUTES = {
    "large": LARGE,
    "huge": -(10**400),
    "list": [1, LARGE],
    "nested": {"a": [{"b": LARGE}]},
    "small": 2**63 - 1,
    "least": -(2**63),
    "flag": True,
}


def values(encoded):
    """Return the attributes of a message as {name: value}, nested ones too."""
    return {pair.key: plain(pair.value) for pair in encoded}


def plain(value):
    """Return an AnyValue as Python's value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return values(value.kvlist_value.values)
    return getattr(value, kind)


def check(encoded):
    """Check that nothing of the attributes above is missing, and that only what has no room is a float."""
    assert values(encoded) == ATTRIBUTES | {
        "large": float(LARGE),
        "huge": -float("inf"),
        "list": [1, float(LARGE)],
        "nested": {"a": [{"b": float(LARGE)}]},
    }
    assert type(values(encoded)["small"]) is type(values(encoded)["least"]) is int


@pytest.mark.parametrize("dropped_count", [0, 3])
def test_integers_beyond_64_bits_leave_as_floats(caplog, dropped_count):
    """The SDK's encoder would leave such an attribute out, of spans, events, links, logs, resources and scopes."""
    event = Event("event", 1, ATTRIBUTES, dropped_count)
    link = Link("1" * 32, "2" * 16, ATTRIBUTES, dropped_attributes_count=dropped_count)
    span = Span(
        trace_id="1" * 32, span_id="2" * 16, name="span", start_ns=1, end_ns=2, resource=RESOURCE, scope=SCOPE,
        attributes=ATTRIBUTES, dropped_attributes_count=dropped_count, events=(event,), links=(link,),
    )  # fmt: skip
    record = LogRecord(
        time_ns=1, observed_time_ns=1, resource=RESOURCE, scope=SCOPE, attributes=ATTRIBUTES,
        dropped_attributes_count=dropped_count, body={"large": LARGE},
    )  # fmt: skip

    (spans,) = encode_spans(spans_to_sdk([span])).resource_spans
    (logs,) = encode_logs(log_records_to_sdk([record])).resource_logs

    sent, log = spans.scope_spans[0].spans[0], logs.scope_logs[0].log_records[0]
    for encoded in (sent.attributes, sent.events[0].attributes, sent.links[0].attributes, log.attributes):
        check(encoded)
    for encoded in (
        spans.resource.attributes,
        logs.resource.attributes,
        spans.scope_spans[0].scope.attributes,
    ):
        assert values(encoded) == {"large": float(LARGE)}
    assert plain(log.body) == {"large": float(LARGE)}
    assert caplog.records == []
