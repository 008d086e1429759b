"""A run that several ranks record together, as rank 0 and as the others see it.

Rank 0 owns the run. Every other rank has a span of its own under the run's root, and series of its own. What it
is told about the run (params, tags) is the run's where no lower rank was told otherwise, and is kept as it was
told; where it differs, rank 0 says so when the run ends, and readers show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import partial
from typing import TYPE_CHECKING, cast

from opentelemetry import trace

from otel_experiments.journal import encode
from otel_experiments.model import run as model
from otel_experiments.model.rank_config import find_differences
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.process import lanes
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.ranks import Rank
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.pipeline.pipeline import FlushReport, Pipeline
from otel_experiments.record.run.endings import Ending
from otel_experiments.record.run.identity import RunIdentity
from otel_experiments.record.run.join import JoinedRun, joined
from otel_experiments.record.run.run import Run
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from otel_experiments.record.pipeline.providers import RunProviders

FACTS = (*(one.name for one in fields(model.RunFacts)), "seed")
"""What `start_run` is told of a run beside config and tags, and what differs between ranks only by mistake or seed."""
_MAX_TOLD = 20
"""So many differences are named in the log; readers show all."""


class LeadingRun(Run):
    """The run as rank 0 records it, which starts and ends it for all ranks."""

    def _write_tags(self, tags: Mapping[str, str | None]) -> None:
        self._identity.tags.update(tags)
        super()._write_tags(tags)

    def _end(self, ending: Ending, *, is_awaited: bool = True) -> FlushReport:
        was_active = self.is_active
        report = super()._end(ending, is_awaited=is_awaited)
        if was_active and not self.is_inherited:
            with self.guard:
                self._tell_differences()
        return report

    def _tell_differences(self) -> None:
        storage = self.pipeline.storage
        if storage is None:
            return
        redactor = self.pipeline.redactor
        found = find_differences(
            redactor.mapping(self.config.flat, "param"),
            redactor.mapping(self._identity.tags, "tag"),
            _facts_of(self._identity),
            storage.told_by_ranks(self.id),
        )
        if found:
            shown = "; ".join(map(str, found[:_MAX_TOLD]))
            more = f"; and {len(found) - _MAX_TOLD} more" if len(found) > _MAX_TOLD else ""
            tell(
                logger,
                "The ranks of run %r were given different values: %s%s. The run has the values of the lowest rank; "
                "`otel-experiments show` lists the others.",
                self.name,
                shown,
                more,
            )


class RankRun(JoinedRun):
    """The run as another rank than 0 records it."""

    def __init__(
        self,
        pipeline: Pipeline,
        identity: RunIdentity,
        providers: RunProviders,
        *,
        parent: SpanContext | None,
        part: str | None,
        rank: int,
    ) -> None:
        super().__init__(pipeline, identity, providers, parent=parent, part=part)
        self._rank = rank

    def _write_params(self, params: Mapping[str, ParamValue]) -> None:
        self._write_told(params, {}, {})

    def _write_tags(self, tags: Mapping[str, str | None]) -> None:
        self._write_told({}, tags, {})

    def write_start(self) -> None:
        """Record what this rank was told when it started."""
        redactor, identity = self.pipeline.redactor, self._identity
        self._keep(encode.encode_run(self._provisional()), "The run's record")
        facts = _facts_of(identity)
        self._write_told(
            redactor.mapping(identity.params, "param"),
            redactor.mapping(identity.tags, "tag"),
            {name: value for name, value in facts.items() if value not in {None, ""}},
        )

    def _provisional(self) -> model.Run:
        """Return what this rank knows of the run, which stands until rank 0 has said more."""
        return model.Run(
            run_id=self.id,
            experiment=self.experiment,
            name=self.name,
            state=RunState.PENDING,
            created_ns=self._stamp_ns(),
            attempt=0,
            resource=cast("Mapping[str, object]", dict(self.providers.resource.attributes)),
        )

    def _write_told(
        self,
        params: Mapping[str, ParamValue],
        tags: Mapping[str, str | None],
        facts: Mapping[str, ParamValue],
    ) -> None:
        # The latest time wins, and a rank's is before all real times, the lower rank's after the higher one's.
        time_ns = -self._rank
        if params:
            self._keep(encode.encode_params(self.id, params, time_ns), "Params", len(params))
        if tags:
            self._keep(encode.encode_tags(self.id, tags, time_ns), "Tags", len(tags))
        known = self.pipeline.known_runs.get(self.id)
        if known is None or not (params or tags or facts):
            return
        now_ns = self._stamp_ns()
        is_kept = self.pipeline.own_events.write(
            self.id,
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
            self.guard.lost(*why_not_kept(self.pipeline.journal, things), count=len(params) + len(tags))


def rank_worker(rank: int) -> Callable[..., JoinedRun]:
    """Return what makes the run as a worker of a rank records it: as that rank does."""
    return partial(RankRun, rank=rank) if rank else JoinedRun


def _facts_of(identity: RunIdentity) -> dict[str, ParamValue]:
    return asdict(identity.facts) | {"seed": identity.seed}


def join_as_rank(pipeline: Pipeline, rank: Rank, identity: RunIdentity) -> Run:
    """Return the run that rank 0 of this process's job starts, with a span of this rank's own under its root.

    `identity` is what this rank was told; it is kept where it differs from what rank 0 was told.
    """
    lanes.set_rank(rank.number)
    first_trace = trace.format_trace_id(pipeline.id_generator.generate_trace_id())

    run = joined(
        pipeline,
        identity,
        first_trace,
        rank.root,
        f"rank {rank.number}",
        attributes=rank.attributes,
        make=partial(RankRun, rank=rank.number),
    )
    with run.guard:
        run.write_start()
    return run
