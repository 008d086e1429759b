"""In which order the segments of a folder are read: journals as they were begun, whatever their files are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from otel_experiments.errors import JournalError
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.process.interruption import is_interruption


class SegmentOrder:
    """The order of a folder's segments. It looks once into each journal, whose segments keep their order."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._created_ns: dict[str, int] = {}

    def of(self, names: Iterable[str]) -> list[str]:
        """Return the names in their order; those of other files come by name."""
        ordered = sorted(names)
        known, self._created_ns = self._created_ns, {}
        for name in ordered:  # the first segment that is left of a journal speaks for it
            journal = _journal_of(name)
            if journal not in self._created_ns:
                self._created_ns[journal] = known[journal] if journal in known else self._look(name)
        return sorted(ordered, key=lambda name: (self._created_ns[_journal_of(name)], name))

    def _look(self, name: str) -> int:
        """Return when a segment was made, in nanoseconds since 1970; 0 where the file does not say."""
        path = self._directory / name
        try:
            with path.open("rb") as file:
                return unpack_header(file.read(HEADER_SIZE_BYTES), path=str(path)).created_ns
        except JournalError:
            return 0
        except OSError as error:
            if is_interruption(error):
                raise
            return 0


def _journal_of(name: str) -> str:
    return name.partition(".")[0]
