"""What sends the requests of one signal, by the protocol of its destination; loads only what that protocol needs."""

from __future__ import annotations

from typing import Protocol

from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.environment import HTTP, Destination


class Client(Protocol):
    """Sends the requests of one signal."""

    def send(self, body: bytes) -> Outcome:
        """Try once to send one encoded request; never raises."""
        ...

    def close(self) -> None:
        """End a request that waits, and send no more. Safe to call twice."""
        ...


def open_client(destination: Destination, *, user_agent: str) -> Client:
    """Return a client for a destination, connected to nobody yet.

    Raises:
        Exception: whatever a foreign provider of credentials raises, or an OSError of a certificate's file.
    """
    if destination.protocol == HTTP:
        from otel_experiments.record.otlp.http_client import HttpClient  # noqa: PLC0415 - only what is used

        return HttpClient(destination, user_agent=user_agent)
    from otel_experiments.record.otlp.grpc_client import GrpcClient  # noqa: PLC0415 - as above

    return GrpcClient(destination, user_agent=user_agent)
