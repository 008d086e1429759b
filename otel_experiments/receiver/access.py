"""Who may send: whoever has the token, under a host name of this receiver, and no page of a browser unasked.

Source: RFC 6750 (bearer tokens), the Fetch standard (Origin, CORS). A page of another site can make a browser send
requests to loopback, under its own host name too (DNS rebinding), so `Origin` and `Host` are looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.receiver.refusal import Reason, Refusal

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Access:
    """What a request has to show.

    Attributes:
        token: the bearer token; None where none is wanted.
        origins: pages of these origins may send, such as `https://app.example`; `*` stands for all.
        hosts: names under which HTTP requests may come; None for any, which is right where a token is wanted.
    """

    token: str | None = None
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None

    def check_token(self, authorization: str) -> None:
        """Let a request pass that has the token.

        Raises:
            Refusal: it has none, or another.
        """
        if self.token is None:
            return
        scheme, _, given = authorization.partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not is_right:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "The request has no valid token. Send the header 'Authorization: Bearer TOKEN', for OpenTelemetry's "
                "exporters by OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20TOKEN'.",
            )

    def check_host(self, host: str) -> None:
        """Let a request pass that was sent to a name of this receiver; one without a name is of HTTP 1.0.

        Raises:
            Refusal: the name is another.
        """
        if self.hosts is None or not host:
            return
        name = _without_port(host)
        if name not in self.hosts:
            raise Refusal(
                Reason.FORBIDDEN,
                f"The request was sent to the host {name[:80]!r}, which is no name of this receiver. "
                f"Send it to one of {', '.join(sorted(self.hosts))}, or start the receiver with that name allowed.",
            )

    def check_origin(self, origin: str) -> None:
        """Let a request pass that is of no page, or of an allowed one.

        Raises:
            Refusal: a page of another origin sent it.
        """
        if origin and not self.allows_origin(origin):
            raise Refusal(
                Reason.FORBIDDEN,
                f"Pages of {origin[:80]!r} may not send here. Start the receiver with that origin allowed.",
            )

    def allows_origin(self, origin: str) -> bool:
        """Tell whether pages of the origin may send."""
        return origin in self.origins or "*" in self.origins


def hosts_of(names: Sequence[str]) -> frozenset[str]:
    """Return the names under which a receiver on loopback is reached: those of loopback, and the given ones."""
    return _LOOPBACK_NAMES | {_without_port(name) for name in names}


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower().rstrip(".")
