"""What the files of a journal are called; apart from what reads and writes them, for those who only look."""

from __future__ import annotations

from typing import Final

SEGMENT_SUFFIX: Final = ".oxj"
UNFINISHED_SUFFIX: Final = ".making"
"""What a segment's file is called until its header stands."""
DAMAGED_SUFFIX: Final = ".damaged"
"""What a segment's file is called once a merge has stored what could be read of it, and that was not all."""
