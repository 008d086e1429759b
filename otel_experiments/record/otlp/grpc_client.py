"""One attempt to send one OTLP request over gRPC, and what became of it.

A request comes as the bytes that are sent, whoever encoded it, and leaves by gRPC's generic call; endpoint, headers,
credentials and compression come from a `Destination`. The SDK's exporters are not used: their retry draws from the global `random` at each failure, which would change the
experiment, logs a line for each of its tries, does not tell a refusal that lasts from one that passes, and an
environment meant for other programs makes them raise.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, Final, cast

import grpc

from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.otlp.answer import Outcome, judge_refusal, read_response
from otel_experiments.record.otlp.environment import Destination

_LONGEST_RECONNECT_MS: Final = 2_000
_PROBE_S: Final = 5.0
_CLOSED: Final = Outcome(is_taken=False, is_passing=True, is_unreachable=True, detail="it was shut down")

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
"""Source: opentelemetry-proto, collector/*/v1/*_service.proto."""


class GrpcClient:
    """Sends the requests of one signal to its destination.

    Making one connects to nobody. `send` never raises.

    Raises:
        Exception: whatever a foreign provider of credentials raises.
    """

    def __init__(self, destination: Destination, *, user_agent: str) -> None:
        self.destination = destination
        self._user_agent = user_agent
        self._is_closed = False
        self._has_tls = destination.address.is_plain
        self._lock = threading.RLock()  # a signal handler may end what it interrupts
        self._channel: grpc.Channel | None = None
        self._export = self._connect()

    def send(self, body: bytes) -> Outcome:
        """Try once to send one encoded request."""
        if self._is_closed:
            return _CLOSED
        start_s = time.monotonic()
        if not self._has_tls and (refusal := self._probe_tls()) is not None:
            return refusal
        try:
            if self._channel is None:
                self._export = self._connect()
            response = self._export(
                body, metadata=self.destination.headers, timeout=self.destination.timeout_s
            )
        except grpc.RpcError as error:
            return self._refused(error, time.monotonic() - start_s)
        except Exception as error:  # noqa: BLE001 - "Cannot invoke RPC on closed channel!": `close` came in between
            return Outcome(is_taken=False, is_passing=True, is_unreachable=True, detail=str(error))
        return read_response(self.destination.signal, response)

    def close(self) -> None:
        """Close the channel, which ends a request that still waits for its answer. Safe to call twice."""
        self._is_closed = True
        self._disconnect()

    def _connect(self) -> Callable[..., Any]:
        with self._lock, SignalsWait():  # the threads that gRPC starts inherit it
            if self._is_closed:  # no channel is made once the process ends: nobody would close it
                raise ValueError(_CLOSED.detail)
            self._channel = channel = _open_channel(self.destination, self._user_agent)
        # By name: a method that is registered with the channel is a call into gRPC's core, at exit one into freed memory.
        return cast("Callable[..., Any]", channel.unary_unary(_METHODS[self.destination.signal], None, None))

    def _disconnect(self) -> None:
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _refused(self, error: Any, took_s: float) -> Outcome:
        destination = self.destination
        outcome = judge_refusal(
            error.code(),
            error.details(),
            error.trailing_metadata(),
            took_s=took_s,
            is_timed_out=took_s >= 0.9 * destination.timeout_s,
            explain=lambda said: destination.address.explain(said, destination.proxy),
        )
        if outcome.is_unreachable:
            self._disconnect()  # a channel keeps what it met for a while, and would not look again for the next request
        if error.code() is grpc.StatusCode.UNAVAILABLE and (refusal := self._refusal_without_certificate()):
            return replace(outcome, detail=f"{outcome.detail}; {destination.address.explain(refusal)}")
        return outcome

    def _refusal_without_certificate(self) -> str:
        """Return what TLS says to a client that shows no certificate, where we show none: gRPC does not tell.

        With TLS 1.3 the refusal comes after the handshake, so it is read for. Empty where the endpoint goes on.
        """
        address, destination = self.destination.address, self.destination
        is_asked = not address.is_plain and address.host and not destination.proxy
        if not is_asked or destination.client_certificate is not None or destination.credential_provider:
            return ""
        try:
            connection = self._tls_connection()
        except (OSError, ValueError):
            return ""  # it is not there, or has a certificate of which gRPC says what is wrong
        try:
            with connection:
                return "" if connection.recv(1) else "UNEXPECTED_EOF"
        except TimeoutError:
            return ""
        except OSError as error:
            return f"{error}" if isinstance(error, ssl.SSLError) else "UNEXPECTED_EOF"

    def _tls_connection(self) -> ssl.SSLSocket:
        """Return a connection that trusts everybody, to look at what the port says; it sends nothing."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        address = self.destination.address
        timeout_s = min(_PROBE_S, self.destination.timeout_s)
        connection = socket.create_connection((address.host, address.port), timeout=timeout_s)
        try:
            return context.wrap_socket(connection, server_hostname=address.host)
        except BaseException:
            connection.close()
            raise

    def _probe_tls(self) -> Outcome | None:
        """See once that the port speaks TLS: gRPC would write to stderr, past all logging, that it does not."""
        address, destination = self.destination.address, self.destination
        if not address.host or destination.proxy:
            self._has_tls = True
            return None
        try:
            self._tls_connection().close()
        except ssl.SSLError as error:
            if "WRONG_VERSION_NUMBER" not in str(error) and "record layer" not in str(error):
                self._has_tls = True  # it does, and wants something of us that gRPC may have
                return None
            said = address.explain(f"{error.reason or error}")
            return Outcome(
                is_taken=False,
                is_passing=True,
                is_unreachable=True,
                detail=f"no TLS: {said}",
            )
        except (OSError, ValueError):
            return None  # gRPC tells what is wrong
        self._has_tls = True
        return None


def _open_channel(destination: Destination, user_agent: str) -> grpc.Channel:
    address = destination.address
    options: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", user_agent),
        ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_MS),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if address.is_loopback:
        options.append(("grpc.enable_http_proxy", 0))
    compression = grpc.Compression.Gzip if destination.is_compressed else grpc.Compression.NoCompression
    if address.is_plain:
        return grpc.insecure_channel(address.target, options=options, compression=compression)
    return grpc.secure_channel(
        address.target, _credentials(destination), options=options, compression=compression
    )


def _credentials(destination: Destination) -> grpc.ChannelCredentials:
    if destination.credential_provider:
        (found, *_) = entry_points(
            group="opentelemetry_otlp_credential_provider", name=destination.credential_provider
        )
        return cast("grpc.ChannelCredentials", found.load()())
    return grpc.ssl_channel_credentials(
        root_certificates=destination.authority,
        private_key=destination.client_key,
        certificate_chain=destination.client_certificate,
    )
