"""What a destination has not taken of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_experiments.model.signal import NOTHING_NS

if TYPE_CHECKING:
    from otel_experiments.model.run import Owner
    from otel_experiments.model.signal import Signal


@dataclass(frozen=True, slots=True)
class Unsent:
    """How far a process is with sending one signal of a run to one destination.

    The row is there from the first moment until the destination has taken everything, so that a process that was
    killed leaves it behind.

    Attributes:
        destination: the endpoint, without credentials.
        owner: the process that sends.
        since_ns: the earliest time of an item that may not have been taken (a span's end, a point's or a log record's
            time), in nanoseconds since 1970; `NOTHING_NS` where all that is stored was taken.
        count: how many items have not been taken, as far as is known.
        reason: what the destination said last, or why it was not asked; empty where nothing is wrong.
        is_push: whether a push sends, not the process that records.
        noted_ns: when this was written.
    """

    run_id: str
    signal: Signal
    destination: str
    owner: Owner
    since_ns: int
    count: int = 0
    reason: str = ""
    is_push: bool = False
    noted_ns: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the destination has taken everything that is stored."""
        return self.since_ns == NOTHING_NS
