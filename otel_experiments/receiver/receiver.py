"""The receiver: listens for OTLP and keeps in a store what it acknowledges."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from otel_experiments.errors import ConfigurationError
from otel_experiments.receiver.access import Access, hosts_of
from otel_experiments.receiver.address import Address, parse_address
from otel_experiments.receiver.admission import Admission
from otel_experiments.receiver.counts import ReceiverCounts, Tally
from otel_experiments.receiver.grpc_server import GrpcServer
from otel_experiments.receiver.http_server import HttpServer
from otel_experiments.receiver.intake import Intake
from otel_experiments.receiver.limits import Limits
from otel_experiments.receiver.service import Service
from otel_experiments.receiver.storage import ReceiverStorage
from otel_experiments.receiver.tls import Tls, load_tls
from otel_experiments.record.base.settings import Settings

GRPC_ADDRESS: Final = "127.0.0.1:4317"
HTTP_ADDRESS: Final = "127.0.0.1:4318"
"""Where OpenTelemetry's exporters send by default."""


class Receiver:
    """Receives OTLP from any program and keeps it in a store: runs of other processes, machines and languages.

    It listens from its making on. Use it with `with`, or call `close`.

        with Receiver(store="experiments.db", grpc=None, http="127.0.0.1:0") as receiver:
            print(receiver.http_port)

    What it answers with success is on the disk and survives this process; what cannot be taken now is refused with
    the request to send it again.

    Args:
        store: the file of the store; by default the setting, else `experiments.db`.
        grpc: where to listen for OTLP over gRPC, as `HOST:PORT`; port 0 takes a free one, None listens nowhere.
        http: the same for OTLP over HTTP, in protobuf and JSON.
        token: what clients have to send as `Authorization: Bearer TOKEN`; demanded for addresses that other machines
            can reach.
        tls_cert: the file of the certificate chain in PEM, and with it the whole receiver speaks TLS.
        tls_key: the file of its private key in PEM.
        allowed_origins: pages of browsers that may send over HTTP, such as `https://app.example`; none by default.
        allowed_hosts: further names under which HTTP requests may come to a receiver on loopback.
        limits: how much it takes at once.

    Raises:
        ConfigurationError: an argument or setting that cannot be used, an address that cannot be had.
        StoreError: the store cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each argument is one setting of the server
        self,
        store: str | os.PathLike[str] | None = None,
        *,
        grpc: str | None = GRPC_ADDRESS,
        http: str | None = HTTP_ADDRESS,
        token: str | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        allowed_origins: tuple[str, ...] | list[str] = (),
        allowed_hosts: tuple[str, ...] | list[str] = (),
        limits: Limits | None = None,
    ) -> None:
        settings = Settings.resolve(store=store)
        limits = limits or Limits()
        self._addresses = addresses = {
            name: parse_address(text, setting=name)
            for name, text in (("grpc", grpc), ("http", http))
            if text is not None
        }
        _check_addresses(addresses, token)
        self._tls = tls = load_tls(tls_cert, tls_key)
        self._exit_timeout_s = settings.exit_timeout_s
        self._tally = Tally()
        self._admission = Admission(limits.in_flight_bytes)
        self._servers: list[GrpcServer | HttpServer] = []
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None
        self._is_closed = False
        self._is_stored = False
        self._storage = ReceiverStorage(settings, backlog_bytes=limits.backlog_bytes)
        self._intake = Intake(self._storage, self._tally)
        is_private = all(address.is_loopback for address in addresses.values())
        access = Access(
            token=token,
            origins=frozenset(allowed_origins),
            hosts=hosts_of(allowed_hosts) if is_private else None,
        )
        service = Service(
            self._intake, access, self._admission, limits, self._tally, self._storage.hint_names
        )
        try:
            self._listen(addresses, service, tls)
        except BaseException:
            self.close()
            raise

    def _listen(self, addresses: dict[str, Address], service: Service, tls: Tls | None) -> None:
        if "http" in addresses:
            self._http = HttpServer(addresses["http"], service, tls)
            self._servers.append(self._http)
        if "grpc" in addresses:
            self._grpc = GrpcServer(addresses["grpc"], service, tls)
            self._servers.append(self._grpc)
        for server in self._servers:
            server.start()

    @property
    def store_path(self) -> Path | None:
        """The file of the store; None for a store elsewhere, such as PostgreSQL."""
        return self._storage.path

    @property
    def grpc_port(self) -> int | None:
        """The port of gRPC; None where it does not listen for it."""
        return None if self._grpc is None else self._grpc.port

    @property
    def http_port(self) -> int | None:
        """The port of HTTP; None where it does not listen for it."""
        return None if self._http is None else self._http.port

    @property
    def grpc_endpoint(self) -> str | None:
        """What exporters for gRPC are given as their endpoint; None where it does not listen for it."""
        return None if self._grpc is None else self._endpoint("grpc", self._grpc.port)

    @property
    def http_endpoint(self) -> str | None:
        """What exporters for HTTP are given as their endpoint; None where it does not listen for it."""
        return None if self._http is None else self._endpoint("http", self._http.port)

    @property
    def takes_token_in_clear(self) -> bool:
        """Whether other machines send a token here that everybody between can read."""
        return self._tls is None and any(not address.is_loopback for address in self._addresses.values())

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._is_closed

    @property
    def in_flight_bytes(self) -> int:
        """How many bytes of requests are in memory now."""
        return self._admission.taken_bytes

    @property
    def counts(self) -> ReceiverCounts:
        """What was received and refused so far."""
        return self._tally.counts()

    @property
    def damages(self) -> list[str]:
        """What was received and could not be stored, one text each."""
        return self._storage.damages

    def _endpoint(self, name: str, port: int) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{Address(self._addresses[name].host, port)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, *, timeout_s: float | None = None) -> bool:
        """Refuse new requests, finish those under way, store what is journalled, and let go. Safe to call twice.

        Args:
            timeout_s: how long each of the two may take, in seconds; by default the setting of exit.

        Returns:
            True when everything is stored, also when it is called again. Else the rest is in the journal, and whoever opens
            the store next stores it.
        """
        if self._is_closed:
            return self._is_stored
        self._is_closed = True
        timeout_s = self._exit_timeout_s if timeout_s is None else timeout_s
        due_s = time.monotonic() + timeout_s
        if self._grpc is not None:
            self._grpc.begin_stop(timeout_s=timeout_s)
        if self._http is not None:
            self._http.begin_stop()
        for server in self._servers:
            server.finish_stop(timeout_s=max(due_s - time.monotonic(), 0.1))
        self._intake.close()
        self._is_stored = self._storage.close(timeout_s=timeout_s)
        return self._is_stored


def _check_addresses(addresses: dict[str, Address], token: str | None) -> None:
    if not addresses:
        raise ConfigurationError(
            "A receiver has nowhere to listen: neither grpc nor http is given.\n"
            f"  Pass one: http={HTTP_ADDRESS!r}"
        )
    if token is not None and (not token or not token.isascii() or not token.isprintable() or " " in token):
        raise ConfigurationError(
            "The token of a receiver cannot be used: it is empty, or has spaces or characters that no header may have.\n"
            "  Make one: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )
    for name, address in addresses.items():
        if token is None and not address.is_loopback:
            raise ConfigurationError(
                f"The receiver does not listen on {address} ({name}) without a token: other machines can reach it.\n"
                "  Pass a token (--token-file FILE), or listen on 127.0.0.1."
            )
