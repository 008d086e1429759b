"""What an endpoint's answer means: later, smaller, never, or not this signal."""

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from otel_experiments.record.otlp.answer import judge_refusal, read_response, read_retry_info

TOO_LARGE = [
    "Received message larger than max (5000000 vs. 4194304)",
    "Sent message larger than max (5000000 vs. 4194304)",
    "grpc: received message larger than max (5000000 vs. 4194304)",
    "grpc: received message after decompression larger than max 4194304",
    "gRPC message exceeds maximum size 4194304: 5000000",
    "Received message exceeds the maximum configured message size.",
    "request body too large",
    "message too large",
    "http2: the request payload is too large",
]
BUSY = [
    "",
    "busy",
    "RATE_LIMITED: ingestion rate limit (local: 30000000 bytes, global: 0 bytes) exceeded while adding 84 bytes",
    "the request rate exceeds the limit of 100 requests a second",
    "quota of 5 GB exceeded",
    "data refused due to high memory usage",
    "sending queue is full",
    "max active series limit reached",
]


@pytest.mark.parametrize("text", TOO_LARGE)
def test_a_request_that_is_too_large_is_to_be_smaller(text):
    """GRPC's own words in several languages, and those of proxies."""
    outcome = judge_refusal(StatusCode.RESOURCE_EXHAUSTED, text, ())

    assert (outcome.is_too_large, outcome.is_passing) == (True, False)


@pytest.mark.parametrize("text", BUSY)
def test_a_rate_limit_is_not_taken_for_a_size(text):
    """What an endpoint cannot take now is tried later, whole."""
    outcome = judge_refusal(StatusCode.RESOURCE_EXHAUSTED, text, None)

    assert (outcome.is_too_large, outcome.is_passing, outcome.is_unreachable) == (False, True, False)


def test_a_trace_that_is_too_large_is_lost_at_once():
    """No smaller request makes a trace smaller, and no waiting."""
    outcome = judge_refusal(
        StatusCode.RESOURCE_EXHAUSTED, "TRACE_TOO_LARGE: max size of trace (5000000) exceeded", ()
    )

    assert (outcome.is_passing, outcome.is_too_large, outcome.is_divisible) == (False, False, False)


@pytest.mark.parametrize(
    ("details", "is_unreachable"),
    [
        ("failed to connect to all addresses; last error: Connection refused", True),
        ("DNS resolution failed for collector:4317", True),
        ("sending queue is full", False),
        ("Socket closed", False),
    ],
)
def test_nobody_there_is_told_from_somebody_who_is_busy(details, is_unreachable):
    """The end of a process waits for who is busy, not for who is not there."""
    outcome = judge_refusal(StatusCode.UNAVAILABLE, details, ())

    assert (outcome.is_passing, outcome.is_unreachable) == (True, is_unreachable)


def test_a_connection_that_breaks_is_no_verdict():
    """A proxy that resets the stream makes INTERNAL of it; the same request may work."""
    assert judge_refusal(StatusCode.INTERNAL, "Received RST_STREAM with error code 2", ()).is_passing
    assert not judge_refusal(StatusCode.INTERNAL, "cannot unmarshal", ()).is_passing


delays = st.builds(Duration, seconds=st.integers(0, 10**6), nanos=st.integers(0, 999_999_999))


@given(delays, st.booleans(), st.lists(st.binary(max_size=20), max_size=3))
def test_a_delay_is_read_in_both_forms(delay, is_status, others):
    """RetryInfo by itself, or in a Status among other details; trailers that are none change nothing."""
    info = RetryInfo(retry_delay=delay)
    if is_status:
        details = [Any(type_url="type.googleapis.com/other", value=other) for other in others]
        packed = Any()
        packed.Pack(info)
        trailer = ("grpc-status-details-bin", Status(code=8, details=[*details, packed]).SerializeToString())
    else:
        trailer = ("google.rpc.retryinfo-bin", info.SerializeToString())
    expected_s = delay.seconds + delay.nanos / 1e9

    found = read_retry_info([("x", "y"), trailer])

    assert found == (True, expected_s or None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["grpc-status-details-bin", "google.rpc.retryinfo-bin", "other"]),
            st.one_of(st.binary(max_size=30), st.text(max_size=5)),
        ),
        max_size=4,
    )
)
def test_trailers_of_any_bytes_are_read_without_an_error(trailers):
    """What is no RetryInfo is none; nothing raises."""
    has_retry_info, delay_s = read_retry_info(trailers)

    assert has_retry_info or delay_s is None


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_response_that_is_none_of_otlp_still_says_that_the_request_is_taken(signal):
    """A server that answers success with another text has the request; what is odd about it is in the detail."""
    outcome = read_response(signal, b"<html>")

    assert outcome.is_taken
    assert outcome.rejected_count == 0
    assert "no response of OTLP" in outcome.detail


def test_a_partial_success_counts_what_was_rejected_with_its_reason():
    """The response of each signal has a count of its kind of item, and a message."""
    body = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too\n old")
    ).SerializeToString()

    outcome = read_response("traces", body)

    assert (outcome.is_taken, outcome.rejected_count, outcome.detail) == (True, 3, "too old")
