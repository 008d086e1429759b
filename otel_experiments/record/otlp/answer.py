"""What an endpoint's answer to one OTLP request means: taken, later, smaller, never, or not this signal at all.

Both protocols are here, so that one thing means the same over each. Importing it loads no gRPC.

Sources: opentelemetry-proto, docs/specification.md, "OTLP/gRPC Response" and "OTLP/HTTP Response" (failures, throttling,
partial success); RFC 9110, Retry-After; google/rpc/status.proto and error_details.proto. A delay comes in one of two trailers: `google.rpc.retryinfo-bin`
holds a RetryInfo, `grpc-status-details-bin` a Status with a RetryInfo among its details (what Go servers send).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped] # no stubs of it
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # as above
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

if TYPE_CHECKING:
    from grpc import StatusCode

_RESPONSES: Final[dict[str, tuple[Any, str]]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}
_REJECTED_JSON: Final = ("rejectedSpans", "rejectedDataPoints", "rejectedLogRecords")
_RETRY_INFO: Final = "google.rpc.retryinfo-bin"
_STATUS_DETAILS: Final = "grpc-status-details-bin"
_PASSING: Final = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
        "RESOURCE_EXHAUSTED",
        429,
        502,
        503,
        504,
    }
)
"""What passes by itself: codes of gRPC by name, statuses of HTTP by number."""
_UNSERVED: Final = frozenset({"UNIMPLEMENTED", 404})
_TOO_LARGE: Final = 413
_MAY_BE_SIZE: Final = frozenset({"RESOURCE_EXHAUSTED", "UNKNOWN"})
_UNAUTHORIZED: Final = frozenset({401, 403})
_DENIED: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", 407}) | _UNAUTHORIZED
"""What is said of who sends, not of what is sent: other credentials mend it."""
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
        is_denied: it has not, since this sender may not send: with other credentials the same request may work.
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
    is_denied: bool = False
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
        detail=_one_line(partial.error_message)[:_MOST_SAID],
    )


def _one_line(text: object) -> str:
    """Return what an endpoint says as part of a sentence of ours: on one line, without a full stop."""
    said = " ".join(str(text).split())
    return said if said.endswith("..") else said.removesuffix(".")


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
    said = _one_line(details or "")
    has_retry_info, delay_s = read_retry_info(trailers)
    detail = (
        f"{code.name} after {took_s:.1f} s: {explain(said) if explain is not None else said[:_MOST_SAID]}"
    )
    if delay_s is not None:
        detail += f" (it asks to wait {delay_s:g} s)"
    if code.name in _UNSERVED:
        return Outcome(is_taken=False, is_unserved=True, detail=detail)
    if _ABOUT_ONE_TRACE.search(said) and not has_retry_info:
        return Outcome(is_taken=False, detail=detail)
    if code.name in _MAY_BE_SIZE and not has_retry_info and _ABOUT_SIZE.search(said):
        return Outcome(is_taken=False, is_too_large=True, detail=detail)
    return Outcome(
        is_taken=False,
        is_passing=code.name in _PASSING
        or (code.name in {"INTERNAL", "UNKNOWN"} and _ABOUT_TRANSPORT.search(said) is not None),
        is_unreachable=not has_retry_info
        and (
            (code.name == "DEADLINE_EXCEEDED" and is_timed_out)
            or (code.name == "UNAVAILABLE" and _NOBODY_ANSWERS.search(said) is not None)
        ),
        is_denied=code.name in _DENIED,
        delay_s=delay_s,
        detail=detail,
    )


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an endpoint answered over HTTP.

    Attributes:
        status, reason: the status line's.
        content_type: without parameters, in lower case; empty where there is none.
        retry_after, location: the headers of these names; empty where there are none.
        body: its first bytes, enough for a response of OTLP.
    """

    status: int
    reason: str = ""
    content_type: str = ""
    retry_after: str = ""
    location: str = ""
    body: bytes = b""


def judge_answer(
    signal: str,
    answer: HttpAnswer,
    *,
    now_s: float,
    took_s: float = 0.0,
    explain: Callable[[str], str] | None = None,
) -> Outcome:
    """Return what an answer over HTTP comes to.

    A status of 200 to 299 says that the request is taken, whatever the body is, but for a page of HTML: a web page
    answers that way to everything, and a request that it got is nowhere.

    Args:
        signal: `traces`, `metrics` or `logs`.
        answer: what came.
        now_s: the time, since the epoch, for a Retry-After that is a date.
        took_s: how long the request took, for the text.
        explain: makes a sentence for people of a text.
    """
    explain = explain or str
    if 200 <= answer.status < 300:
        return _judge_success(signal, answer, explain)
    said, has_retry_info, delay_s = _read_failure(answer)
    if answer.retry_after:
        delay_s = _retry_after_s(answer.retry_after, now_s) or delay_s
    said = explain(said)[:_MOST_SAID]
    status = " ".join(f"HTTP {answer.status} {answer.reason}".split())
    detail = f"{status} after {took_s:.1f} s{': ' if said else ''}{said}"
    if delay_s is not None:
        detail += f" (it asks to wait {delay_s:g} s)"
    is_passing = answer.status in _PASSING
    is_about_size = is_passing and not has_retry_info and _ABOUT_SIZE.search(said) is not None
    is_too_large = not answer.retry_after and (answer.status == _TOO_LARGE or is_about_size)
    is_lasting = is_too_large or (_ABOUT_ONE_TRACE.search(said) is not None and not has_retry_info)
    return Outcome(
        is_taken=False,
        is_unserved=answer.status in _UNSERVED,
        is_denied=answer.status in _DENIED,
        is_too_large=is_too_large,
        is_passing=(is_passing or (answer.status == _TOO_LARGE and not is_too_large)) and not is_lasting,
        delay_s=delay_s,
        detail=detail,
    )


def _judge_success(signal: str, answer: HttpAnswer, explain: Callable[[str], str]) -> Outcome:
    if not answer.body:
        return Outcome(is_taken=True)
    if answer.content_type == "text/html" or answer.body.lstrip()[:1] == b"<":
        what = f"HTTP {answer.status} with a page of HTML: a web page answers there, and no receiver of OTLP"
        return Outcome(is_taken=False, detail=explain(what))
    if answer.content_type == "application/json":
        return _read_json_response(answer.body)
    return read_response(signal, answer.body)


def _read_failure(answer: HttpAnswer) -> tuple[str, bool, float | None]:
    """Return the message of a failure, whether it asks for a retry, and the seconds that it names."""
    if 300 <= answer.status < 400:
        target = _without_secrets(answer.location)
        return (
            f"it redirects to {target!r:.100}, which is not followed; name that endpoint itself",
            False,
            None,
        )
    if answer.content_type == "application/x-protobuf":
        try:
            has_retry_info, delay_s = read_retry_info([(_STATUS_DETAILS, answer.body)])
            return _one_line(Status.FromString(answer.body).message), has_retry_info, delay_s
        except DecodeError:
            return "", False, None
    text = answer.body[: 4 * _MOST_SAID].decode("utf-8", "replace")
    if answer.content_type == "text/html" or text.lstrip()[:1] == "<" or not text.strip():
        said = "its credentials go into OTEL_EXPORTER_OTLP_HEADERS" if answer.status in _UNAUTHORIZED else ""
        return said, False, None
    if answer.content_type == "application/json":
        with suppress(ValueError, RecursionError):
            found = json.loads(answer.body)
            if isinstance(found, dict) and isinstance(found.get("message"), str):
                text = found["message"]
    return _one_line("".join(c if c.isprintable() else " " for c in text)), False, None


def _read_json_response(body: bytes) -> Outcome:
    try:
        partial = (json.loads(body) or {}).get("partialSuccess") or {}
        counts = [int(partial[name]) for name in _REJECTED_JSON if name in partial]
        said = _one_line(partial.get("errorMessage", ""))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return Outcome(is_taken=True, detail=_NO_RESPONSE)
    return Outcome(is_taken=True, rejected_count=max(0, *counts, 0), detail=said[:_MOST_SAID])


def _retry_after_s(text: str, now_s: float) -> float | None:
    """Return the seconds of a Retry-After; None where it names none, or a time that has passed."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text) or None
    try:
        due_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return due_s - now_s if due_s > now_s else None


def _without_secrets(url: str) -> str:
    return re.sub(r"[?#].*", "", re.sub(r"//[^/@]*@", "//", url))


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
