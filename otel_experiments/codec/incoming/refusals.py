"""Items of a request that cannot be kept: why one is refused, and how many were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_experiments.errors import TelemetryDecodeError

LATEST_NS: Final = 2**63 - 1
"""The latest time that a store holds, in the year 2262. OTLP has room for later ones."""
TOO_LATE: Final = "a time after the year 2262"
NAMELESS: Final = "no name to be found by"
TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


class RefusedItem(ValueError):  # noqa: N818 - it is one item's fate, and never leaves this package
    """An item cannot be kept; the rest of its request can."""


@dataclass(slots=True)
class Refusals:
    """How many items were refused, and of the first one which it was and why."""

    count: int = 0
    first: str = ""

    def add(self, what: str) -> None:
        """Count an item; `what` says which one it is and what it has."""
        self.count += 1
        self.first = self.first or what

    def merge(self, other: Refusals) -> None:
        """Count what another one has counted."""
        self.count += other.count
        self.first = self.first or other.first


def refuse(what: str, refusals: Refusals | None, *, source: str) -> None:
    """Count a refused item, or raise where nothing counts.

    Raises:
        TelemetryDecodeError: `refusals` is None.
    """
    if refusals is None:
        raise TelemetryDecodeError(source=source, found=what)
    refusals.add(what)


def named(kind: str, name: object) -> str:
    """Return how a message calls an item, whose name may be megabytes long."""
    text = name if isinstance(name, str) else ""
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    return f"the {kind} {shown!r}" if shown else f"a {kind} without a name"


def id_refusal(raw: bytes, size: int, what: str) -> str:
    """Return what is wrong with a required id; nothing when it is one."""
    if len(raw) != size:
        return f"a {what} id of {len(raw)} bytes, not {size}"
    return "" if any(raw) else f"a {what} id of zeros"
