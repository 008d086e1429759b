"""Where the receiver listens: `HOST:PORT` as users type it, and whether only this machine can reach it."""

from __future__ import annotations

import ipaddress
import re
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
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: str, *, setting: str) -> Address:
    """Return the address that a user typed.

    Raises:
        ConfigurationError: the text is no address.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > _LARGEST_PORT:
        raise ConfigurationError(
            f"The receiver cannot listen on {setting}={text!r}: it is not HOST:PORT.\n"
            "  Examples: 127.0.0.1:4317, [::1]:4317, 0.0.0.0:4317; port 0 takes a free one."
        )
    return Address(found["v6"] or found["host"], int(found["port"]))


def cannot_listen(address: Address, *, setting: str, why: str) -> ConfigurationError:
    """Return the error for an address that the system does not give."""
    return ConfigurationError(
        f"The receiver cannot listen on {address} ({setting}): {why}.\n"
        f"  Stop what listens there (another receiver, a Collector), or choose another port: {setting}={Address(address.host, 0)} takes a free one."
    )
