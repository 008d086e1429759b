"""What endpoints did not take of runs, of processes that have ended: only a push sends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from otel_experiments.journal.owner import is_alive
from otel_experiments.model.run import Owner
from otel_experiments.model.unsent import Unsent


def rows_left_behind(rows: Iterable[Unsent]) -> list[Unsent]:
    """Return the rows whose process has ended: the others send by themselves what is not sent yet."""
    gone: dict[Owner, bool] = {}
    found = []
    for row in rows:
        if row.owner not in gone:
            gone[row.owner] = is_alive(row.owner) is not True
        if gone[row.owner]:
            found.append(row)
    return found


def unsent_texts(rows: Iterable[Unsent]) -> Iterator[str]:
    """Yield a sentence for each endpoint: how much of how many runs did not reach it, and why."""
    kept: dict[str, list[Unsent]] = {}
    for row in rows_left_behind(row for row in rows if not row.is_empty):
        kept.setdefault(row.destination, []).append(row)
    for destination, found in kept.items():
        runs = len({row.run_id for row in found})
        count = sum(row.count for row in found)
        reasons = Counter(row.reason or "the process was killed" for row in found)
        items = f"{count:,} item{'s' * (count != 1)}" if count else "Items"  # a push counts none
        yield (
            f"{items} of {runs} run{'s' * (runs != 1)} did not reach {destination}: "
            f"{reasons.most_common(1)[0][0].removesuffix('.')}."
        )
