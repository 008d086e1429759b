"""A run that several ranks record together, as rank 0 and as the others see it.

Rank 0 owns the run. Every other rank has a span of its own under the run's root, and series of its own. What it
is told about the run (params, tags) is the run's where no lower rank was told otherwise, and is kept as it was
told; where it differs, rank 0 says so when the run ends, and readers show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import cast

from opentelemetry import trace

from otel_experiments.journal import encode
from otel_experiments.model import run as model
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.model.rank_config import find_differences
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.process import lanes
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.ranks import Rank
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.given_values import RunValues
from otel_experiments.record.run.identity import RunIdentity
from otel_experiments.record.run.join import JoinedLife, joined_core, start_joined
from otel_experiments.record.run.own_life import OwnLife
from otel_experiments.record.run.parts import parts_of
from otel_experiments.record.run.run import Run
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

FACTS = (*(one.name for one in fields(model.RunFacts)), "seed")
"""What `start_run` is told of a run beside config and tags, and what differs between ranks only by mistake or seed."""
_MAX_TOLD = 20
"""So many differences are named in the log; readers show all."""


def as_leader(core: RunCore) -> tuple[OwnLife, RunValues]:
    """Return the parts by which rank 0, which starts and ends the run for all ranks, differs from a single process."""
    return OwnLife(core, after_end=partial(_tell_differences, core)), RunValues(core)


def _tell_differences(core: RunCore) -> None:
    storage = core.pipeline.storage
    if storage is None:
        return
    redactor = core.pipeline.redactor
    found = find_differences(
        redactor.mapping(parts_of(core).recording.config.flat, "param"),
        redactor.mapping(core.identity.tags, "tag"),
        _facts_of(core.identity),
        storage.told_by_ranks(core.id),
    )
    if found:
        shown = "; ".join(map(str, found[:_MAX_TOLD]))
        more = f"; and {len(found) - _MAX_TOLD} more" if len(found) > _MAX_TOLD else ""
        tell(
            logger,
            "The ranks of run %r were given different values: %s%s. The run has the values of the lowest rank; "
            "`otel-experiments show` lists the others.",
            core.name,
            shown,
            more,
        )


class RankValues:
    """What another rank than 0 was given: kept as such, and the run's where no lower rank was given another value."""

    def __init__(self, core: RunCore, rank: int) -> None:
        self._core = core
        self._rank = rank

    def write_params(self, params: Mapping[str, ParamValue]) -> None:
        """Write params of this rank down."""
        self._write(params, {}, {})

    def write_tags(self, tags: Mapping[str, str | None]) -> None:
        """Write tags of this rank down."""
        self._write({}, tags, {})

    def write_start(self) -> None:
        """Write down what this rank was given when it started."""
        core = self._core
        redactor, identity = core.pipeline.redactor, core.identity
        core.keep(encode.encode_run(self._provisional()), "The run's record")
        core.pipeline.run_events.write_start(core.id, core.stamp_ns(), seed=identity.seed)
        facts = _facts_of(identity)
        self._write(
            redactor.mapping(identity.params, "param"),
            redactor.mapping(identity.tags, "tag"),
            {name: value for name, value in facts.items() if value not in {None, ""}},
        )

    def _provisional(self) -> model.Run:
        """Return what this rank knows of the run, which stands until rank 0 has said more."""
        core = self._core
        return model.Run(
            run_id=core.id,
            experiment=core.experiment,
            name=core.name,
            state=RunState.PENDING,
            created_ns=core.stamp_ns(),
            attempt=0,
            resource=cast("Mapping[str, object]", dict(core.providers.resource.attributes)),
        )

    def _write(
        self,
        params: Mapping[str, ParamValue],
        tags: Mapping[str, str | None],
        facts: Mapping[str, ParamValue],
    ) -> None:
        core = self._core
        # The latest time wins, and a rank's is before all real times, the lower rank's after the higher one's.
        time_ns = -self._rank
        if params:
            core.keep(encode.encode_params(core.id, params, time_ns), "Params", len(params))
        if tags:
            core.keep(encode.encode_tags(core.id, tags, time_ns), "Tags", len(tags))
        known = core.pipeline.known_runs.get(core.id)
        if known is None or not (params or tags or facts):
            return
        now_ns = core.stamp_ns()
        is_kept = core.pipeline.own_events.write(
            core.id,
            known,
            events.ML_RANK_CONFIG.name,
            {attr.ML_DISTRIBUTED_RANK: self._rank},
            time_ns=now_ns,
            observed_ns=now_ns,
            body={"params": dict(params), "tags": dict(tags), "facts": dict(facts)},
            is_warning=False,
        )
        if not is_kept:
            things = "Params and tags of this rank"
            core.guard.lost(*why_not_kept(core.pipeline.journal, things), count=len(params) + len(tags))


def _facts_of(identity: RunIdentity) -> dict[str, ParamValue]:
    return asdict(identity.facts) | {"seed": identity.seed}


def join_as_rank(
    pipeline: Pipeline,
    rank: Rank,
    identity: RunIdentity,
    *,
    known: Mapping[str, ParamValue],
    definitions: Sequence[MetricDefinition],
) -> Run:
    """Return the run that rank 0 of this process's job starts, with a span of this rank's own under its root.

    `identity` is what this rank was given; it is kept where it differs from what rank 0 was given. `known` are the params
    of a run that goes on, `definitions` what it, or the run that this one is a fork of, has declared of metrics.
    """
    lanes.set_rank(rank.number)
    first_trace = trace.format_trace_id(pipeline.id_generator.generate_trace_id())
    core = joined_core(pipeline, identity, first_trace, rank.attributes)
    given = RankValues(core, rank.number)
    run = start_joined(core, JoinedLife(core, parent=rank.root, part=f"rank {rank.number}"), given)
    with core.guard:
        given.write_start()
    parts_of(core).recording.config.merge({**known, **identity.params})
    parts_of(core).recording.go_on_with(definitions)
    return run
