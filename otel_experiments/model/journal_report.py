"""What a recording process tells its store of the journal on its host, so that readers on other hosts know what they lack."""

from __future__ import annotations

from dataclasses import dataclass

from otel_experiments.model.run import Owner


@dataclass(frozen=True, slots=True)
class JournalReport:
    """How far a process had stored what it recorded, as it said itself.

    Attributes:
        journal_id: which journal; the latest report of each counts.
        owner: the process, with its host.
        directory: the folder of its journals, on that host.
        time_ns: when it said so, by its own clock, in nanoseconds since the Unix epoch.
        next_ns: when it says more, at the latest, while it lives and reaches the store; 0 where nothing more is to come.
        waiting_records: about how many records it had written down beside those that are stored with the report.
        waiting_bytes: the same in bytes.
    """

    journal_id: str
    owner: Owner
    directory: str
    time_ns: int
    next_ns: int = 0
    waiting_records: int = 0
    waiting_bytes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the process may hold more than was stored with the report."""
        return self.next_ns > 0
