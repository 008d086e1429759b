"""Whose the metric points of a request are: each run's block of points finds its run's resource and root span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.codec.otlp.points import PointOrigin, of_rank, points_to_request
from otel_experiments.model.metric import PointBlock
from otel_experiments.record.base.known_runs import KnownRuns
from otel_experiments.record.base.scope import stored_scope


def encode_points(blocks: Sequence[PointBlock], known: KnownRuns) -> bytes:
    """Return a request with the blocks' points, by run; points of runs that are not known any more are left out."""
    return points_to_request(_by_run(blocks, known), stored_scope())


def _by_run(blocks: Sequence[PointBlock], known: KnownRuns) -> Iterator[tuple[PointOrigin, list[PointBlock]]]:
    """Yield the blocks of each rank of each run with whose they are: they leave under the number of their rank."""
    found: dict[tuple[str, int], list[PointBlock]] = {}
    for block in blocks:
        found.setdefault((block.run_id, block.keys[0].rank), []).append(block)
    for (run_id, rank), group in found.items():
        run = known.get(run_id)
        if run is not None:
            resource = of_rank(resource_from_sdk(run.resource), rank)
            yield PointOrigin(resource, f"{run.trace_id:032x}", f"{run.span_id:016x}"), group
