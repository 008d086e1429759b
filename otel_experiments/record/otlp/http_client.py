"""One attempt to send one OTLP request over HTTP, and what became of it.

The standard library's client sends it, over a connection that is kept: the core needs no other package for that. It
follows no redirect, asks for no compressed answer, and reads no more of an answer than a response of OTLP can have.
"""

from __future__ import annotations

import gzip
import http.client
import io
import os
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from otel_experiments.process.interruption import Swallowing
from otel_experiments.record.otlp.answer import HttpAnswer, Outcome, judge_answer
from otel_experiments.record.otlp.environment import Destination

_MOST_READ: Final = 4 << 20
"""A response of OTLP is no larger. Source: opentelemetry-proto, docs/specification.md."""
_LEAST_S: Final = 0.001
_CLOSED: Final = Outcome(is_taken=False, is_passing=True, is_unreachable=True, detail="it was shut down")
_STALE: Final = (http.client.RemoteDisconnected, ConnectionError)
"""How a kept connection fails that the other side has closed meanwhile."""


class HttpClient:
    """Sends the requests of one signal to its destination.

    Making one connects to nobody. `send` never raises.

    Raises:
        OSError: a certificate cannot be read.
    """

    def __init__(self, destination: Destination, *, user_agent: str) -> None:
        self.destination = destination
        self._closed = threading.Event()
        self._sending = threading.Lock()
        self._context = None if destination.address.is_plain else _tls_context(destination)
        self._proxy = urlsplit(destination.proxy_url) if destination.proxy_url else None
        self._headers = _headers_of(destination, user_agent)
        self._connection: http.client.HTTPConnection | None = None
        self._deadline_s = 0.0

    def send(self, body: bytes) -> Outcome:
        """Try once to send one encoded request."""
        if self._closed.is_set():
            return _CLOSED
        with self._sending:
            outcome = self._try(body)
        if self._closed.is_set():
            self.close()
        return outcome

    def close(self) -> None:
        """Close the connection, which ends a request that still waits for its answer. Safe to call twice."""
        self._closed.set()
        if self._sending.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._sending.release()
            return
        connection = self._connection  # the thread that waits for it still reads from it, and closes it then
        if connection is not None and isinstance(connection.sock, socket.socket):
            with Swallowing(OSError):  # it has ended already
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def _try(self, body: bytes) -> Outcome:
        start_s = time.monotonic()
        self._deadline_s = start_s + self.destination.timeout_s
        try:
            if self.destination.is_compressed:
                body = gzip.compress(body, mtime=0)
            answer = self._exchange(body)
        except Exception as error:  # noqa: BLE001 - whatever a foreign server makes of a connection
            self._disconnect()
            return self._failed(error, time.monotonic() - start_s)
        return judge_answer(
            self.destination.signal,
            answer,
            now_s=time.time(),
            took_s=time.monotonic() - start_s,
            explain=self._explain_answer,
        )

    def _exchange(self, body: bytes) -> HttpAnswer:
        is_kept = self._connection is not None
        try:
            return self._post(self._connection or self._connect(), body)
        except _STALE:
            if not is_kept or self._closed.is_set():
                raise
            self._disconnect()
        return self._post(self._connect(), body)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> HttpAnswer:
        if connection.sock is not None:
            connection.sock.settimeout(self._left_s())
        connection.request("POST", self._request_target, body, self._headers)
        response = connection.getresponse()
        content = response.read(_MOST_READ + 1)
        if len(content) > _MOST_READ or response.will_close or not response.isclosed():
            self._disconnect()
        content_type = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        return HttpAnswer(
            response.status,
            response.reason,
            content_type,
            response.getheader("Retry-After") or "",
            response.getheader("Location") or "",
            content,
        )

    @property
    def _request_target(self) -> str:
        address = self.destination.address
        if self._proxy is not None and address.is_plain:
            return f"http://{address.target}{address.path}"
        return address.path

    def _connect(self) -> http.client.HTTPConnection:
        address, proxy = self.destination.address, self._proxy
        host, port, is_tls = address.host, address.port, not address.is_plain
        context = self._context
        if proxy is not None:
            host, port = proxy.hostname or "", proxy.port or (443 if proxy.scheme == "https" else 80)
            if proxy.scheme == "https":
                if not address.is_plain:
                    raise OSError("a proxy that itself speaks TLS cannot be asked for an https endpoint")
                is_tls, context = True, ssl.create_default_context()
        connection: http.client.HTTPConnection
        if is_tls:
            connection = http.client.HTTPSConnection(host, port, timeout=self._left_s(), context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._left_s())
        if proxy is not None and not address.is_plain:
            connection.set_tunnel(address.host, address.port, _proxy_headers(proxy))
        connection.response_class = self._response_class()
        self._connection = connection
        connection.connect()
        if connection.sock is not None:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._closed.is_set():
            raise ConnectionAbortedError("it was shut down")
        return connection

    def _response_class(self) -> type[http.client.HTTPResponse]:
        left_s = self._left_s

        class Response(http.client.HTTPResponse):
            """One that is read within the request's time, however few bytes come at once."""

            def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
                super().__init__(sock, *args, **kwargs)
                self.fp = io.BufferedReader(_TimedReader(sock, self.fp, left_s))

        return Response

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with Swallowing(OSError, ValueError):  # it is gone in either case
                connection.close()

    def _left_s(self) -> float:
        """Return what is left of the request's time.

        Raises:
            TimeoutError: nothing is.
        """
        left_s = self._deadline_s - time.monotonic()
        if left_s < _LEAST_S:
            raise TimeoutError("timed out")
        return left_s

    def _failed(self, error: Exception, took_s: float) -> Outcome:
        if self._closed.is_set():
            return _CLOSED
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        said = self.destination.address.explain(
            " ".join(f"{type(error).__name__}: {reason}".split()), self.destination.proxy
        )
        return Outcome(
            is_taken=False,
            is_passing=True,
            is_unreachable=True,
            detail=f"no answer after {took_s:.1f} s: {said}",
        )

    def _explain_answer(self, said: str) -> str:
        return self.destination.address.explain(said, self.destination.proxy)


class _TimedReader(io.RawIOBase):
    """Reads a socket until a time that is one for all reads."""

    def __init__(self, sock: socket.socket, stream: Any, left_s: Callable[[], float]) -> None:
        self._sock = sock
        self._stream = stream
        self._left_s = left_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._sock.fileno() >= 0:
            self._sock.settimeout(self._left_s())
        count: int | None = self._stream.raw.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _headers_of(destination: Destination, user_agent: str) -> dict[str, str]:
    headers = dict(destination.headers)
    login = destination.address.login
    if login and "authorization" not in headers:
        headers["authorization"] = _basic(login)
    if destination.proxy_url and destination.address.is_plain:
        headers |= _proxy_headers(urlsplit(destination.proxy_url))
    headers.setdefault("user-agent", user_agent)
    headers["content-type"] = "application/x-protobuf"
    if destination.is_compressed:
        headers["content-encoding"] = "gzip"
    return headers


def _proxy_headers(proxy: Any) -> dict[str, str]:
    login = proxy.netloc.rpartition("@")[0]
    return {"proxy-authorization": _basic(unquote(login))} if login else {}


def _basic(login: str) -> str:
    return "Basic " + b64encode(login.encode()).decode("ascii")


def _tls_context(destination: Destination) -> ssl.SSLContext:
    authority = destination.authority
    context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
    if destination.client_files is not None:
        certificate, key = destination.client_files
        context.load_cert_chain(os.fspath(certificate), os.fspath(key), "")
    return context
