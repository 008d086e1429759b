"""Why the journal did not take something, as what is told and counted: recording has ended, or no disk has room."""

from __future__ import annotations

from typing import Final

from otel_experiments.journal.writer import JournalWriter

AFTER_THE_END: Final = "after the end"
JOURNAL_FULL: Final = "journal full"


def why_not_kept(journal: JournalWriter, things: str) -> tuple[str, str]:
    """Return the kind of the loss and its text; `things` says in the plural what was refused."""
    if journal.is_closed:
        return AFTER_THE_END, f"{things} are lost: recording has ended"
    return JOURNAL_FULL, (
        f"{things} are not recorded: the journal at {str(journal.directory)!r} has no room: {journal.why_full}; "
        "recording goes on by itself"
    )
