"""What ranks above 0 were told about the run that they record together: the events in which they say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from otel_experiments.model.rank_config import RankConfig
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

if TYPE_CHECKING:
    from otel_experiments.store import Store


def told_by_ranks(store: Store, run_id: str) -> list[RankConfig]:
    """Return what each rank was told, in the order in which it was told."""
    found = []
    for record in store.log_records(run_id=run_id, event_name=events.ML_RANK_CONFIG.name):
        rank, body = record.attributes.get(attr.ML_DISTRIBUTED_RANK), record.body
        if not isinstance(rank, int) or not isinstance(body, Mapping):
            continue  # somebody else's event of that name
        params, tags = body.get("params"), body.get("tags")
        found.append(
            RankConfig(
                rank,
                cast("dict[str, None]", params) if isinstance(params, Mapping) else {},
                cast("dict[str, None]", tags) if isinstance(tags, Mapping) else {},
            )
        )
    return found
