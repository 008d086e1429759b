"""Where the receiver listens: `HOST:PORT` as users type it, and whether only this machine can reach it."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from otel_experiments.errors import ConfigurationError

_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]\s/]+)):(?P<port>[0-9]{1,5})")
_LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 is one that the system picks."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can connect."""
        if self.host.lower().removesuffix(".") == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return _is_short_loopback(self.host)


def _is_short_loopback(host: str) -> bool:
    """Return whether the text is one that the system takes for an address of loopback, such as `127.1`."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)).is_loopback
    except (OSError, UnicodeEncodeError):
        return False


def parse_address(text: str, *, setting: str) -> Address:
    """Return the address that a user typed.

    Raises:
        ConfigurationError: the text is no address.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > _LARGEST_PORT:
        raise ConfigurationError(
            f"The receiver cannot listen on {text!r} ({setting}): it is not HOST:PORT.\n"
            "  Examples: 127.0.0.1:4317, [::1]:4317, 0.0.0.0:4317; port 0 takes a free one."
        )
    return Address(found["v6"] or found["host"], int(found["port"]))


def cannot_listen(address: Address, *, setting: str, why: str) -> ConfigurationError:
    """Return the error for an address that the system does not give."""
    return ConfigurationError(
        f"The receiver cannot listen on {address} ({setting}): {why}.\n"
        f"  Stop what listens there (another receiver, a Collector), or choose another port: {Address(address.host, 0)} takes a free one."
    )


def check_free(address: Address, *, setting: str) -> None:
    """Let an address pass that the system would give, for a server that does not say why it does not get one.

    Raises:
        ConfigurationError: each of the addresses that the host stands for is taken, or may not be used.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise cannot_listen(address, setting=setting, why=error.strerror or str(error)) from error
    problem: OSError | None = None
    for family, kind, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
        except OSError as error:
            problem = error
        else:
            return
    if problem is not None:
        raise cannot_listen(address, setting=setting, why=problem.strerror or str(problem)) from problem
