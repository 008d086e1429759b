"""The time that a call gives its points, `run.log(..., time=)`: from what the user has to nanoseconds since the Unix epoch."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.codec.number import number_of
from otel_experiments.codec.text import shown, text_of
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard

_LATEST_NS: Final = 2**63 - 1
"""In the year 2262: what the columns of a journal and of a store hold."""
_TOO_MANY_S: Final = 1e11
"""In the year 5138: whoever passes so much has milliseconds, or finer."""


def time_ns_of(time: Any, guard: RunGuard) -> int | None:  # whatever user code has for a time
    """Return a time in nanoseconds since the Unix epoch; None, and a loss, for one that cannot be used.

    Units: a number is seconds since the Unix epoch. A datetime without a zone is of the local one, as everywhere in Python.
    """
    try:
        time_ns = _nanoseconds(time)
        if 0 <= time_ns <= _LATEST_NS:
            return time_ns
        why = "it is before 1970 or after 2262"
    except Exception as error:  # any object may be passed, and any may raise
        if is_interruption(error):
            raise
        why = text_of(error) if type(error) is _UnusableTimeError else "it is no time"
    guard.lost(
        "metric time",
        lambda: (
            f"time={shown(time)} of run.log cannot be used: {why}; the points are kept with the time of the call. Pass a "
            "datetime, or seconds since 1970 as time.time() returns them"
        ),
    )
    return None


class _UnusableTimeError(ValueError):
    """A number that is no number of seconds; its text says why."""


def _nanoseconds(time: Any) -> int:  # as above
    if isinstance(time, datetime):
        return (
            round(time.timestamp() * 1e6) * 1000
        )  # a float of seconds holds microseconds, and nothing finer
    if type(time).__name__ == "datetime64":
        return int(time.astype("datetime64[ns]").astype("int64"))
    if isinstance(time, bool):
        raise TypeError(time)
    seconds = time if type(time) is int else number_of(time)
    if not math.isfinite(seconds):
        raise _UnusableTimeError("it is not finite")
    if seconds > _TOO_MANY_S:
        raise _UnusableTimeError("so many seconds lead beyond the year 5000: divide milliseconds by 1000")
    whole = int(seconds)
    return whole * 10**9 + round((seconds - whole) * 1e9)
