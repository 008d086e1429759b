"""How the file of a bundle begins, which tells it from a store.

The application id in the header is its own, so that neither this program nor another takes a bundle for a store that can be
recorded into. Apart from what a bundle holds, for those who only open stores.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from otel_experiments.process.held_files import is_held
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_regular
from otel_experiments.store.filesystem import file_id

BUNDLE_APPLICATION_ID: Final = 0x6F78_424E
"""`oxBN` in SQLite's header."""
GET_IT_AGAIN: Final = (
    "Get the bundle again from where it was made, or let otel-experiments bundle make it anew."
)
"""What to do with one that is not as it was made."""

_HEADER: Final = struct.Struct(">16x H 10x I 36x I 28x")
"""Size of a page, count of pages, application id. Source: sqlite.org/fileformat2.html, section 1.3."""
HEADER_BYTES: Final = _HEADER.size
_LARGEST_PAGE_BYTES: Final = 65_536
"""What the size 1 in the header stands for."""


def is_bundle_header(header: bytes) -> bool:
    """Tell whether a SQLite file that begins so is a bundle."""
    return len(header) >= HEADER_BYTES and _HEADER.unpack_from(header)[2] == BUNDLE_APPLICATION_ID


def is_bundle(path: Path) -> bool:
    """Tell whether the file is a bundle, whatever it is called; False where it cannot be read."""
    try:
        if not is_regular(path) or is_in_use_here(path):  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return is_bundle_header(file.read(HEADER_BYTES))
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return False


def is_in_use_here(path: Path, *, besides: object = None) -> bool:
    """Tell whether this process has a store open that is at the path: then its file must not be opened and closed.

    `besides`: an object that has it open and does not count.
    """
    file = file_id(path)
    return file is not None and is_held(file, besides=besides)


def expected_size_bytes(header: bytes) -> int:
    """Return how large the file has to be that begins so."""
    page_bytes, page_count, _ = _HEADER.unpack_from(header)
    return int(page_count) * (_LARGEST_PAGE_BYTES if page_bytes == 1 else int(page_bytes))
