"""Starting runs: names, resource, providers, the process's pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource

from otel_experiments.codec.text import clean_text, shown
from otel_experiments.errors import ConfigurationError, RunInUseError
from otel_experiments.journal.owner import FOREIGN_TIMEOUT_NS, current_owner, is_alive
from otel_experiments.model import run as model
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.model.experiment import with_defaults
from otel_experiments.model.past import ForkPoint, Past, past_of
from otel_experiments.model.run import ParamValue
from otel_experiments.model.span import AttributeValue
from otel_experiments.process import lanes, notice
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base import claims
from otel_experiments.record.base.current import active_runs, find_run
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.offered_run import OfferedRun
from otel_experiments.record.base.propagation import TRACEPARENT_VARIABLE, read_outer_span, read_parent_run
from otel_experiments.record.base.provider_watch import adopt_global_providers
from otel_experiments.record.base.ranks import Rank
from otel_experiments.record.base.settings import Settings
from otel_experiments.record.base.value_loss import Tell
from otel_experiments.record.params.flatten import flatten_params
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.run import exits
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.experiment import definition_of
from otel_experiments.record.run.given_values import GivenValues, RunValues
from otel_experiments.record.run.identity import RunIdentity, run_attributes
from otel_experiments.record.run.made_names import make_name
from otel_experiments.record.run.own_life import OwnLife
from otel_experiments.record.run.parts import RunParts
from otel_experiments.record.run.recording import clean_tags
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.spec import ParentRun, RunSpec, checked_axis, merged_facts
from otel_experiments.record.system import environment
from otel_experiments.record.system.git import git_attributes
from otel_experiments.semconv import SCHEMA_URL, values
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort

_UNKNOWN: Final = model.Run("", "", "", model.RunState.PENDING, created_ns=0, attempt=0)
"""What is known of a run that has not been there before."""

_BETWEEN_BEATS_NS: Final = 20 * 10**9
"""So long after its last sign of life a run may have set params and tags."""


def base_resource(settings: Settings) -> Resource:
    """Return what all runs of this process share: project, process, host, git checkout.

    `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over what is found, as the specification says.
    """
    found: dict[str, AttributeValue] = {}
    folder = environment.working_directory()
    found |= git_attributes(folder) if settings.capture_git and folder is not None else {}
    found |= environment.process_attributes()
    own = Resource(cast("Any", found))
    standard = Resource.create()
    merged = own.merge(standard)
    project = settings.project or os.environ.get("OTEL_SERVICE_NAME")
    if project:
        merged = merged.merge(Resource({attr.SERVICE_NAME: project}))
    elif str(standard.attributes.get(attr.SERVICE_NAME, "")).startswith("unknown_service"):
        merged = merged.merge(Resource({attr.SERVICE_NAME: (folder.name if folder else "") or "project"}))
    # Paths and variables that are no UTF-8 come as half surrogate pairs, which OTLP cannot carry.
    texts = {key: clean_text(value) for key, value in merged.attributes.items() if isinstance(value, str)}
    return Resource({**merged.attributes, **texts}, merged.schema_url)


@dataclass(frozen=True, slots=True)
class Before:
    """A run that is to go on, its params, tags and how its metrics are to be read, as they are stored.

    `said_tags` are the tags that its own program has set, None for one that it took away; edits are not among them.
    """

    record: model.Run
    params: Mapping[str, ParamValue]
    duration_s: float = 0.0
    definitions: Sequence[MetricDefinition] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    said_tags: Mapping[str, str | None] = field(default_factory=dict)


_NO_PAST: Final = Past()


def unknown_run(run_id: str) -> Before:
    """Return what is known of a run that begins with this id: nothing."""
    return Before(replace(_UNKNOWN, run_id=run_id), {})


def _before_of(offered: OfferedRun) -> Before:
    """Return what is known of a run that another process has started for this one: it is the same attempt."""
    known = replace(
        _UNKNOWN,
        run_id=offered.run_id,
        name=offered.name,
        experiment=offered.experiment,
        parent_run_id=offered.parent_run_id,
    )
    return Before(known, {})


def create_run(
    pipeline: Pipeline,
    spec: RunSpec,
    *,
    before: Before | OfferedRun | None = None,
    rank: Rank | None = None,
) -> Run:
    """Make a run on the pipeline and start it, or (where `spec` is pending) only write it down.

    What is not given is taken from `before`, the run that goes on, if there is one. `rank` is the place of this
    process among those that record the run with it.

    Raises:
        ConfigurationError: a name that cannot be used, params that are no mapping.
    """
    offered = before if isinstance(before, OfferedRun) else None
    before = _before_of(before) if isinstance(before, OfferedRun) else before
    if before is not None and not (rank is not None and rank.number):
        _check_unused(before.record)
    changes: list[tuple[str, str, str]] = []

    def tell(kind: str, name: str, what: str) -> None:
        changes.append((kind, name, what))

    identity = _identity_of(pipeline, spec, before, rank, tell)
    if rank is not None and rank.number:
        from otel_experiments.record.run.rank_run import join_as_rank  # noqa: PLC0415 - only in distributed jobs

        params, declared = {} if before is None else before.params, _declared(spec, before)
        run = join_as_rank(pipeline, rank, identity, known=params, definitions=declared)
        _tell(pipeline, identity, changes)
        return run
    attributes = run_attributes(identity) | (rank.attributes if rank is not None else {})
    if pipeline.settings.trace_url is not None:
        attributes[attr.ML_RUN_TRACE_URL] = pipeline.settings.trace_url
    resource = pipeline.base_resource.merge(Resource(attributes, SCHEMA_URL))
    known_root = rank if rank is not None else offered
    root_span_id = int(known_root.root_span_id, 16) if known_root is not None else None
    providers = RunProviders(pipeline, resource, identity.run_id, root_span_id=root_span_id)
    core = RunCore(pipeline, identity, providers)
    cycle, given = _as_owner(core, rank)
    parts = RunParts(core, cycle, given)
    run = Run(parts)
    _tell(pipeline, identity, changes)
    if before is not None:
        parts.recording.config.merge({**before.params, **identity.params})
        parts.recording.go_on_with(before.definitions)
    if pipeline.has_telemetry:
        adopt_global_providers()
    if rank is not None:
        lanes.set_rank(rank.number)
    exits.watch_process()
    _begin(run, parts, cycle, spec, offered)
    return run


def _begin(run: Run, parts: RunParts, cycle: OwnLife, spec: RunSpec, offered: OfferedRun | None) -> None:
    """Start a run, or only write it down; one that is a fork says of its metrics what its source said."""
    try:
        if spec.pending:
            cycle.announce()
            claims.release(run.id)  # it is nobody's until it starts
        else:
            run.start(links=_links_of(offered))
            parts.labels.give_note(spec.note)
        parts.recording.inherit(() if spec.fork is None else spec.fork.definitions)
    except BaseException as error:
        parts.life.abandon(error)
        raise


def _declared(spec: RunSpec, before: Before | None) -> Sequence[MetricDefinition]:
    """Return how the metrics were to be read of the run that goes on, or that the new one is a fork of."""
    if before is not None and before.definitions:
        return before.definitions
    return () if spec.fork is None else spec.fork.definitions


def _links_of(offered: OfferedRun | None) -> Sequence[trace.Link]:
    """Return the link to the span that `otel-experiments run` was started in."""
    told = {TRACEPARENT_VARIABLE: offered.started_from} if offered is not None else {}
    outer = read_outer_span(told)
    if outer is None:
        return ()
    return (trace.Link(outer, {attr.ML_RUN_STARTED_FROM: values.MlRunStartedFrom.ENVIRONMENT}),)


def _identity_of(
    pipeline: Pipeline, spec: RunSpec, before: Before | None, rank: Rank | None, tell: Tell
) -> RunIdentity:
    """Return what the run is: what is given, else what is known of the run that goes on, else what is made up."""
    known = before.record if before is not None else _UNKNOWN
    name = spec.name if spec.name is not None else known.name or None
    # A run that goes on stays part of what it was part of, wherever that happens.
    parent = None if known.attempt and spec.parent is None else _parent_of(pipeline, spec.parent)
    if parent is not None and parent.run_id == known.run_id:
        parent = None
    experiment = clean_name(_experiment_of(pipeline, spec, known, parent), "experiment name")
    run_id = known.run_id or (rank.run_id if rank is not None else "")
    facts = _inherited(merged_facts(spec.facts, known, tell), spec, parent)
    try:
        params = flatten_params(spec.config, tell=tell) if spec.config is not None else {}
    except TypeError as error:
        if is_interruption(error):
            raise
        raise ConfigurationError(str(error)) from error.__cause__
    params = params if spec.fork is None else {**spec.fork.params, **params}
    tags = clean_tags(spec.tags, tell=tell) if spec.tags is not None else {}
    if not known.attempt and not (rank is not None and rank.number):
        shared = definition_of(pipeline, experiment)
        params, tags = with_defaults(params, shared.config), {**shared.tags, **tags}
    if before is not None:
        tags = _without_edited(tags, before, pipeline)
    now_ns = pipeline.clock()
    if rank is not None and rank.has_begun(known):
        attempt, past = known.attempt, past_of(known)
        not_before_ns = max((0, *past.starts_ns))
    else:
        attempt, not_before_ns = known.attempt + 1, _latest_ns(known, now_ns)
        past = _past(known, spec, max(now_ns, not_before_ns))
    return RunIdentity(
        run_id=run_id or trace.format_trace_id(pipeline.id_generator.generate_trace_id()),
        name=clean_name(name, "run name") if name is not None else _made_up(rank),
        experiment=experiment,
        facts=facts,
        parent_run_id=known.parent_run_id if parent is None else parent.run_id,
        seed=spec.seed,
        attempt=attempt,
        step_axis=checked_axis(spec.step_axis),
        params=params,
        tags=tags,
        known_tags=before.tags if before is not None else {},
        first_created_ns=known.created_ns if known.attempt else None,
        first_started_ns=known.started_ns,
        worked_ns=round((before.duration_s if before is not None else 0.0) * 1e9),
        past=past,
        continues=known.run_id if known.attempt else "" if spec.fork is None else spec.fork.record.run_id,
        key=clean_text(spec.key) or str(known.resource.get(attr.ML_RUN_KEY, "")),
        note=known.note,
        not_before_ns=not_before_ns,
    )


def _without_edited(
    tags: Mapping[str, str | None], before: Before, pipeline: Pipeline
) -> dict[str, str | None]:
    """Return the tags that a run goes on with, less those of which the program says what it said before.

    Where such a tag has another value since, somebody has edited it, and the edit stays.
    """
    kept = pipeline.redactor.mapping(tags, "tag")
    missing = object()
    return {
        key: value
        for key, value in tags.items()
        if before.said_tags.get(key, missing) != kept[key] or before.tags.get(key) == kept[key]
    }


def _past(known: model.Run, spec: RunSpec, now_ns: int) -> Past:
    """Return the attempts of a run that starts now, and the run that it is a fork of."""
    if known.attempt:
        return past_of(known).next_attempt(now_ns, spec.rewind_to, first_ns=known.started_ns)
    if spec.fork is None:
        return _NO_PAST
    return Past(fork=ForkPoint(spec.fork.record.run_id, spec.fork.step))


def _experiment_of(pipeline: Pipeline, spec: RunSpec, known: model.Run, parent: ParentRun | None) -> str:
    """Return the experiment of a run: as given, as before, or that of the run it comes from; else the setting's."""
    if spec.experiment is not None:
        return spec.experiment
    source = "" if spec.fork is None else spec.fork.record.experiment
    return known.experiment or source or (parent.experiment if parent else "") or pipeline.settings.experiment


def _inherited(facts: model.RunFacts, spec: RunSpec, parent: ParentRun | None) -> model.RunFacts:
    """Return the facts of a run with those that it takes from a run that it comes from, where it has none."""
    if spec.fork is None and parent is None:
        return facts
    source = spec.fork.record if spec.fork is not None else model.RunFacts()
    group = facts.group or source.group or (parent.group if parent is not None else "")
    condition = facts.condition or source.condition
    if (group, condition) == (facts.group, facts.condition):
        return facts
    return replace(facts, group=group, condition=condition)


def _tell(pipeline: Pipeline, identity: RunIdentity, changes: Sequence[tuple[str, str, str]]) -> None:
    """Tell what was not kept exactly of what the run was given."""
    guard = pipeline.guard.of_run(identity.run_id)
    for kind, about, what in changes:
        guard.lost(kind, what, name=about)


def _enclosing_run(pipeline: Pipeline) -> RunPort | None:
    """Return the current run, unless it is kept elsewhere: no reader of this store would find it."""
    run = find_run()
    is_elsewhere = run is not None and run.pipeline.journal.directory != pipeline.journal.directory
    return None if is_elsewhere else run


def _made_up(rank: Rank | None) -> str:
    return make_name() if rank is None or not rank.number else ""  # rank 0 names the run


def _as_owner(core: RunCore, rank: Rank | None) -> tuple[OwnLife, GivenValues]:
    if rank is None:
        return OwnLife(core), RunValues(core)
    from otel_experiments.record.run.rank_run import as_leader  # noqa: PLC0415 - only in distributed jobs

    return as_leader(core)


def _parent_of(pipeline: Pipeline, parent: object) -> ParentRun | None:
    """Return the run that was given as the parent, else the current run, else the environment's; None for none.

    Raises:
        ConfigurationError: the parent is not a run.
    """
    if parent is False:
        return None
    if parent is None:
        enclosing = _enclosing_run(pipeline)
        if enclosing is not None:
            return parent_run(enclosing.parts.core)
        run_id = read_parent_run(os.environ)
        return None if run_id is None else ParentRun(run_id)
    if isinstance(parent, ParentRun):
        return parent
    if not isinstance(parent, Run):
        raise ConfigurationError(
            f"parent={shown(parent)} is of type {type(parent).__name__}, not a run.\n"
            "  Pass what start_run or ox.run returned, an id or a name; False for no parent; or leave it out: the current "
            "run is the parent."
        )
    return parent_run(parent._core)  # noqa: SLF001 - of this package


def parent_run(core: RunCore) -> ParentRun:
    """Return a run of this process as the parent of another one."""
    return ParentRun(core.id, core.experiment, core.identity.facts.group)


def _check_unused(known: model.Run) -> None:
    """Refuse to go on with a run that a living process records; say so where that cannot be known for sure.

    Raises:
        RunInUseError: it is recorded now.
    """
    if known.owner is None or known.state not in {model.RunState.RUNNING, model.RunState.PAUSED}:
        return
    alive = known.run_id in active_runs or (
        is_alive(known.owner) if known.owner != current_owner() else False
    )
    if alive:
        raise RunInUseError(run_id=known.run_id, name=known.name, pid=known.owner.pid, host=known.owner.host)
    if alive is None and time.time_ns() - (known.heartbeat_ns or 0) < FOREIGN_TIMEOUT_NS:
        notice.tell(
            logger,
            "Run %r may still be recorded by process %d on %s; this is its attempt %d, and what that one writes of its "
            "end is ignored.",
            known.name,
            known.owner.pid,
            known.owner.host,
            known.attempt + 1,
        )


def _latest_ns(known: model.Run, now_ns: int) -> int:
    """Return the time before which nothing may be written of the next attempt; 0 where the clock was not set back."""
    latest_ns = max(known.created_ns, known.started_ns or 0, known.ended_ns or 0, known.heartbeat_ns or 0)
    return latest_ns + _BETWEEN_BEATS_NS if latest_ns >= now_ns else 0


Clock = Callable[[], int]
system_clock: Final[Clock] = time.time_ns
