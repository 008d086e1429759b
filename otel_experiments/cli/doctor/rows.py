"""The doctor's look at rows that the schema's types let through and no reader can read. Changes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.errors import IncompleteReadWarning
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.store import Store

_SHOWN = 5
_SPANS = 20_000


def check_rows(store: Store, *, is_deep: bool) -> Iterator[Diagnosis]:
    """Yield what is to be said about rows that cannot be read; `is_deep`: of all tables, else of runs only."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", IncompleteReadWarning)
        runs = store.find_runs(RunQuery(visibility="all"))
        store.experiments()
        if is_deep:
            _read_everything(store, [run.run_id for run in runs])
    texts = [str(one.message) for one in told if issubclass(one.category, IncompleteReadWarning)]
    for text in dict.fromkeys(texts[:_SHOWN]):
        found, _, fix = text.partition("\n")
        yield Diagnosis("problem", "rows", found, fix.strip())
    if len(texts) > _SHOWN:
        yield Diagnosis("problem", "rows", f"{len(texts) - _SHOWN} more rows cannot be read.")
    if not texts:
        what = "Every row" if is_deep else "Every row of a run"
        yield Diagnosis("ok", "rows", f"{what} can be read.")


def _read_everything(store: Store, run_ids: list[str]) -> None:
    for run_id in run_ids:
        store.params([run_id])
        store.tags([run_id])
        store.edits([run_id])
        for series in store.series([run_id])[run_id]:
            store.points(run_id, series.key)
            store.band(run_id, series.key, buckets=1)
        store.instrument_points(run_id=run_id)
        store.log_records(run_id=run_id)
        store.span_summaries([run_id])
        store.artifacts(ArtifactQuery(role=None, run_ids=(run_id,)))
        store.artifact_uses(run_ids=[run_id])
    offset = 0
    total = int(str(store.sql("select count(*) from spans")[1][0][0]))
    while offset < total:
        store.spans(SpanQuery(limit=_SPANS, offset=offset))
        offset += _SPANS
