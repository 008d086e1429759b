"""Where one signal goes: an endpoint as the standard variables write it, read for gRPC or for HTTP.

Source: OpenTelemetry specification, protocol/exporter.md, "Endpoint URLs for OTLP/HTTP" and "... for OTLP/gRPC"; gRPC
naming (`unix:`, `dns:`). What cannot be dialled raises ValueError with the reason; nobody is asked whether it answers.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
_PLAIN_PORT: Final = 80
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_TLS_PORT: Final = 443
_MOST_SHOWN: Final = 200
_HIGHEST_PORT: Final = 65_535
_GRPC_NAMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_NO_GRPC: Final = re.compile(
    r"http1|HTTP/1|SETTINGS frame|http2 header|content-type|frame size|preface", re.IGNORECASE
)
_NO_TLS: Final = re.compile(r"WRONG_VERSION_NUMBER|record layer|packet length too long", re.IGNORECASE)
_NO_HTTP: Final = re.compile(r"BadStatusLine|RemoteDisconnected|UnknownProtocol|LineTooLong", re.IGNORECASE)
_WANTS_TLS: Final = re.compile(r"HTTP request (was sent )?to (an )?HTTPS|\\x15\\x03", re.IGNORECASE)
_WANTS_CERTIFICATE: Final = re.compile(
    r"certificate required|handshake failure|alert bad certificate|CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE",
    re.IGNORECASE,
)
_HUNG_UP: Final = re.compile(
    r"SSLEOFError|EOF occurred in violation of protocol|UNEXPECTED_EOF", re.IGNORECASE
)
_EXPIRED: Final = re.compile(r"certificate has expired|CERTIFICATE_EXPIRED", re.IGNORECASE)
_OTHER_HOST: Final = re.compile(
    r"hostname mismatch|IP address mismatch|is not valid for|Hostname Verification Check failed|peer name .* is not in",
    re.IGNORECASE,
)
_UNTRUSTED: Final = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerificationError", re.IGNORECASE
)

_CLIENT_FILES: Final = "name it in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
_ABOUT_CERTIFICATES: Final = (
    (
        _OTHER_HOST,
        "its certificate is one of another host; name the host that the certificate names in the endpoint",
    ),
    (_EXPIRED, "its certificate has expired; renew it where the endpoint runs"),
    (
        _UNTRUSTED,
        "its certificate is not trusted; name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE",
    ),
    (_WANTS_CERTIFICATE, f"it asks for a certificate of the client; {_CLIENT_FILES}"),
    (
        _HUNG_UP,
        f"it hung up when TLS was set up, as one does that asks for a certificate of the client; {_CLIENT_FILES}",
    ),
)
"""What a text of TLS is about, and what to do; the first that fits."""


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint that can be dialled.

    Attributes:
        text: as it was written.
        target: what gRPC is given: `host:port`, or a name such as `unix:///run/otlp.sock`; for messages in either case.
        is_plain: without TLS.
        host, port: whom to ask; empty and 0 for names that only gRPC reads.
        path: what is posted to over HTTP, with its query; empty for gRPC.
        login: `user:password` of the URL, for HTTP.
    """

    text: str = field(repr=False)  # it may hold a password
    target: str
    is_plain: bool
    host: str = ""
    port: int = 0
    path: str = ""
    login: str = field(default="", repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        if self.host.lower() == "localhost" or self.target.startswith("unix"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def explain(self, detail: str, proxy: str = "") -> str:
        """Return what the transport said as a sentence for people, where it is known what is behind it."""
        advice = self._advice(detail)
        if proxy:
            advice += f"{'; ' if advice else ''}it goes through the proxy {proxy}"
        shown = detail[:_MOST_SHOWN]
        return f"{advice} ({shown})" if advice and shown else advice or shown

    def _advice(self, detail: str) -> str:
        plain = f"http://{self._shown_host}:{self.port}" if self.host else "http://HOST:PORT"
        if not self.is_plain and _NO_TLS.search(detail):
            why = "https means TLS" if "://" in self.text else "an endpoint without a scheme means TLS"
            return f"{why}, and this port speaks none; write {plain}"
        for pattern, advice in _ABOUT_CERTIFICATES:
            if pattern.search(detail) and not (self.is_plain and pattern in {_WANTS_CERTIFICATE, _HUNG_UP}):
                return advice
        return self._http_advice(detail) if self.path else self._grpc_advice(detail)

    def _grpc_advice(self, detail: str) -> str:
        if self.port == _HTTP_PORT:
            return (
                f"{_HTTP_PORT} is the port of OTLP over HTTP, and gRPC is what is sent; write "
                f"{'http' if self.is_plain else 'https'}://{self._shown_host}:{_GRPC_PORT}, or set {_PROTOCOL}=http/protobuf"
            )
        if _NO_GRPC.search(detail):
            return (
                f"what answers there speaks no gRPC; a collector's gRPC port is usually {_GRPC_PORT}; for one of HTTP set "
                f"{_PROTOCOL}=http/protobuf"
            )
        return ""

    def _http_advice(self, detail: str) -> str:
        if self.is_plain and _WANTS_TLS.search(detail):
            return f"this port speaks TLS; write https://{self._shown_host}:{self.port}"
        if not _NO_HTTP.search(detail):
            return ""
        if self.port == _GRPC_PORT:
            return (
                f"{_GRPC_PORT} is the port of OTLP over gRPC, and HTTP is what is sent; write port {_HTTP_PORT}, or set "
                f"{_PROTOCOL}=grpc"
            )
        return (
            f"what answers there speaks no HTTP/1.1; a collector's port for it is usually {_HTTP_PORT}; for one of gRPC "
            f"set {_PROTOCOL}=grpc"
        )

    @property
    def _shown_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def read_address(text: str, *, is_insecure: bool | None) -> Address:
    """Return the address that an endpoint's text means.

    Args:
        text: what the variable holds.
        is_insecure: what `OTEL_EXPORTER_OTLP_INSECURE` says; it decides where the text has no scheme.

    Raises:
        ValueError: it cannot be dialled; the message says why.
    """
    text = text.strip()
    lowered = text.lower()
    if lowered.startswith(_GRPC_NAMES):
        is_local = lowered.startswith(("unix:", "unix-abstract:", "vsock:"))
        return Address(text, text, is_local or bool(is_insecure))
    url = _URL.fullmatch(text)
    scheme = url.group(1).lower() if url else ""
    if scheme not in {"", "http", "https"}:
        raise ValueError(f"{scheme}:// is no scheme that can be sent to")
    host, port = _host_and_port(url.group(2) if url else text)
    if port is None:
        port = _TLS_PORT if scheme == "https" else _GRPC_PORT
    _check(host, port)
    is_plain = scheme == "http" if scheme else bool(is_insecure)
    shown = f"[{host}]" if ":" in host else host
    return Address(text, f"{shown}:{port}", is_plain, host, port)


def read_url(text: str, *, suffix: str) -> Address:
    """Return the address that an endpoint's text means over HTTP.

    Args:
        text: a URL.
        suffix: what the signal adds to its path, such as `v1/traces`; empty where the URL is to be used as it is.

    Raises:
        ValueError: it cannot be dialled; the message says why.
    """
    text = text.strip()
    url = _URL.fullmatch(text)
    if url is None:
        raise ValueError("over HTTP it needs a scheme, http:// or https://")
    scheme = url.group(1).lower()
    if scheme not in {"http", "https"}:
        raise ValueError(f"{scheme}:// is no scheme that can be sent to over HTTP")
    host, port = _host_and_port(url.group(2))
    if port is None:
        port = _TLS_PORT if scheme == "https" else _PLAIN_PORT
    _check(host, port)
    parts = urlsplit(text)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/"
    if suffix:
        path = f"{path.rstrip('/')}/{suffix}"
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    shown = f"[{host}]" if ":" in host else host
    login = unquote(parts.netloc.rpartition("@")[0])
    return Address(text, f"{shown}:{port}", scheme == "http", host, port, path, login)


def _check(host: str, port: int) -> None:
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"it names no port between 1 and {_HIGHEST_PORT}")
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?", host):
        raise ValueError("it names no host")


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Return host and port of `host:port/path`; -1 for a port that is none, no host where there is none."""
    try:
        parts = urlsplit(f"//{text}")
        host = parts.hostname or ""
    except ValueError:  # brackets that do not close
        return "", _GRPC_PORT
    try:
        return host, parts.port
    except ValueError:
        return host, -1
