"""How many items there are, as people say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ONE: Final = {
    "spans": "span",
    "log records": "log record",
    "metric points": "metric point",
    "data points of instruments": "data point of an instrument",
    "artifacts": "artifact",
    "run descriptions": "run description",
}


def counted(counts: Mapping[str, int]) -> str:
    """Return counts as people say them: `2 spans, 1 log record and 3,000 metric points`."""
    parts = [f"{count:,} {_ONE[noun] if count == 1 else noun}" for noun, count in counts.items()]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
