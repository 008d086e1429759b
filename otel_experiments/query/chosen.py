"""The runs that a call names: by ids and names, by a search, or all."""

from __future__ import annotations

from collections.abc import Iterable

from otel_experiments.query.reader import Reader
from otel_experiments.query.run_list import RunList
from otel_experiments.query.run_view import RunView


def chosen_runs(
    reader: Reader,
    runs: str | RunView | Iterable[str | RunView] | None,
    *,
    where: str | None,
    experiment: str | None,
) -> RunList:
    """Return the runs that are named and those that match, each once; without any of these all runs.

    Args:
        reader: over their store.
        runs: ids, beginnings of ids, or names (the newest run of a name), or runs that were read.
        where: a search expression.
        experiment: only runs of this experiment match.

    Raises:
        RunNotFoundError: there is no such run.
        QueryError: the expression cannot be understood.
    """
    found = RunList()
    if runs is not None:
        named = [runs] if isinstance(runs, str | RunView) else runs
        found += [reader.run(one if isinstance(one, str) else one.id) for one in named]
    if runs is None or where is not None or experiment is not None:
        found += reader.runs(where, experiment=experiment)
    return RunList({run.id: run for run in found}.values())
