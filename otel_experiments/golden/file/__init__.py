"""Golden files: `.otg` for structure, configuration and curves, `.otg.stats` for times.

What text they are is written by `write.py` and read by `read.py`; where they lie on a disk is up to
the caller, this package opens no file.
"""

from otel_experiments.golden.file.read import read_golden, read_inline, read_stats
from otel_experiments.golden.file.update import update_golden
from otel_experiments.golden.file.write import MAJOR, MINOR, write_golden, write_stats

__all__ = [
    "MAJOR",
    "MINOR",
    "read_golden",
    "read_inline",
    "read_stats",
    "update_golden",
    "write_golden",
    "write_stats",
]
