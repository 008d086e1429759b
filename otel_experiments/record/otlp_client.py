"""One attempt to send one OTLP request over gRPC, and what became of it.

The SDK's exporters do the work of endpoint, credentials, headers, compression and encoding, all of them set by
the standard variables. What is replaced is their loop round the call: it draws from the global `random` at each
failure, which would change the experiment, logs a line for each of its tries, and does not tell a refusal that
lasts from one that passes. `tests/contract/test_sdk_contract.py` holds the names used here that are not public.
Source: opentelemetry-proto, docs/specification.md, OTLP/gRPC failures and partial success.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from grpc import RpcError, StatusCode
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan

_PASSING: Final = frozenset(
    {
        StatusCode.CANCELLED,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.ABORTED,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
_RETRY_INFO: Final = "google.rpc.retryinfo-bin"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    `is_taken`: the endpoint has it. `is_passing`: it has not, and the same request may work later.
    `is_divisible`: it has not, and halves may work: it was too large, or holds one item that cannot be sent. `rejected_count`: how many items of a request that was
    taken were refused. `detail`: what the endpoint, or gRPC, said.
    """

    is_taken: bool
    is_passing: bool = False
    is_divisible: bool = False
    rejected_count: int = 0
    detail: str = ""


class _Response(Protocol):
    partial_success: Any  # of one of three generated classes


class _OneTry:
    """What the three clients share; mixed into one of the SDK's exporters."""

    _client: Any  # a generated stub
    _headers: Any
    _timeout: float
    _shutdown: bool
    _endpoint: str
    _translate_data: Callable[[Any], Any]  # encodes; one of three generated classes comes back

    @property
    def endpoint(self) -> str:
        """Where requests go, as host and port."""
        return self._endpoint

    def _try(self, data: object, rejected: str) -> Outcome:
        if self._shutdown:
            return Outcome(is_taken=False, is_passing=True, detail="it was shut down")
        try:
            request = self._translate_data(data)
        except Exception as error:  # noqa: BLE001 - what cannot be encoded now never can
            return Outcome(is_taken=False, is_divisible=True, detail=f"it cannot be encoded: {error!r}")
        start_s = time.monotonic()
        try:
            response: _Response = self._client.Export(
                request=request, metadata=self._headers, timeout=self._timeout
            )
        except RpcError as error:
            return _refusal(error, time.monotonic() - start_s)
        except ValueError as error:  # "Cannot invoke RPC on closed channel!": shutdown came in between
            return Outcome(is_taken=False, is_passing=True, detail=str(error))
        partial = response.partial_success
        return Outcome(
            is_taken=True,
            rejected_count=int(getattr(partial, rejected)),
            detail=str(partial.error_message),
        )


def _refusal(error: RpcError, took_s: float) -> Outcome:
    code = error.code()
    said = " ".join(str(error.details() or "").split())
    detail = f"{code.name} after {took_s:.1f} s: {said[:200]}"
    if code is StatusCode.RESOURCE_EXHAUSTED:
        has_retry_info = any(item.key == _RETRY_INFO for item in error.trailing_metadata() or ())
        return Outcome(
            is_taken=False, is_passing=has_retry_info, is_divisible=not has_retry_info, detail=detail
        )
    return Outcome(is_taken=False, is_passing=code in _PASSING, detail=detail)


class SpanClient(_OneTry, OTLPSpanExporter):
    """Sends spans."""

    def send(self, spans: Sequence[ReadableSpan]) -> Outcome:
        """Send them in one request; never raises."""
        return self._try(spans, "rejected_spans")


class LogClient(_OneTry, OTLPLogExporter):
    """Sends log records and events."""

    def send(self, records: Sequence[ReadableLogRecord]) -> Outcome:
        """Send them in one request; never raises."""
        return self._try(records, "rejected_log_records")


class MetricClient(_OneTry, OTLPMetricExporter):
    """Sends data points."""

    def send(self, data: MetricsData) -> Outcome:
        """Send them in one request; never raises."""
        return self._try(data, "rejected_data_points")
