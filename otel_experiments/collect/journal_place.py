"""Where the journals beside a store lie, and whether there are any: all that a reader needs to know of most stores."""

from __future__ import annotations

import os
from pathlib import Path

from otel_experiments.journal.names import DAMAGED_SUFFIX, SEGMENT_SUFFIX
from otel_experiments.process.interruption import Swallowing, is_interruption


def journal_directory(store_path: Path) -> Path:
    """Return where the journals of a store file lie: beside the file itself, whatever links lead to it."""
    path = Path(os.path.realpath(store_path))
    return path.with_name(path.name + ".journals")


def has_segments(directory: Path) -> bool:
    """Tell whether there is anything to merge in a directory of journals, which need not exist.

    A directory that may not be looked into counts as one: who reads it says what is wrong with it.
    """
    try:
        return any(path.suffix == SEGMENT_SUFFIX for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if is_interruption(error):
            raise
        return True


def damaged_journals(directory: Path) -> list[str]:
    """Return the names of the journals of which a merge could not read all: they are marked, and kept under another name."""
    try:
        return sorted(path.name for path in directory.iterdir() if _is_damaged(path))
    except OSError as error:
        if is_interruption(error):
            raise
        return []


def _is_damaged(path: Path) -> bool:
    if path.suffix != SEGMENT_SUFFIX:
        return path.suffix == DAMAGED_SUFFIX
    from otel_experiments.journal.format import DAMAGED_MARK, DAMAGED_MARK_OFFSET  # noqa: PLC0415 - few have a journal left

    with Swallowing(OSError), path.open("rb") as file:  # merged and deleted meanwhile, or not ours to read
        file.seek(DAMAGED_MARK_OFFSET)
        return file.read(len(DAMAGED_MARK)) == DAMAGED_MARK
    return False
