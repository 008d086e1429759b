"""The three kinds of telemetry, and the bounds of the times that items of one have."""

from __future__ import annotations

from typing import Final, Literal

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: Final[tuple[Signal, ...]] = ("traces", "logs", "metrics")
"""In the order in which they are sent where one has to wait for another: a trace is worth most when it is whole."""
LEAST_NS: Final = -(2**63)
"""A time before every item."""
NOTHING_NS: Final = 2**63 - 1
"""A time after every item: `Unsent.since_ns` where the destination has taken everything that is stored."""
