"""How much of what a run printed is kept: the beginning and the end, whatever lies between.

The lines are numbered where they are written, so that readers see how many are missing between two events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from otel_experiments.model.log import LogRecord
from otel_experiments.semconv.events import ML_RUN_OUTPUT

FIRST_BYTES: Final = 1 << 20
LAST_BYTES: Final = 4 << 20
SLACK_BYTES: Final = 1 << 20
"""So much more may be there before what is too much is removed."""
ROW_BYTES: Final = 256
"""What an event takes beside its text."""

_Key = TypeVar("_Key")


def output_bytes(records: Iterable[LogRecord]) -> dict[str, int]:
    """Return how much output of each run is among the records."""
    found: dict[str, int] = {}
    for record in records:
        if record.event_name == ML_RUN_OUTPUT.name and record.run_id is not None:
            size = len(record.body) if isinstance(record.body, str) else 0
            found[record.run_id] = found.get(record.run_id, 0) + size + ROW_BYTES
    return found


def surplus(sizes: Sequence[tuple[_Key, int]]) -> list[_Key]:
    """Return the keys of what lies between the beginning and the end that are kept; `sizes` is in the order of time."""
    first, room = 0, FIRST_BYTES
    while first < len(sizes) and room >= sizes[first][1]:
        room -= sizes[first][1]
        first += 1
    last, room = len(sizes), LAST_BYTES
    while last > first and room >= sizes[last - 1][1]:
        room -= sizes[last - 1][1]
        last -= 1
    return [key for key, _ in sizes[first:last]]
