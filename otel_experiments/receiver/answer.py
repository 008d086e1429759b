"""The bytes of answers: export responses and statuses, in protobuf and in JSON.

Source: OTLP specification 1.11, "Full Success", "Partial Success" and "Failures"; google/rpc/status.proto.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped] # no stubs of it
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # as above
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_experiments.model.received import Encoding
from otel_experiments.model.signal import Signal
from otel_experiments.receiver.refusal import Refusal

# The three classes share no base with partial_success.
_RESPONSES: Final[Mapping[Signal, tuple[Any, str, str]]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}
_LONGEST_MESSAGE: Final = 4096
"""In characters: answers stay far below the 4 MiB that clients take."""


def success(signal: Signal, encoding: Encoding, *, refused_count: int = 0, message: str = "") -> bytes:
    """Return the answer to a request that was taken.

    Args:
        signal: of the request.
        encoding: of the request, and so of the answer.
        refused_count: items that were not taken.
        message: why, or a warning; empty when all is well.
    """
    kind, field, json_field = _RESPONSES[signal]
    if not refused_count and not message:
        return b"{}" if encoding == "json" else b""
    text = message[:_LONGEST_MESSAGE]
    if encoding == "json":
        partial = {json_field: str(refused_count), "errorMessage": text}
        return json.dumps({"partialSuccess": partial}).encode()
    response = kind()
    setattr(response.partial_success, field, refused_count)
    response.partial_success.error_message = text
    made: bytes = response.SerializeToString()
    return made


def failure(refusal: Refusal, encoding: Encoding) -> bytes:
    """Return the status that says why a request was not taken, and when to send it again."""
    code, text = refusal.answer.grpc_code, refusal.message[:_LONGEST_MESSAGE]
    delay_s = refusal.retry_after_s
    if encoding == "json":
        status: dict[str, object] = {"code": code, "message": text}
        if delay_s is not None:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            status["details"] = [{"@type": kind, "retryDelay": f"{delay_s}s"}]
        return json.dumps(status).encode()
    message = Status(code=code, message=text)
    if delay_s is not None:
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=delay_s)))
        message.details.append(detail)
    made: bytes = message.SerializeToString()
    return made
