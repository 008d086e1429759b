# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Definitions of the entities that our Resources describe."""

from __future__ import annotations

from typing import Final

from otel_experiments.semconv.definitions import EntityDef

ML_EXPERIMENT: Final = EntityDef(
    type="ml.experiment",
    brief="What is studied; many runs belong to one experiment.",
    identity=("ml.experiment.name",),
    description=(
        "ml.experiment.group",
        "ml.experiment.description",
        "ml.experiment.hypothesis",
        "ml.experiment.condition",
    ),
)
"""What is studied; many runs belong to one experiment."""

ML_RUN: Final = EntityDef(
    type="ml.run",
    brief="One execution of an experiment, on any number of processes.",
    identity=("ml.run.id",),
    description=(
        "ml.run.name",
        "ml.run.key",
        "ml.run.parent.id",
        "ml.run.attempt",
        "ml.run.start_times",
        "ml.run.rewind.attempts",
        "ml.run.rewind.steps",
        "ml.run.fork.run.id",
        "ml.run.fork.step",
        "ml.run.trace_url",
        "ml.run.adopted",
    ),
)
"""One execution of an experiment, on any number of processes."""

ALL: Final[tuple[EntityDef, ...]] = (
    ML_EXPERIMENT,
    ML_RUN,
)
"""All of them."""
