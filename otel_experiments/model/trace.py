"""A trace as lists show it: what its spans come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of one trace id that are stored.

    Attributes:
        trace_id: its id, 32 hex digits.
        name: the name of its root, the span without a parent that began first; without one, of the first span.
        run_id: the run that this span is in; None for none.
        start_ns: when the first span began, in nanoseconds since the Unix epoch.
        end_ns: when the last span ended that has; None where none has.
        span_count: how many spans there are, open ones too.
        error_count: how many of them ended with the status ERROR.
    """

    trace_id: str
    name: str
    run_id: str | None
    start_ns: int
    end_ns: int | None
    span_count: int
    error_count: int

    @property
    def duration_s(self) -> float | None:
        """Seconds from the first start to the last end; None where no span has ended."""
        return None if self.end_ns is None else (self.end_ns - self.start_ns) / 1e9
