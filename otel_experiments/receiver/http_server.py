"""OTLP over HTTP/1.1: the standard library's threading server, with a bounded number of connections.

Each connection has a thread and may send one request after the other. It is closed when it sends nothing for a while,
at once when the receiver stops, and after its answer when a request is under way then.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from typing import Any, Final

from otel_experiments.process.interruption import Swallowing
from otel_experiments.process.notice import tell
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.receiver.address import Address, cannot_listen
from otel_experiments.receiver.connections import Connections
from otel_experiments.receiver.http_handler import IDLE_S, HttpHandler
from otel_experiments.receiver.service import Service
from otel_experiments.receiver.tls import Tls

logger: Final = logging.getLogger("otel_experiments")
_MOST_CONNECTIONS: Final = 256
_POLL_S: Final = 0.1
_HANDSHAKE_S: Final = 10.0
_TEXT: Final = b"The receiver has too many connections. Send this request again."
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b" % (len(_TEXT), _TEXT)
)


class HttpServer(ThreadingHTTPServer):
    """Listens for OTLP over HTTP.

    Args:
        address: where; port 0 takes a free one.
        service: where requests go.
        tls: certificate and key; None for plain HTTP.

    Attributes:
        is_stopping: connections are closed after their next answer.

    Raises:
        ConfigurationError: the address cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = True  # a port whose last connections are still remembered
    request_queue_size = 128

    def __init__(self, address: Address, service: Service, tls: Tls | None) -> None:
        self.service = service
        self.connections = Connections()
        self.is_stopping = False
        self._tls = tls
        self._looked_s = time.monotonic()
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            super().__init__((address.host, address.port), HttpHandler)
        except (OSError, OverflowError) as error:
            raise cannot_listen(
                address, setting="http", why=getattr(error, "strerror", None) or str(error)
            ) from error
        self._thread = threading.Thread(target=self._serve, name="otel-experiments-http", daemon=True)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Take no more connections and requests."""
        self.is_stopping = True
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        self.connections.end_idle(for_s=0.0)

    def finish_stop(self, *, timeout_s: float) -> None:
        """Wait until the requests under way are answered, `timeout_s` seconds at most."""
        due_s = time.monotonic() + timeout_s
        while not self.connections.wait_for_end(_POLL_S) and time.monotonic() < due_s:
            self.connections.end_idle(for_s=0.0)  # those that were busy a moment ago

    def server_bind(self) -> None:
        """Bind the socket, without the look-up of this machine's name that the base class does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, unless there are too many."""
        if len(self.connections) >= _MOST_CONNECTIONS:
            with Swallowing(OSError):
                request.settimeout(_POLL_S)
                if self._tls is None:
                    request.sendall(_TOO_MANY)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end, in its thread."""
        connection = request
        self.connections.add(connection)
        try:
            if self._tls is not None:
                request.settimeout(_HANDSHAKE_S)
                with self._tls.context.wrap_socket(request, server_side=True) as secured:
                    self.connections.remove(connection)
                    connection = secured
                    self.connections.add(connection)
                    HttpHandler(secured, client_address, self)
            else:
                HttpHandler(request, client_address, self)
        finally:
            self.connections.remove(connection)

    def service_actions(self) -> None:
        """End connections that have been silent for too long; called while waiting for new ones."""
        now_s = time.monotonic()
        if now_s - self._looked_s > 1.0:
            self._looked_s = now_s
            self.connections.end_idle(for_s=IDLE_S)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - of the base class
        """Let a connection end that its client has cut off; see `socketserver`."""
        error = sys.exception()
        if not isinstance(error, OSError):
            tell(logger, "A connection of the receiver ended with an error of its own.", about=error)

    def _serve(self) -> None:
        leave_signals_to_the_program()  # the threads of connections inherit that
        self.serve_forever(poll_interval=_POLL_S)
