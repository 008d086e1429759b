"""Telemetry that no program should send, and some do: it is kept where it can be, and costs nothing else."""

import json

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_experiments.model.search import SpanQuery

YEAR_2106_NS = 2**32 * 10**9


def test_attributes_of_ten_megabytes_are_kept(client, stored):
    """A value of 10 MB, as a text and as an array, comes back whole, and so does the span behind it."""
    message = client.message_of("traces", 2)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    pair = span.attributes.add()
    pair.key, pair.value.string_value = "text", "naïve " * (10 << 20 >> 3)
    pair = span.attributes.add()
    pair.key = "numbers"
    for number in range(1 << 18):
        pair.value.array_value.values.add().int_value = number

    assert client.call("traces", message.SerializeToString()) == b""

    first, second = stored().store.spans(SpanQuery())
    assert first.attributes["text"] == "naïve " * (10 << 20 >> 3)
    assert list(first.attributes["numbers"]) == list(range(1 << 18))
    assert second.name == "work 2"


@pytest.mark.parametrize("time_ns", [0, 1, YEAR_2106_NS, 2**63 - 1])
def test_clocks_of_other_times_are_kept(client, stored, time_ns):
    """Spans of 1970, of 2106 and of the last nanosecond that a store knows are stored with these times."""
    message = client.message_of("traces", 1)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.start_time_unix_nano = span.end_time_unix_nano = time_ns

    assert client.call("traces", message.SerializeToString()) == b""

    (span,) = stored().store.spans(SpanQuery())
    assert (span.start_ns, span.end_ns) == (time_ns, time_ns or None)


def test_times_that_no_store_holds_are_refused_item_by_item(client, stored):
    """A span after the year 2262 is refused with the reason; the other one is stored."""
    message = client.message_of("traces", 2)
    message.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 2**64 - 1

    answer = ExportTraceServiceResponse.FromString(client.call("traces", message.SerializeToString()))

    assert answer.partial_success.rejected_spans == 1
    assert [span.name for span in stored().store.spans(SpanQuery())] == ["work 2"]


def test_spans_come_before_their_run_and_after_it(client, stored):
    """Children that arrive before their parents, and long after them, in requests of their own, are one trace of one run."""
    message = client.message_of("traces", 3)
    spans = message.resource_spans[0].scope_spans[0].spans
    for span, parent in zip(spans, (b"", spans[0].span_id, spans[1].span_id), strict=True):
        span.parent_span_id = parent
    whole = list(spans)
    for span in (whole[2], whole[0], whole[1]):
        one = client.message_of("traces", 0)
        one.resource_spans[0].scope_spans[0].spans.append(span)
        client.call("traces", one.SerializeToString())

    reader = stored()

    (run,) = reader.runs()
    parents = {span.name: span.parent_span_id for span in reader.store.spans(SpanQuery(run_id=run.id))}
    assert parents == {"work 1": None, "work 2": f"{1:016x}", "work 3": f"{2:016x}"}


def test_telemetry_of_no_run_is_kept(client, stored):
    """A program that knows nothing of runs is not turned away: what it sends is in the store, without a run."""
    content = client.json_of("traces", 2)
    content["resourceSpans"][0]["resource"]["attributes"] = [
        {"key": "service.name", "value": {"stringValue": "checkout"}}
    ]
    assert client.post("/v1/traces", json.dumps(content).encode(), encoding="json").status == 200

    reader = stored()

    assert reader.runs() == []
    assert [span.run_id for span in reader.store.spans(SpanQuery())] == [None, None]


def test_headers_that_say_which_run_it_is_are_heard_over_both_protocols(client, stored, tmp_path):
    """MLflow names the run in a header of the request; other headers, which may be secrets, are not kept."""
    headers = {"x-mlflow-run-id": "7" * 32, "X-Mlflow-Experiment-Id": "12", "x-api-key": "very-secret"}
    for first, send in ((1, client.post), (2, client.call)):
        message = client.spans_message(1, first=first)
        del message.resource_spans[0].resource.attributes[:]
        body = message.SerializeToString()
        if send == client.post:
            assert send("/v1/traces", body, headers).status == 200
        else:
            send("traces", body, [(name.lower(), value) for name, value in headers.items()])

    reader = stored()

    assert {span.run_id for span in reader.store.spans(SpanQuery())} == {"7" * 32}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"very-secret" in path.read_bytes() for path in files)
