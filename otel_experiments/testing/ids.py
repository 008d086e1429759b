"""Ids that count from one, for tests that assert on whole traces."""

from __future__ import annotations

import itertools

from opentelemetry.sdk.trace.id_generator import IdGenerator


class SequentialIds(IdGenerator):
    """Gives trace ids and span ids 1, 2, 3...; pass it as `configure(id_generator=...)`."""

    def __init__(self) -> None:
        self._trace_ids = itertools.count(1)
        self._span_ids = itertools.count(1)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._span_ids)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._trace_ids)
