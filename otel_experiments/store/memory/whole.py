"""All that a memory store holds of a run, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from otel_experiments.model.batch import MetricDefinition, WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.store.memory.contents import Contents
from otel_experiments.store.semantics.news import news_of
from otel_experiments.store.semantics.pages import WHOLE_ITEMS, WHOLE_POINTS


def whole_run(contents: Contents, run_id: str | None) -> Iterator[WriteBatch]:
    """Yield all that is stored of a run, or of none. See `Store.whole_run`."""
    for name in ("spans", "log_records", "instrument_points"):
        items = (item for item in list(getattr(contents, name).values()) if item.run_id == run_id)
        while page := list(islice(items, WHOLE_ITEMS)):
            yield WriteBatch(**{name: page})
    if run_id is None:
        return
    for key, history in list(contents.histories.get(run_id, {}).items()):
        for start in range(0, len(history.steps), WHOLE_POINTS):
            cut = slice(start, start + WHOLE_POINTS)
            columns = history.steps[cut], history.times_ns[cut], (history.values[cut],)
            yield WriteBatch(points=[PointBlock(run_id, (key,), *columns)])
    stored = contents.runs.get(run_id)
    batch = WriteBatch() if stored is None else news_of(stored)
    batch.params += [param for (owner, _), param in sorted(contents.params.items()) if owner == run_id]
    batch.tags += [tag for (owner, _), tag in sorted(contents.tags.items()) if owner == run_id]
    definitions = sorted(contents.definitions.get(run_id, {}).items())
    batch.metric_definitions += [MetricDefinition(run_id, *definition) for definition in definitions]
    yield batch
