"""Adding up what runs did not keep as it was given, from the events that say so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.semconv import attributes as attr


def add_up(events: Iterable[LogRecord], run_ids: Sequence[str] | None) -> dict[str, list[Loss]]:
    """Return the losses of these runs (None: all), the largest counts of a run first."""
    wanted = None if run_ids is None else set(run_ids)
    counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for event in events:
        if event.run_id is None or (wanted is not None and event.run_id not in wanted):
            continue
        said = event.attributes
        kind = said.get(attr.ML_LOSS_KIND, said.get(attr.ML_LOSS_REASON, ""))
        count = said.get(attr.ML_LOSS_COUNT)
        counts[event.run_id][str(kind), str(said.get(attr.ML_LOSS_NAME, ""))] += (
            count if isinstance(count, int) else 0
        )
    return {
        run_id: [
            Loss(kind, name, count)
            for (kind, name), count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
        ]
        for run_id, found in sorted(counts.items())
    }
