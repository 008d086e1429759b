"""OTLP over gRPC: generic handlers that get the bytes of a request as they came, and give back the bytes of an answer.

No generated service is used: it would parse the request into objects that nobody needs here.

Source: OTLP specification 1.11, "OTLP/gRPC" and its throttling by RetryInfo.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from otel_experiments.model.unsent import Signal
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.receiver.address import Address, cannot_listen, check_free
from otel_experiments.receiver.answer import failure, success
from otel_experiments.receiver.refusal import Refusal
from otel_experiments.receiver.service import Service
from otel_experiments.receiver.tls import Tls

_WORKERS: Final = 16
"""Requests that are read and looked at, at once; each may hold a body of the largest size before it is admitted."""
_METHODS: Final[Mapping[str, Signal]] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": "logs",
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_MARGIN_S: Final = 1.0
"""What gRPC may take to end the requests whose time is up."""
_DETAILS: Final = "grpc-status-details-bin"


class GrpcServer:
    """Listens for OTLP over gRPC.

    Args:
        address: where; port 0 takes a free one.
        service: where requests go.
        tls: certificate and key; None for plain text.

    Raises:
        ConfigurationError: the address cannot be had.
    """

    def __init__(self, address: Address, service: Service, tls: Tls | None) -> None:
        check_free(address, setting="grpc")  # gRPC itself writes lines of its own to stderr
        pool = ThreadPoolExecutor(
            _WORKERS, thread_name_prefix="otel-experiments-grpc", initializer=leave_signals_to_the_program
        )
        self._pool = pool
        self._ended: threading.Event | None = None
        self._server = grpc.server(
            pool,
            handlers=[_Exports(service)],
            options=[
                ("grpc.max_receive_message_length", service.limits.request_bytes),
                ("grpc.so_reuseport", 0),  # else a second receiver would take half of the requests
                ("grpc.max_concurrent_streams", 128),
            ],
        )
        try:
            if tls is None:
                self.port = self._server.add_insecure_port(str(address))
            else:
                self.port = self._server.add_secure_port(
                    str(address), grpc.ssl_server_credentials([(tls.key, tls.certificate)])
                )
        except RuntimeError as error:
            pool.shutdown()
            raise cannot_listen(address, setting="grpc", why="it is taken, or may not be used") from error

    def start(self) -> None:
        """Begin to take requests."""
        self._server.start()

    def begin_stop(self, *, timeout_s: float) -> None:
        """Take no more requests; those under way have `timeout_s` seconds to end."""
        self._ended = self._server.stop(grace=timeout_s)

    def finish_stop(self, *, timeout_s: float) -> None:
        """Wait until the requests under way have ended, `timeout_s` seconds at most."""
        is_ended = self._ended is not None and self._ended.wait(timeout_s + _MARGIN_S)
        self._pool.shutdown(wait=is_ended)


class _Exports(grpc.GenericRpcHandler):  # type: ignore[type-arg] # it takes none at run time
    """Knows the three export methods; whatever else is called is UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self._handlers = {
            method: grpc.unary_unary_rpc_method_handler(_export(service, signal))
            for method, signal in _METHODS.items()
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return what handles a call; None for a method that there is not."""
        return self._handlers.get(handler_call_details.method)


def _export(service: Service, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def export(payload: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = [(name, value) for name, value in context.invocation_metadata()]
        try:
            service.access.check_token(_authorization(metadata))
            service.intake.check_room()
            with service.admission.claim() as claim:
                claim.grow(len(payload))
                taken = service.intake.take(signal, "protobuf", payload, service.hints_of(metadata))
        except Refusal as refusal:
            service.tally.refuse(refusal)
            context.set_trailing_metadata(((_DETAILS, failure(refusal, "protobuf")),))
            context.abort(_CODES[refusal.answer.grpc_code], refusal.message)
        return success(signal, "protobuf", refused_count=taken.refused_count, message=taken.message)

    return export


def _authorization(metadata: list[tuple[str, str | bytes]]) -> str:
    found = [value for name, value in metadata if name == "authorization" and isinstance(value, str)]
    return found[0] if found else ""
