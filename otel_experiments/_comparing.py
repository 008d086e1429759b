"""What `import otel_experiments as ox` offers for putting runs beside each other; loaded on first use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel_experiments._chosen_store import open_chosen
from otel_experiments.query import RunView

if TYPE_CHECKING:
    from otel_experiments.analysis.samples import Goal, Method
    from otel_experiments.differences import ABTest, RunComparison, RunDiff
    from otel_experiments.model.other_stores import StoreObject
    from otel_experiments.model.search import Expression

__all__ = ["ab_test", "compare", "diff"]


def diff(
    a: str | RunView, b: str | RunView, *, store: str | os.PathLike[str] | StoreObject | None = None
) -> RunDiff:
    """Return why two runs differ, likely causes first: `print(ox.diff("baseline", "latest"))`.

    Compared are code, params, data, packages, environment, machine, state, metrics, span trees, times and artifacts. `print` prints
    the ten most telling differences, a notebook shows all; `.is_same` says whether there is any.

    Args:
        a: the first run: an id, the beginning of one, a name, or a run that was read, of whatever store.
        b: the second run.
        store: where ids and names are looked up; by default as for `run`.

    Raises:
        RunNotFoundError: a text names no run.
        AmbiguousRunError: several runs have an id that begins so.
        StoreError: the store cannot be read.
    """
    from otel_experiments.differences.run_diff import diff_runs  # noqa: PLC0415 - few readers need it

    if isinstance(a, RunView) and isinstance(b, RunView):
        return diff_runs(a, b)
    reader = open_chosen(store)
    return diff_runs(*(one if isinstance(one, RunView) else reader.run(one) for one in (a, b)))


def compare(
    *runs: str | RunView,
    where: str | Expression | None = None,
    baseline: str | RunView | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> RunComparison:
    """Return what several runs differ in, side by side: `print(ox.compare("a", "b", "c"))`.

    Only what differs is in the table: params, metrics with percent and direction against the baseline, state, code.

    Args:
        *runs: ids, beginnings of ids, names, or runs that were read.
        where: a search expression that finds more runs, the newest first.
        baseline: what changes are measured by; by default the first run.
        store: where runs are looked up; by default as for `run`.

    Raises:
        RunNotFoundError: a text names no run.
        AmbiguousRunError: several runs have an id that begins so.
        SearchSyntaxError: `where` cannot be understood.
        StoreError: the store cannot be read.
    """
    from otel_experiments.differences.compared import compare_runs  # noqa: PLC0415 - few readers need it

    wanted = [*([] if baseline is None else [baseline]), *runs]
    read = [one for one in wanted if isinstance(one, RunView)]
    if where is not None or len(read) < len(wanted):
        reader = open_chosen(store)
        read = [one if isinstance(one, RunView) else reader.run(one) for one in wanted]
        read += [] if where is None else reader.runs(where)
    return compare_runs(list({run.id: run for run in read}.values()))


def ab_test(  # noqa: PLR0913 - what makes a test is said in one call
    number: str,
    *,
    by: str = "condition",
    where: str | Expression | None = None,
    baseline: str | None = None,
    method: Method = "welch",
    goal: Goal | None = None,
    pair_by: str | None = None,
    alpha: float = 0.05,
    store: str | os.PathLike[str] | StoreObject | None = None,
) -> ABTest:
    """Return whether a number differs between groups of runs by more than chance explains: `print(ox.ab_test("metrics.accuracy.last"))`.

    Each run is one value. The p of several groups are corrected for being several (Holm).

    Args:
        number: the field of a search expression that is compared: `metrics.loss.min`, `duration`, `spans["checkpoint"].p95`.
        by: the field that makes the groups: `condition`, `params.optimizer`.
        where: a search expression that finds the runs; by default all.
        baseline: the group that the others are compared with; by default one called `control` or `baseline`, else that of the
            oldest run.
        method: `welch`, `mann-whitney`, `bootstrap`, or for pairs `paired-t` or `wilcoxon`. Tests by ranks need SciPy (extra `stats`).
        goal: which direction is better, `minimize` or `maximize`; by default that of the metric, where it was declared.
        pair_by: the field that partners share: `params.seed`.
        alpha: below which adjusted p a difference counts as shown.
        store: where runs are looked up; by default as for `run`.

    Raises:
        AnalysisError: there are not two groups, none is the baseline, or pairs are wanted and nothing makes them.
        MissingPackageError: the method needs SciPy, and it is not installed.
        SearchSyntaxError: a field or `where` cannot be understood.
        StoreError: the store cannot be read.
    """
    from otel_experiments.differences.ab_test import ab_test_of  # noqa: PLC0415 - few readers need it

    return ab_test_of(
        open_chosen(store), number, by=by, where=where, baseline=baseline, method=method, goal=goal, pair_by=pair_by, alpha=alpha
    )  # fmt: skip
