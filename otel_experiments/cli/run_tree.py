"""Runs in the order of a tree: each below the run that it is part of."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.query import RunView

_MOST_ANCESTORS = 100
"""Parents of parents that are followed: telemetry of other programs may go in a circle."""


def in_tree_order(runs: Sequence[RunView]) -> list[tuple[int, RunView]]:
    """Return the runs and those that they are part of, each with its depth, parents first and else in their order.

    A run that was removed is left out with what is above it.
    """
    known = {run.id: run for run in runs}
    for run in runs:
        parent = run.parent if run.parent_id not in known else None
        for _ in range(_MOST_ANCESTORS):
            if parent is None or parent.is_removed or parent.id in known:
                break
            known[parent.id] = parent
            parent = parent.parent
    below: dict[str | None, list[RunView]] = {}
    for run in known.values():
        is_root = run.parent_id is None or run.parent_id not in known
        below.setdefault(None if is_root else run.parent_id, []).append(run)
    ordered: dict[str, tuple[int, RunView]] = {}
    for root in (*below.get(None, []), *known.values()):  # of runs in a circle, the first one
        waiting = [(0, root)]
        while waiting:
            depth, run = waiting.pop()
            if run.id not in ordered:
                ordered[run.id] = (depth, run)
                waiting += [(depth + 1, child) for child in reversed(below.get(run.id, []))]
    return list(ordered.values())
