"""What an endpoint's answer to one OTLP request means: taken, later, smaller, never, or not this signal at all.

Sources: opentelemetry-proto, docs/specification.md, "OTLP/gRPC Response" (failures, throttling, partial success);
google/rpc/status.proto and error_details.proto. A delay comes in one of two trailers: `google.rpc.retryinfo-bin`
holds a RetryInfo, `grpc-status-details-bin` a Status with a RetryInfo among its details (what Go servers send).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped] # no stubs of it
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # as above
from grpc import StatusCode
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

_RESPONSES: Final[dict[str, tuple[Any, str]]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}
_RETRY_INFO: Final = "google.rpc.retryinfo-bin"
_STATUS_DETAILS: Final = "grpc-status-details-bin"
_PASSING: Final = frozenset(
    {
        StatusCode.CANCELLED,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.ABORTED,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
        StatusCode.RESOURCE_EXHAUSTED,
    }
)
_MAY_BE_SIZE: Final = frozenset({StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNKNOWN})
_ABOUT_SIZE: Final = re.compile(
    r"larger than (the )?(max|limit)"
    r"|(message|request|payload|body|entity)\b.{0,40}\btoo (large|big)"
    r"|(message|request|payload|body|entity)\b.{0,20}\bexceeds? .{0,30}\b(size|length)"
    r"|exceeds? .{0,30}\b(message|request|receive|payload|body) (size|length)"
    r"|max(imum)? (message|request|receive|payload|body) (size|length)"
    r"|http2 header with status: 413",
    re.IGNORECASE,
)
_ABOUT_ONE_TRACE: Final = re.compile(r"trace.too.large", re.IGNORECASE)
"""What a backend says of a whole trace: no smaller request helps, and no waiting."""
_ABOUT_TRANSPORT: Final = re.compile(
    r"RST_STREAM|GOAWAY|stream removed|socket closed|connection reset", re.IGNORECASE
)
_NOBODY_ANSWERS: Final = re.compile(r"failed to connect|DNS resolution failed|name resolution", re.IGNORECASE)
_MOST_SAID: Final = 200
_NO_RESPONSE: Final = "it answered that all is well, with a text that is no response of OTLP"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        is_taken: the endpoint has it.
        is_passing: it has not, and the same request may work later.
        is_divisible: it has not, and halves may work: it holds one item that cannot be sent.
        is_too_large: it has not, and smaller requests will work.
        is_unreachable: nobody answered, so that waiting for an answer is in vain for now.
        is_unserved: the endpoint does not take this signal at all.
        delay_s: how long the endpoint asks to be left alone, where it does.
        rejected_count: how many items of a request that was taken were refused.
        detail: what the endpoint, or gRPC, said.
    """

    is_taken: bool
    is_passing: bool = False
    is_divisible: bool = False
    is_too_large: bool = False
    is_unreachable: bool = False
    is_unserved: bool = False
    delay_s: float | None = None
    rejected_count: int = 0
    detail: str = ""


def read_response(signal: str, body: bytes) -> Outcome:
    """Return what the response of a request that succeeded comes to: all of it is taken, or a part.

    Args:
        signal: `traces`, `metrics` or `logs`.
        body: the message `Export*ServiceResponse`, encoded.
    """
    message, rejected = _RESPONSES[signal]
    try:
        partial = message.FromString(body).partial_success
    except DecodeError:
        return Outcome(is_taken=True, detail=_NO_RESPONSE)
    return Outcome(
        is_taken=True,
        rejected_count=max(0, int(getattr(partial, rejected))),
        detail=" ".join(str(partial.error_message).split())[:_MOST_SAID],
    )


def judge_refusal(
    code: StatusCode,
    details: str | None,
    trailers: Iterable[Any] | None,
    *,
    took_s: float = 0.0,
    is_timed_out: bool = False,
    explain: Callable[[str], str] | None = None,
) -> Outcome:
    """Return what a refused request comes to.

    Args:
        code: the status of the call.
        details: its message.
        trailers: its trailing metadata, pairs of key and value.
        took_s: how long the call took, for the text.
        is_timed_out: the call took as long as it was given.
        explain: makes a sentence for people of the message.
    """
    said = " ".join(str(details or "").split())
    has_retry_info, delay_s = read_retry_info(trailers)
    detail = (
        f"{code.name} after {took_s:.1f} s: {explain(said) if explain is not None else said[:_MOST_SAID]}"
    )
    if delay_s is not None:
        detail += f" (it asks to wait {delay_s:g} s)"
    if code is StatusCode.UNIMPLEMENTED:
        return Outcome(is_taken=False, is_unserved=True, detail=detail)
    if _ABOUT_ONE_TRACE.search(said) and not has_retry_info:
        return Outcome(is_taken=False, detail=detail)
    if code in _MAY_BE_SIZE and not has_retry_info and _ABOUT_SIZE.search(said):
        return Outcome(is_taken=False, is_too_large=True, detail=detail)
    return Outcome(
        is_taken=False,
        is_passing=code in _PASSING
        or (code in {StatusCode.INTERNAL, StatusCode.UNKNOWN} and _ABOUT_TRANSPORT.search(said) is not None),
        is_unreachable=not has_retry_info
        and (
            (code is StatusCode.DEADLINE_EXCEEDED and is_timed_out)
            or (code is StatusCode.UNAVAILABLE and _NOBODY_ANSWERS.search(said) is not None)
        ),
        delay_s=delay_s,
        detail=detail,
    )


def read_retry_info(trailers: Iterable[Any] | None) -> tuple[bool, float | None]:
    """Return whether an answer says that a retry is welcome, and after how many seconds where it names them."""
    found: RetryInfo | None = None
    for key, value in trailers or ():
        try:
            if key == _RETRY_INFO:
                found = RetryInfo.FromString(value)
            elif key == _STATUS_DETAILS:
                for detail in Status.FromString(value).details:
                    if detail.Is(RetryInfo.DESCRIPTOR):
                        found = RetryInfo.FromString(detail.value)
        except (DecodeError, TypeError):  # a trailer of that name that is something else
            continue
    if found is None:
        return False, None
    delay_s = found.retry_delay.seconds + found.retry_delay.nanos / 1e9
    return True, delay_s if delay_s > 0 else None
