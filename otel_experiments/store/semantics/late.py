"""What comes of a run after it was purged: it is not stored, which is counted and said, once for each run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.process.notice import tell

logger: Final = logging.getLogger("otel_experiments")
_CONTENTS: Final = (
    "runs", "params", "tags", "summaries", "metric_definitions", "points", "spans", "log_records", "instrument_points",
    "artifacts", "artifact_uses", "edits",
)  # fmt: skip
"""Fields of a batch that hold what somebody recorded, beside signs of life and what is known of sending."""


def late_items(batch: WriteBatch, is_purged: Callable[[str], bool]) -> Counter[str]:
    """Return how many records a batch has of each purged run; of points each one counts."""
    found: Counter[str] = Counter()
    for name in _CONTENTS:
        for item in getattr(batch, name):
            run_id = item.run_id
            if run_id is not None and is_purged(run_id):
                found[run_id] += _size(item)
    return found


class LateItems:
    """Says what was not stored since its run was purged.

    Attributes:
        counts: how many records were not stored, by run.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, found: Mapping[str, int], *, store: str) -> None:
        """Count records that were not stored, and say so of runs that had none before. Call it without a lock."""
        for run_id, count in found.items():
            is_first = run_id not in self.counts
            self.counts[run_id] += count
            if is_first:
                tell(
                    logger,
                    "Run %s was purged from store %r: what comes of it now is not stored (%d record%s so far). "
                    "To keep what its program still sends, record or send it as a new run, or into another store.",
                    run_id[:12],
                    store,
                    count,
                    "" if count == 1 else "s",
                )

    def tell_all(self, *, store: str) -> None:
        """Say how many there were in all: the last word, where there was one at all."""
        if self.counts:
            count, runs = self.counts.total(), len(self.counts)
            self.counts.clear()
            tell(
                logger,
                "In all %d record%s of %d purged run%s came to store %r and %s not stored.",
                count,
                "" if count == 1 else "s",
                runs,
                "" if runs == 1 else "s",
                store,
                "was" if count == 1 else "were",
            )


def _size(item: Any) -> int:  # any of the items of a batch
    return len(item.steps) * len(item.keys) if isinstance(item, PointBlock) else 1
