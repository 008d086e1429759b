"""What a user says of a run when it starts, checked once and carried whole from `start_run` to the run's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, get_args

from otel_experiments.codec.plain import TEXT_CHANGED
from otel_experiments.codec.text import clean_text, shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.model.run import FACT_ATTRIBUTES, ParamValue, RunFacts
from otel_experiments.model.run import Run as RunRecord
from otel_experiments.record.base.settings import StepAxis
from otel_experiments.record.base.value_loss import Tell

MAX_ATTRIBUTE_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The run that another one is part of, and what that one takes from it where it is given nothing else."""

    run_id: str
    experiment: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ForkSource:
    """The run that a new one goes on from, as it is stored, its params, and the last step of it that counts.

    `definitions` is how its metrics are to be read, and so those of the new run.
    """

    record: RunRecord
    params: Mapping[str, ParamValue]
    step: float
    definitions: Sequence[MetricDefinition] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a user says of a run; see `start_run` for the meaning of each. None is not given."""

    name: str | None = None
    experiment: str | None = None
    config: object = None
    tags: Mapping[str, object] | Iterable[str] | None = None
    key: str = ""
    facts: RunFacts = field(default_factory=RunFacts)
    seed: int | None = None
    parent: object = None  # a `Run`, a `ParentRun`, or False for none, which `create_run` checks
    pending: bool = False
    step_axis: StepAxis | None = None
    rewind_to: float | None = None
    fork: ForkSource | None = None
    note: object = None


def checked_axis(step_axis: object) -> str:
    """Return what counts the steps, as it was given; empty where it was not.

    Raises:
        ConfigurationError: it is neither of the two.
    """
    if step_axis is None:
        return ""
    if not isinstance(step_axis, str) or step_axis not in get_args(StepAxis):
        raise ConfigurationError(
            f"step_axis={shown(step_axis)} cannot be used: it is neither 'name' nor 'call'.\n"
            "  Pass 'call' to count the calls of log, or 'name' to count each metric's points."
        )
    return step_axis


def given_facts(**given: str | None) -> RunFacts:
    """Return the texts that were given of a run, one argument for each field of `RunFacts`.

    Raises:
        ConfigurationError: one of them is no text.
    """
    for name, text in given.items():
        if text is not None and not isinstance(text, str):
            raise ConfigurationError(
                f"{name}={shown(text)} is of type {type(text).__name__}, not a text.\n  Pass a str."
            )
    return RunFacts(**{name: text for name, text in given.items() if text})


def merged_facts(given: RunFacts, known: RunRecord, tell: Tell) -> RunFacts:
    """Return what is given, and what is `known` of a run that goes on where nothing is; tell of changed texts."""
    merged: dict[str, str] = {}
    for one in fields(RunFacts):
        text: str = getattr(given, one.name)
        if clean_text(text) != text:
            what = f"The text of {one.name} is no valid Unicode; `?` is kept for what is not"
            tell(TEXT_CHANGED, one.name, what)
        merged[one.name] = text or getattr(known, one.name)
    return RunFacts(**merged)


def fact_attributes(facts: RunFacts) -> dict[str, str]:
    """Return the facts as attributes of the run's resource."""
    found = {key: getattr(facts, name) for name, key in FACT_ATTRIBUTES.items()}
    return {key: text[:MAX_ATTRIBUTE_CHARS] for key, text in found.items() if text}
