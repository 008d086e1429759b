"""What another store has of a run that this one has not: pages that make it hold what both had, and nothing twice.

Everything but points is idempotent as it is: the later value of a param or a tag wins, an ended span replaces an open one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from otel_experiments.importers.stores.points import KnownPoints
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.store import Store


def pages_of_run(source: Store, target: Store, run_id: str | None) -> Iterator[WriteBatch]:
    """Yield what `target` lacks of a run of `source` (None: what belongs to no run), page by page.

    Nothing else may bring the same points to the target until all pages are applied.
    """
    is_new = run_id is None or target.get_run(run_id) is None
    known: dict[SeriesKey, KnownPoints] = {}
    for page in source.whole_run(run_id):
        if is_new or not page.points or run_id is None:
            yield page
            continue
        blocks = [_new_part(target, run_id, block, known) for block in page.points]
        news = replace(page, points=[block for block in blocks if block is not None])
        if news:
            yield news


def _new_part(
    target: Store, run_id: str, block: PointBlock, known: dict[SeriesKey, KnownPoints]
) -> PointBlock | None:
    """Return what is new of a block, which is of one series: a whole run comes series by series."""
    (key,) = block.keys
    if key not in known:
        known.clear()
        known[key] = KnownPoints(target.points(run_id, key))
    return known[key].without(block)
