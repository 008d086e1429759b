"""OTLP over gRPC: generic handlers that get the bytes of a request as they came, and give back the bytes of an answer.

No generated service is used: it would parse the request into objects that nobody needs here.

Source: OTLP specification 1.11, "OTLP/gRPC" and its throttling by RetryInfo.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from otel_experiments.model.signal import Signal
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.receiver.address import Address, cannot_listen, check_free
from otel_experiments.receiver.answer import failure, success
from otel_experiments.receiver.refusal import Reason, Refusal
from otel_experiments.receiver.service import Service
from otel_experiments.receiver.tls import Tls

_WORKERS: Final = 16
"""Requests that are read and looked at, at once; each may hold a body of the largest size before it is admitted."""
_PATIENCE_S: Final = 30.0
"""How long a call may wait for its message while others wait for a worker."""
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
    """Knows the three export methods; whatever else is called is UNIMPLEMENTED.

    The methods are declared as taking a stream, which looks the same to a client: so a call is refused without its
    message, and one that sends none can be ended.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._silent = _Silent()
        self._handlers = {
            method: grpc.stream_unary_rpc_method_handler(_export(service, signal, self._silent))
            for method, signal in _METHODS.items()
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return what handles a call; None for a method that there is not."""
        self._silent.end_oldest()
        return self._handlers.get(handler_call_details.method)


class _Silent:
    """The calls whose message has not come yet: each holds a worker, so those that last too long are ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_s: dict[grpc.ServicerContext, float] = {}

    def message_of(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Wait for the message of a call.

        Raises:
            Refusal: there is none, or it was waited for too long.
        """
        with self._lock:
            self._since_s[context] = time.monotonic()
        try:
            return next(messages)
        except StopIteration:
            raise Refusal(Reason.INVALID, "The call has no message. Send a request in it.") from None
        finally:
            with self._lock:
                self._since_s.pop(context, None)

    def end_oldest(self) -> None:
        """Where all workers wait for messages, end the calls that have been silent for too long."""
        with self._lock:
            if len(self._since_s) < _WORKERS:
                return
            before_s = time.monotonic() - _PATIENCE_S
            late = [context for context, since_s in self._since_s.items() if since_s <= before_s]
        for context in late:
            context.cancel()  # type: ignore[no-untyped-call] # a client may send a cancelled request again


def _export(
    service: Service, signal: Signal, silent: _Silent
) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
    def export(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        metadata = [(name, value) for name, value in context.invocation_metadata()]
        try:
            service.access.check_token(_authorization(metadata))
            service.intake.check_room()
            payload = silent.message_of(messages, context)
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
