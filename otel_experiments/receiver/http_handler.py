"""One HTTP connection: its requests, one after the other, and their answers.

Source: OTLP specification 1.11, "OTLP/HTTP"; the Fetch standard for CORS.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedReader
from typing import Final, Protocol, cast

from otel_experiments.model.received import Encoding
from otel_experiments.model.signal import Signal
from otel_experiments.receiver.answer import failure, success
from otel_experiments.receiver.body import too_large, whole_body
from otel_experiments.receiver.connections import Connections
from otel_experiments.receiver.http_framing import FramedBody, HeaderLines
from otel_experiments.receiver.intake import stopping
from otel_experiments.receiver.refusal import Reason, Refusal
from otel_experiments.receiver.service import Service

IDLE_S: Final = 60.0
"""How long a read may wait for bytes."""
_SIGNALS: Final[Mapping[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/metrics": "metrics",
    "/v1/logs": "logs",
}
_ENCODINGS: Final[Mapping[str, Encoding]] = {
    "application/x-protobuf": "protobuf",
    "application/json": "json",
}
_TYPES: Final[Mapping[Encoding, str]] = {encoding: name for name, encoding in _ENCODINGS.items()}
_PLAIN: Final = "text/plain; charset=utf-8"
_PLAIN_REASONS: Final = frozenset({Reason.WRONG_METHOD, Reason.WRONG_TYPE, Reason.NOT_FOUND})
"""What a client that speaks no OTLP may run into is said in plain text."""


class HttpHost(Protocol):
    """What a connection needs of the server that it belongs to."""

    service: Service
    connections: Connections
    is_stopping: bool


class HttpHandler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True
    headers: Message

    def parse_request(self) -> bool:
        """Read the headers; False when the request was answered already. See `BaseHTTPRequestHandler`."""
        stream = cast("BufferedReader", self.rfile)
        lines = HeaderLines(stream)
        self.rfile = cast("BufferedReader", lines)  # the base class calls readline only
        try:
            is_parsed = super().parse_request()
        finally:
            self.rfile = stream
        if is_parsed and (lines.wrong is not None or not lines.is_whole):
            found = (lines.wrong or b"")[:40]
            self.send_error(
                HTTPStatus.BAD_REQUEST,
                f"The request cannot be read: {found!r} is not a header. It was not stored.",
            )
            return False
        return is_parsed

    def do_POST(self) -> None:
        """Take an export request."""
        server = cast("HttpHost", self.server)
        server.connections.note_busy(self.connection)
        self._body: FramedBody | None = None
        self._encoding: Encoding = _ENCODINGS.get(self.headers.get_content_type(), "protobuf")
        try:
            answer = self._taken()
        except Refusal as refusal:
            server.service.tally.refuse(refusal)
            self._refuse(refusal)
        else:
            self._respond(HTTPStatus.OK, _TYPES[self._encoding], answer)
        finally:
            server.connections.note_idle(self.connection)

    def do_OPTIONS(self) -> None:
        """Answer a browser that asks whether a page may send."""
        access = cast("HttpHost", self.server).service.access
        origin = self.headers.get("Origin", "")
        if not origin or not access.allows_origin(origin):
            self._wrong_method()
            return
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = (
                True  # a body is not read here, and must not be taken for the next request
            )
        asked = self.headers.get("Access-Control-Request-Headers", "content-type")
        self._respond(
            HTTPStatus.NO_CONTENT,
            "",
            b"",
            {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": asked if asked.isprintable() else "content-type",
                "Access-Control-Max-Age": "3600",
            },
        )

    def _wrong_method(self) -> None:
        tally = cast("HttpHost", self.server).service.tally
        self._body = None
        self._encoding = "protobuf"
        if self._path() in _SIGNALS:
            refusal = Refusal(Reason.WRONG_METHOD, f"{self.command[:20]} is not taken here; send a POST.")
        else:
            refusal = self._unknown_path()
        tally.refuse(refusal)
        self._refuse(refusal)

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = _wrong_method  # noqa: N815 - names of the base class

    def _taken(self) -> bytes:
        """Take the request, and return the answer.

        Raises:
            Refusal: it is not taken.
        """
        server = cast("HttpHost", self.server)
        service = server.service
        access, limits = service.access, service.limits
        self._body = body = FramedBody(cast("BufferedReader", self.rfile), self.headers)
        if server.is_stopping:
            raise stopping()
        access.check_host(self.headers.get("Host", ""))
        access.check_origin(self.headers.get("Origin", ""))
        signal = _SIGNALS.get(self._path())
        if signal is None:
            raise self._unknown_path()
        access.check_token(self.headers.get("Authorization", ""))
        encoding = self._found_encoding()
        service.intake.check_room()
        if body.declared_bytes > limits.request_bytes:
            raise too_large(limits.request_bytes)
        with service.admission.claim() as claim:
            coding = self.headers.get("Content-Encoding", "")
            payload = whole_body(body.pieces(), coding, limit_bytes=limits.request_bytes, claim=claim)
            taken = service.intake.take(signal, encoding, payload, service.hints_of(self.headers.items()))
        return success(signal, encoding, refused_count=taken.refused_count, message=taken.message)

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _unknown_path(self) -> Refusal:
        return Refusal(
            Reason.NOT_FOUND, f"There is nothing at {self._path()[:80]!r}; send to {', '.join(_SIGNALS)}."
        )

    def _found_encoding(self) -> Encoding:
        kind = self.headers.get_content_type()
        encoding = _ENCODINGS.get(kind)
        if encoding is None or "Content-Type" not in self.headers:
            raise Refusal(
                Reason.WRONG_TYPE,
                f"The content type {self.headers.get('Content-Type', '')[:80]!r} cannot be read here; "
                f"send {' or '.join(_ENCODINGS)}.",
            )
        return encoding

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal, then read what the client still sends: else it may never see the answer."""
        status = HTTPStatus(refusal.answer.http_status)
        more = {}
        if refusal.retry_after_s is not None:
            more["Retry-After"] = str(refusal.retry_after_s)
        if refusal.reason is Reason.UNAUTHENTICATED:
            more["WWW-Authenticate"] = "Bearer"
        if refusal.reason is Reason.WRONG_METHOD:
            more["Allow"] = "POST"
        is_read = self._body is not None and self._body.is_read
        if not is_read:
            self.close_connection = True
        if refusal.reason in _PLAIN_REASONS:
            self._respond(status, _PLAIN, f"{refusal.message}\n".encode(), more)
        else:
            self._respond(status, _TYPES[self._encoding], failure(refusal, self._encoding), more)
        if self._body is not None and not is_read:
            self._body.discard()

    def _respond(
        self, status: HTTPStatus, kind: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> None:
        server = cast("HttpHost", self.server)
        is_misframed = self.request_version == "HTTP/1.0" and "Transfer-Encoding" in self.headers
        if (
            server.is_stopping or is_misframed
        ):  # a proxy may see the end of such a body elsewhere: RFC 9112, 6.1
            self.close_connection = True
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Date: {self.date_time_string()}"]
        if kind:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (more or {}).items()]
        origin = self.headers.get("Origin", "")
        if origin and origin.isprintable() and server.service.access.allows_origin(origin):
            lines += [f"Access-Control-Allow-Origin: {origin}", "Vary: Origin"]
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        self.wfile.write(head if self.command == "HEAD" else head + body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot even be parsed; see `BaseHTTPRequestHandler`."""
        status = HTTPStatus(code)
        text = f"{message or explain or status.phrase}\n"
        cast("HttpHost", self.server).service.tally.refuse(Refusal(Reason.INVALID, text.strip()[:200]))
        self.close_connection = True
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {_PLAIN}\r\n"
            f"Content-Length: {len(text.encode())}\r\nConnection: close\r\n\r\n"
        )
        self.wfile.write(head.encode("latin-1") + text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write nothing: what is refused is counted, and said once a reason."""
