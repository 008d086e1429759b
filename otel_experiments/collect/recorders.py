"""Which processes record into a store now: each has a journal beside it until all that it recorded is stored."""

from __future__ import annotations

from pathlib import Path

from otel_experiments.errors import JournalError
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.journal.names import SEGMENT_SUFFIX
from otel_experiments.model.run import Owner
from otel_experiments.process.interruption import is_interruption


def journal_owners(directory: Path) -> frozenset[Owner]:
    """Return the owners of the journals of a directory, which need not exist. What cannot be read has none."""
    found = set()
    try:
        paths = [path for path in directory.iterdir() if path.suffix == SEGMENT_SUFFIX]
    except OSError as error:
        if is_interruption(error):
            raise
        return frozenset()
    for path in paths:
        try:
            with path.open("rb") as file:
                found.add(unpack_header(file.read(HEADER_SIZE_BYTES), path=str(path)).owner)
        except JournalError:
            continue
        except OSError as error:  # stored and deleted while we looked, or not ours to read
            if is_interruption(error):
                raise
    return frozenset(found)
