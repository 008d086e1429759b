"""All that a memory store holds of a run, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock
from otel_experiments.store.memory import artifacts as _artifacts
from otel_experiments.store.memory.contents import Contents
from otel_experiments.store.semantics.given import as_given
from otel_experiments.store.semantics.identity import instrument_point_hash, log_record_hash
from otel_experiments.store.semantics.news import news_of
from otel_experiments.store.semantics.pages import WHOLE_ITEMS, WHOLE_POINTS


def _items(contents: Contents, run_id: str | None) -> Iterator[tuple[str, Iterator[Any]]]:
    """Yield the telemetry of a run by the field of a batch that it belongs in."""

    def given(key: object) -> dict[Any, int | None]:
        return {key: contents.given_ns(key)}

    yield (
        "spans",
        (
            replace(span, given_ns=contents.given_ns(key))
            for key, span in list(contents.spans.items())
            if span.run_id == run_id
        ),
    )
    yield (
        "log_records",
        (
            as_given(record, log_record_hash, given(key))
            for key, record in list(contents.log_records.items())
            if record.run_id == run_id
        ),
    )
    yield (
        "instrument_points",
        (
            as_given(point, instrument_point_hash, given(key))
            for key, point in list(contents.instrument_points.items())
            if point.run_id == run_id
        ),
    )


def whole_run(contents: Contents, run_id: str | None) -> Iterator[WriteBatch]:
    """Yield all that is stored of a run, or of none. See `Store.whole_run`."""
    for name, items in _items(contents, run_id):
        while page := list(islice(items, WHOLE_ITEMS)):
            yield WriteBatch(**{name: page})
    if run_id is None:
        return
    for key, history in list(contents.histories.get(run_id, {}).items()):
        for start, stop in _cuts(history.attempts):
            cut = slice(start, stop)
            columns = history.steps[cut], history.times_ns[cut], (history.values[cut],)
            block = PointBlock(run_id, (key,), *columns, attempt=history.attempts[start])
            yield WriteBatch(points=[block])
    yield from _artifacts.of_run(contents.artifacts, run_id)
    stored = contents.runs.get(run_id)
    batch = WriteBatch() if stored is None else news_of(stored)
    batch.params += contents.labels.param_sets(run_id)
    batch.summaries += contents.labels.summary_sets(run_id)
    batch.tags += contents.labels.tag_sets(run_id)
    batch.metric_definitions += contents.labels.definitions_of(run_id)
    batch.edits += contents.edits.get(run_id, {}).values()
    yield batch


def _cuts(attempts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where the pages of a series begin and end, each of one attempt."""
    start = 0
    for _, those in groupby(attempts):
        end = start + sum(1 for _ in those)
        yield from ((at, min(at + WHOLE_POINTS, end)) for at in range(start, end, WHOLE_POINTS))
        start = end
