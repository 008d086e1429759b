"""What ranks above 0 were told about the run that they record together: the events in which they say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from otel_experiments.model.rank_config import RankConfig
from otel_experiments.model.search import SpanQuery
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue, Run
    from otel_experiments.store import Store


def told_by_ranks(store: Store, run_id: str) -> list[RankConfig]:
    """Return what each rank was told, in the order in which it was told."""
    found = []
    for record in store.log_records(run_id=run_id, event_name=events.ML_RANK_CONFIG.name):
        rank, body = record.attributes.get(attr.ML_DISTRIBUTED_RANK), record.body
        if not isinstance(rank, int) or not isinstance(body, Mapping):
            continue  # somebody else's event of that name
        parts = [body.get(name) for name in ("params", "tags", "facts")]
        found.append(
            RankConfig(rank, *(cast("Any", one) if isinstance(one, Mapping) else {} for one in parts))
        )
    return found


def seed_of(store: Store, run: Run) -> ParamValue:
    """Return the random seed that the root span of a run names; None where it names none."""
    query = SpanQuery(run_id=run.run_id, trace_id=run.run_id, name=f"run {run.experiment}", limit=1)
    return next((span.attributes.get(attr.ML_RANDOM_SEED) for span in store.spans(query)), None)
