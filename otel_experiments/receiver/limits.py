"""How much a receiver takes: of one request, of all at once, and before the store has caught up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from otel_experiments.errors import ConfigurationError

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a receiver, in bytes.

    Attributes:
        request_bytes: the body of one request, before and after it is decompressed.
        in_flight_bytes: the bodies of all requests that are in memory; at least one is always let in.
        backlog_bytes: what is journalled and not stored yet.

    Raises:
        ConfigurationError: a limit that is no whole number above zero.
    """

    request_bytes: int = 64 * MIB
    in_flight_bytes: int = 128 * MIB
    backlog_bytes: int = 4096 * MIB

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(
                    f"The limit {one.name}={value!r} of a receiver cannot be used: it is no whole number above zero.\n"
                    "  Pass a number of bytes, such as Limits(request_bytes=16 << 20)."
                )
