"""Experiments as a reader shows them: those that have runs, those that are only defined, and what is defined of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otel_experiments.model.experiment import ExperimentList, definitions_in
from otel_experiments.model.run import Experiment
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION

if TYPE_CHECKING:
    from otel_experiments.store import Store


def find_experiments(store: Store) -> ExperimentList:
    """Return all experiments of a store, by name."""
    found = {one.name: one for one in store.experiments()}
    for name, definition in definitions_in(
        store.log_records(event_name=ML_EXPERIMENT_DEFINITION.name)
    ).items():
        known = found.get(name, Experiment(name, definition.first_ns))
        found[name] = replace(
            known, config=definition.config, tags=definition.tags, description=definition.description
        )
    return ExperimentList(found[name] for name in sorted(found))
