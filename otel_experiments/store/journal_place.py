"""Where the journals beside a store lie, and whether there are any: all that a reader needs to know of most stores."""

from __future__ import annotations

import os
from pathlib import Path

from otel_experiments.journal.names import SEGMENT_SUFFIX


def journal_directory(store_path: Path) -> Path:
    """Return where the journals of a store file lie: beside the file itself, whatever links lead to it."""
    path = Path(os.path.realpath(store_path.expanduser()))
    return path.with_name(path.name + ".journals")


def has_segments(directory: Path) -> bool:
    """Tell whether there is anything to merge in a directory of journals, which need not exist."""
    try:
        return any(path.suffix == SEGMENT_SUFFIX for path in directory.iterdir())
    except OSError:
        return False
