"""Writing down the states of a run: its owner does, and a process that joined it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel_experiments.journal import encode

if TYPE_CHECKING:
    from otel_experiments.journal.writer import JournalWriter
    from otel_experiments.model.batch import RunStateChange


class States(Protocol):
    """Where the states and the signs of life of a run go."""

    def write(self, change: RunStateChange) -> None:
        """Write down that the run's state has changed."""
        ...

    def beat(self, run_id: str, now_ns: int) -> None:
        """Write down that the run is alive."""
        ...


class WrittenStates:
    """The states of a run that this process owns."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal

    def write(self, change: RunStateChange) -> None:
        """Write down that the run's state has changed."""
        self._journal.append(encode.encode_state(change))

    def beat(self, run_id: str, now_ns: int) -> None:
        """Write down that the run is alive."""
        self._journal.append(encode.encode_heartbeat(run_id, now_ns))


class UnwrittenStates:
    """The states of a run that another process owns: that process writes them."""

    def write(self, change: RunStateChange) -> None:
        """Write nothing."""

    def beat(self, run_id: str, now_ns: int) -> None:
        """Write nothing."""
