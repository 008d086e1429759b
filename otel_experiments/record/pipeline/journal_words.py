"""What is said of a journal that is deleted, cannot grow, or is not stored in time."""

from __future__ import annotations

from pathlib import Path

from otel_experiments.journal.limits import reason_of
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import Guard, logger


def tell_deleted(guard: Guard, journal_directory: Path) -> None:
    """Say that somebody has deleted what was not stored yet."""
    guard.lost(
        "journal deleted",
        f"The journal in {str(journal_directory)!r} was deleted while this process records. It is made "
        "again; what waited in its earlier files is lost",
        count=0,
    )


def tell_waiting(error: Exception | None, directory: Path) -> None:
    """Say that the end of a process left something for the next reader to store."""
    what = "Not everything is in the store yet (%s); it waits in %s, and the next reader merges it."
    tell(logger, what, error or "no time left", directory)


def tell_full_disk(guard: Guard, journal_directory: Path, error: OSError) -> None:
    """Say that nothing can be recorded for now, and why."""
    guard.lost(
        "journal not writable",
        f"The journal in {str(journal_directory)!r} cannot grow: {reason_of(error)}. What is recorded "
        "meanwhile is lost and counted; recording goes on by itself",
        count=0,
    )
