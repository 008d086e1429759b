"""What a run is told at its start, and what of it is on the resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_experiments.model import run as model
from otel_experiments.model.past import Past
from otel_experiments.model.run import ParamValue
from otel_experiments.record.run.spec import MAX_ATTRIBUTE_CHARS, fact_attributes
from otel_experiments.semconv import attributes as attr


@dataclass(slots=True)
class RunIdentity:
    """What a run is told at its start; see `start_run` for the meaning of each."""

    run_id: str
    name: str
    experiment: str
    facts: model.RunFacts = field(default_factory=model.RunFacts)
    parent_run_id: str | None = None
    seed: int | None = None
    attempt: int = 1
    """0 where this process joined the run and was not told."""
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str | None] = field(default_factory=dict)
    """What this process gives it."""
    known_tags: Mapping[str, str] = field(default_factory=dict)
    """Its tags before this attempt, edited ones too."""
    first_created_ns: int | None = None
    """When the first attempt was made; None where this is it."""
    first_started_ns: int | None = None
    """When the first attempt started, and how long all earlier ones worked: the run's duration is that of all."""
    worked_ns: int = 0
    step_axis: str = ""
    """What counts the steps, `name` or `call`; empty for what the setting says."""
    past: Past = field(default_factory=Past)
    """Its earlier attempts, and the run that it is a fork of."""
    continues: str = ""
    """The run whose steps it goes on from: itself, or the one that it is a fork of; empty where it is new."""
    key: str = ""
    """The caller's own id of it; empty where there is none."""
    note: str = ""
    """Its note, as this process knows it."""
    not_before_ns: int = 0
    """What is written of this attempt is never of an earlier time, though the clock may have been set back."""


def run_attributes(identity: RunIdentity) -> dict[str, Any]:
    """Return what identifies experiment and run on the resource."""
    attributes: dict[str, Any] = {
        attr.ML_EXPERIMENT_NAME: identity.experiment,
        attr.ML_RUN_ID: identity.run_id,
        attr.ML_RUN_NAME: identity.name,
    }
    if identity.attempt:
        attributes[attr.ML_RUN_ATTEMPT] = identity.attempt
    if identity.key:
        attributes[attr.ML_RUN_KEY] = identity.key[:MAX_ATTRIBUTE_CHARS]
    if identity.parent_run_id:
        attributes[attr.ML_RUN_PARENT_ID] = identity.parent_run_id
    return attributes | identity.past.attributes() | fact_attributes(identity.facts)
