"""Defining what all runs of an experiment share, and finding it for a run that starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.resources import Resource

from otel_experiments.errors import ConfigurationError
from otel_experiments.model.experiment import ExperimentDefinition, definitions_in, experiment_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.params.flatten import flatten_params
from otel_experiments.record.run.recording import clean_tags
from otel_experiments.record.run.spec import given_facts
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord
    from otel_experiments.record.pipeline.pipeline import Pipeline

_STORE_TIMEOUT_S: Final = 1.0
"""How long a definition waits to be stored, where other processes read it; the journal has it already."""

_silent: dict[str, list[LogRecord]] = {}
"""What this process has defined, by experiment, for runs that are not recorded: the program reads their config too."""


def define_experiment(
    pipeline: Pipeline,
    name: object,
    *,
    config: object = None,
    tags: Mapping[str, object] | Iterable[str] | None = None,
    description: str | None = None,
) -> str:
    """Define what the runs of an experiment that start from now on share; return its name as it is recorded.

    Raises:
        ConfigurationError: a name that cannot be used, a config that is no mapping, tags that are none, or a
            description that is no text.
    """
    experiment = clean_name(name, "experiment name")
    changes: list[tuple[str, str, str]] = []

    def tell(kind: str, about: str, what: str) -> None:
        changes.append((kind, about, what))

    body: dict[str, Any] = {}
    redactor = pipeline.redactor
    try:
        if config is not None:
            body["config"] = redactor.mapping(flatten_params(config, tell=tell), "param")
    except TypeError as error:
        if is_interruption(error):
            raise
        raise ConfigurationError(str(error)) from error.__cause__
    if tags is not None:
        body["tags"] = redactor.mapping(clean_tags(tags, tell=tell), "tag")
    given_facts(description=description)
    if description is not None:
        body["description"] = redactor.text(description)
    with pipeline.guard:
        for kind, about, what in changes:
            pipeline.guard.lost(kind, what, name=about)
        _write(pipeline, experiment, body)
    return experiment


def definition_of(pipeline: Pipeline, experiment: str) -> ExperimentDefinition:
    """Return what is defined of an experiment, as far as this process can know it without waiting."""
    if pipeline.settings.enabled and pipeline.storage is not None:
        records = pipeline.storage.experiment_definitions()
    else:
        records = _silent.get(experiment, ())
    found = definitions_in(one for one in records if experiment_of(one) == experiment)
    return found.get(experiment, ExperimentDefinition())


def _write(pipeline: Pipeline, experiment: str, body: dict[str, Any]) -> None:
    # Later than what is known, though the clock may have been set back: of each key the latest event counts.
    time_ns = max(pipeline.clock(), definition_of(pipeline, experiment).last_ns + 1)
    resource = pipeline.base_resource.merge(Resource({attr.ML_EXPERIMENT_NAME: experiment}, SCHEMA_URL))
    record, is_written = pipeline.own_events.write_definition(resource, body, time_ns=time_ns)
    _silent.setdefault(experiment, []).append(record)
    if not is_written:
        what = f"The definition of experiment {experiment!r} was not written: no disk takes it"
        pipeline.guard.lost("experiment", what, name=experiment)
    elif pipeline.settings.enabled and pipeline.storage is not None:
        pipeline.storage.know_definition(record)
        pipeline.store_now(timeout_s=_STORE_TIMEOUT_S)
