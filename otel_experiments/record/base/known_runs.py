"""The runs that this process has started, after their end too: what is drained late still finds its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.resources import Resource

MAX_KNOWN: Final = 4096
"""How many runs are remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """Whose telemetry it is: the run's resource, and the ids of its root span as numbers."""

    resource: Resource
    trace_id: int
    span_id: int


class KnownRuns:
    """Runs by id. Adding and looking up are single dictionary operations, safe from any thread."""

    def __init__(self) -> None:
        self._runs: dict[str, KnownRun] = {}

    def add(self, run_id: str, run: KnownRun) -> None:
        """Remember a run."""
        self._runs[run_id] = run
        while len(self._runs) > MAX_KNOWN:
            self._runs.pop(next(iter(self._runs)), None)

    def get(self, run_id: object) -> KnownRun | None:
        """Return the run; None when this process has not started it."""
        return self._runs.get(run_id) if isinstance(run_id, str) else None
