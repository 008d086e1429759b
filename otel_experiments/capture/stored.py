"""From runs in a store to captured runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from otel_experiments._opening import open_reader
from otel_experiments.capture.environment import describe_resource
from otel_experiments.capture.grouping import ChildPrefixes, group_spans
from otel_experiments.errors import EmptyTraceError, GoldenRuleError, IncompleteTraceError
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries, require_complete
from otel_experiments.query import Reader, RunView
from otel_experiments.store.reader_warning import collect_incomplete

_SHOWN: Final = 3


def capture_run(
    run: RunView, *, children: Iterable[RunView] = (), environment: Mapping[str, str] | None = None
) -> CapturedRun:
    """Return a stored run with its spans and the whole history of its metrics.

    Spans and metrics of child runs (`children`) go in as well, their metrics under `CHILD:METRIC`; of several of one
    name the second is `CHILD#2`, and one whose name was drawn is called `run`.

    Args:
        run: the run, as a reader found it.
        children: runs that are part of it.
        environment: where it took place; by default what its resource tells.

    Raises:
        EmptyTraceError: the run has no spans.
        IncompleteTraceError: spans were lost, are still open, or have lost their parent; or the store could not be
            read whole.
    """
    with collect_incomplete() as problems:
        # Read anew: what the caller has read already gave its warnings then, and those of other runs.
        whole = run.read_anew()
        spans = list(whole.spans)
        series = _series(whole)
        prefixes = ChildPrefixes()
        for child in map(RunView.read_anew, children):
            spans += list(child.spans)
            series += _series(child, prefix=prefixes.next(child.name))
    _require_whole(run.name, [*run.read_problems(), *problems])
    made = CapturedRun(
        spans=spans,
        metrics=series,
        environment=describe_resource(run.resource) if environment is None else environment,
        name=run.name,
    )
    require_complete(made)
    return made


def capture_store(
    location: str | os.PathLike[str],
    *,
    select: str | None = None,
    environment: Mapping[str, str] | None = None,
    name: str = "candidate",
) -> CapturedRun:
    """Return the one run that a store holds, with its child runs.

    Args:
        location: the store.
        select: id or name of the run, where the store holds several.
        environment: where it took place; by default what the run's resource tells.
        name: what the trace is called where the store has spans and no run.

    Raises:
        GoldenRuleError: the store holds several runs and `select` names none.
        RunNotFoundError: `select` names no run.
        EmptyTraceError: there is neither run nor span.
        IncompleteTraceError: spans are missing, or a journal or a row could not be read.
        StoreError: the store cannot be read.
    """
    with open_reader(location) as reader:
        with collect_incomplete() as problems:
            runs = reader.runs(order="created")
        # A row of a run that cannot be read may be that of a child.
        _require_whole(select or name, [*reader.read_problems(), *problems])
        if not runs:
            return _without_run(reader, environment, name)
        known = {run.id for run in runs}
        roots = [run for run in runs if run.record.parent_run_id not in known]
        chosen = reader.run(select) if select is not None else _only(roots)
        return capture_run(chosen, children=_below(chosen, runs), environment=environment)


def _only(roots: Sequence[RunView]) -> RunView:
    if len(roots) == 1:
        return roots[0]
    names = ", ".join(f"{run.name!r}" for run in roots[:5]) + (", ..." if len(roots) > 5 else "")
    raise GoldenRuleError(
        rule="one run",
        why=f"a golden is made from one run, and {len(roots)} were recorded: {names}",
        fix="Capture them one at a time, choose one by name (select=, --select NAME), or make them child runs of one.",
    )


def _below(root: RunView, runs: Sequence[RunView]) -> list[RunView]:
    inside = {root.id}
    found = []
    for run in runs:  # by creation: a parent comes before its children
        if run.id != root.id and run.record.parent_run_id in inside:
            inside.add(run.id)
            found.append(run)
    return found


def _require_whole(name: str, problems: Sequence[str]) -> None:
    if not problems:
        return
    clauses = [problem.partition("\n")[0].rstrip(".") for problem in dict.fromkeys(problems)]
    raise IncompleteTraceError(
        run=name,
        problems=clauses[:_SHOWN] + ([f"{len(clauses) - _SHOWN} more"] if len(clauses) > _SHOWN else []),
        fix="Mend what cannot be read, or record the run again; otel-experiments doctor --deep lists it",
    )


def _without_run(reader: Reader, environment: Mapping[str, str] | None, name: str) -> CapturedRun:
    with collect_incomplete() as problems:
        groups = group_spans(reader.spans)
    _require_whole(name, problems)
    if not groups:
        raise EmptyTraceError(run=name)
    if len(groups) > 1:
        raise GoldenRuleError(
            rule="one run",
            why=f"a golden is made from one trace, and the store holds {len(groups)} and no run",
            fix="Record one program a store.",
        )
    made = CapturedRun(spans=groups[0], environment=environment or {}, name=name)
    require_complete(made)
    return made


def _series(run: RunView, *, prefix: str = "") -> list[MetricSeries]:
    found = []
    for series in run.metrics.all():
        points = series.points()
        found.append(
            MetricSeries(
                name=f"{prefix}{series.name}",
                indices=list(points.steps),
                values=list(points.values),
                phase=series.phase,
            )
        )
    return found
