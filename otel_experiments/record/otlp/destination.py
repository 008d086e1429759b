"""Where one signal goes: an endpoint as the standard variables write it, read for gRPC.

Source: OpenTelemetry specification, protocol/exporter.md, "Endpoint URLs for OTLP/gRPC"; gRPC naming
(`unix:`, `dns:`). What cannot be dialled raises ValueError with the reason; nobody is asked whether it answers.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
_TLS_PORT: Final = 443
_MOST_SHOWN: Final = 200
_HIGHEST_PORT: Final = 65_535
_GRPC_NAMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_NO_GRPC: Final = re.compile(
    r"http1|HTTP/1|SETTINGS frame|http2 header|content-type|frame size|preface", re.IGNORECASE
)
_NO_TLS: Final = re.compile(r"WRONG_VERSION_NUMBER|record layer|packet length too long", re.IGNORECASE)
_UNTRUSTED: Final = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint that gRPC can dial.

    Attributes:
        text: as it was written.
        target: what gRPC is given: `host:port`, or a name such as `unix:///run/otlp.sock`.
        is_plain: without TLS.
        host, port: whom to ask; empty and 0 for names that only gRPC reads.
    """

    text: str
    target: str
    is_plain: bool
    host: str = ""
    port: int = 0

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
        """Return what gRPC said as a sentence for people, where it is known what is behind it."""
        plain = f"http://{self.host}:{self.port}" if self.host else "http://HOST:PORT"
        advice = ""
        if not self.is_plain and _NO_TLS.search(detail):
            why = "https means TLS" if "://" in self.text else "an endpoint without a scheme means TLS"
            advice = f"{why}, and this port speaks none; write {plain}"
        elif self.port == _HTTP_PORT:
            advice = (
                f"{_HTTP_PORT} is the port of OTLP over HTTP, and gRPC is what is sent; write "
                f"{'http' if self.is_plain else 'https'}://{self.host}:{_GRPC_PORT}"
            )
        elif _UNTRUSTED.search(detail):
            advice = "its certificate is not trusted; name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE"
        elif _NO_GRPC.search(detail):
            advice = f"what answers there speaks no gRPC; a collector's gRPC port is usually {_GRPC_PORT}"
        if proxy:
            advice += f"{'; ' if advice else ''}it goes through the proxy {proxy}"
        shown = detail[:_MOST_SHOWN]
        return f"{advice} ({shown})" if advice else shown


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
    if not 0 < port <= _HIGHEST_PORT:
        raise ValueError(f"it names no port between 1 and {_HIGHEST_PORT}")
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?", host):
        raise ValueError("it names no host")
    is_plain = scheme == "http" if scheme else bool(is_insecure)
    shown = f"[{host}]" if ":" in host else host
    return Address(text, f"{shown}:{port}", is_plain, host, port)


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
