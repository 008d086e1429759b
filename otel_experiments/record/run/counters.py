"""What a run counts of its spans and steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator


class Counters:
    """Counts of one run in this process.

    Attributes:
        started_spans, ended_spans: how many spans were started, and how many have ended.
        trace_bytes: the size of the ended ones.
    """

    __slots__ = ("_steps", "ended_spans", "started_spans", "trace_bytes")

    def __init__(self) -> None:
        self.started_spans = self.ended_spans = self.trace_bytes = 0
        self._steps: dict[int, Iterator[int]] = {}

    def count_started(self) -> None:
        """Count a span of the run."""
        self.started_spans += 1

    def count_ended(self, size_bytes: int) -> None:
        """Count an ended span of the run and its size."""
        self.ended_spans += 1
        self.trace_bytes += size_bytes

    def next_step(self, caller: object) -> int:
        """Return the number of the next step that `caller` takes, from 0 on."""
        return next(self._steps.setdefault(id(caller), itertools.count()))
