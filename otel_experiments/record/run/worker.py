"""Joining, as a worker, the run that the environment names."""

from __future__ import annotations

import multiprocessing.process

from opentelemetry import trace

from otel_experiments.process import lanes
from otel_experiments.record.base.propagation import Membership
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.run.given_values import RunValues
from otel_experiments.record.run.identity import RunIdentity
from otel_experiments.record.run.join import JoinedLife, joined_core, start_joined
from otel_experiments.record.run.run import Run
from otel_experiments.semconv import attributes as attr


def join_as_worker(pipeline: Pipeline, membership: Membership) -> Run:
    """Return the run that this process was told of, ready to record."""
    identity = RunIdentity(membership.run_id, membership.name, membership.experiment, attempt=0)
    rank = membership.rank
    if rank is not None:
        lanes.set_rank(rank)
    if multiprocessing.process.parent_process() is not None and not pipeline.is_inherited:
        numbers = multiprocessing.process.current_process()._identity  # noqa: SLF001 - the number that the parent counts
        lanes.set_child(numbers[-1] if numbers else 0, rank)
    parent = membership.parent
    # The run's trace id is for spans without a parent; there are none where a parent is told.
    first_trace = (
        membership.run_id
        if parent is None
        else trace.format_trace_id(pipeline.id_generator.generate_trace_id())
    )
    part = "worker" if parent is None else None
    attributes = None if rank is None else {attr.ML_DISTRIBUTED_RANK: rank}
    core = joined_core(pipeline, identity, first_trace, attributes)
    cycle = JoinedLife(core, parent=parent, part=part)
    if not rank:
        return start_joined(core, cycle, RunValues(core))
    from otel_experiments.record.run.rank_run import RankValues  # noqa: PLC0415 - only in distributed jobs

    return start_joined(core, cycle, RankValues(core, rank))
