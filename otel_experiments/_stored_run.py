"""What is stored of a run that a new one has to do with, as the new one needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from otel_experiments.errors import ConfigurationError
from otel_experiments.model import run as model
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.spec import ParentRun
from otel_experiments.record.run.start import Before
from otel_experiments.semconv.events import ML_RUN_TAGS

if TYPE_CHECKING:
    from otel_experiments.model.batch import MetricDefinition
    from otel_experiments.query import Reader, RunView
    from otel_experiments.store import Store


def reader_over(store: Store | None, wanted: str, what: str) -> Reader:
    """Return a reader over the store that is recorded into.

    Raises:
        ConfigurationError: there is none.
    """
    from otel_experiments.query import Reader  # noqa: PLC0415 - only where a stored run is wanted

    if store is None:
        raise ConfigurationError(
            f"Run {wanted!r} cannot be {what}: this process keeps no store.\n  Configure one: configure(store=PATH)."
        )
    return Reader(store)


def before_of(store: Store | None, run: RunView) -> Before:
    """Return a stored run as one that goes on."""
    return Before(
        run.record,
        dict(run.params.flat),
        run.duration_s or 0.0,
        definitions_of(store, run.id),
        dict(run.tags),
        _said_tags(store, run.id),
    )


def definitions_of(store: Store | None, run_id: str) -> list[MetricDefinition]:
    """Return how the metrics of a run are to be read."""
    return [] if store is None else store.metric_definitions(run_id)


def _said_tags(store: Store | None, run_id: str) -> dict[str, str | None]:
    """Return the tags that a run's program has set, the last value of each; edits leave no such event."""
    said = dict[str, str | None]()
    if store is not None:
        for record in store.log_records(run_id=run_id, event_name=ML_RUN_TAGS.name):
            if isinstance(record.body, Mapping):
                said |= cast("Mapping[str, str | None]", record.body)
    return said


def check_parent(store: Store | None, known: model.Run, parent: Run | ParentRun) -> None:
    """Refuse a parent that is part of the run that goes on.

    Raises:
        ConfigurationError: each would be part of the other.
    """
    first_id = above_id = parent.id if isinstance(parent, Run) else parent.run_id
    seen = {known.run_id}  # which may have been given as its own parent: it has none then
    while store is not None and above_id not in seen:
        seen.add(above_id)
        above = store.get_run(above_id)
        if above is None or above.parent_run_id is None:
            return
        above_id = above.parent_run_id
        if above_id == known.run_id:
            raise ConfigurationError(
                f"parent={first_id[:8]} cannot be used for run {known.run_id[:8]} ({known.name!r}): that one is itself "
                "part of this run.\n"
                "  Pass a run that is not below it, or leave parent= out: the run stays part of what it was part of."
            )
