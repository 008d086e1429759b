"""How often a golden would have failed runs that are known to be right, and what would mend it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otel_experiments.analysis.statistics import sample_std
from otel_experiments.errors import GoldenInvalidError, GoldenRuleError
from otel_experiments.golden.baseline import MAX_VARIANTS, make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.checks.times import measure_run
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.goldens.remedy import Accepted, Remedy, remedies_of

_LEAST_RUNS = 3
_MOST_CAUSES = 200
"""A program with more that varies needs a seed, and no list of declarations."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What leave-one-out comparisons of equal runs came to.

    `false_alarms` of `runs` comparisons failed; `causes` counts what failed them. `wall_std` and `cpu_std` are the
    standard deviations of log time from run to run, the median over stages (0.03 is 3 %), None without times.
    `proposals` are declarations that were tried: with them `remaining` comparisons still fail.
    """

    runs: int
    false_alarms: int
    causes: tuple[tuple[Finding, int], ...]
    wall_std: float | None
    cpu_std: float | None
    proposals: tuple[Remedy, ...]
    remaining: int

    @property
    def rate(self) -> float:
        """The share of comparisons that failed."""
        return self.false_alarms / self.runs


def calibrate(
    runs: Sequence[CapturedRun],
    *,
    policy: Policy | None = None,
    rules: Rules = DEFAULT_RULES,
    ignore: Sequence[IgnoreRule] = (),
) -> Calibration:
    """Compare each run with a golden made from all others; find by trial what makes them pass.

    Raises:
        GoldenRuleError: there are fewer than three runs.
    """
    if len(runs) < _LEAST_RUNS:
        raise GoldenRuleError(
            rule=f"runs={len(runs)}",
            why=f"calibrating takes at least {_LEAST_RUNS} runs of the same program",
            fix="Give more: --runs 5",
        )
    accepted = Accepted(rules, policy or Policy(), tuple(ignore))
    first = _leave_one_out(runs, accepted)
    proposals, remaining = _find_remedies(runs, accepted, first)
    wall, cpu = _spread(runs, rules)
    return Calibration(
        runs=len(runs),
        false_alarms=first.false_alarms,
        causes=tuple((first.examples[key], count) for key, count in first.causes.most_common()),
        wall_std=wall,
        cpu_std=cpu,
        proposals=proposals,
        remaining=remaining,
    )


_Cause = tuple[str, str, str]
"""Code, path and key of what failed."""


@dataclass(slots=True)
class _Outcome:
    """What comparing each run with the others came to."""

    false_alarms: int = 0
    causes: Counter[_Cause] = field(default_factory=Counter)
    examples: dict[_Cause, Finding] = field(default_factory=dict)
    max_relative: dict[tuple[str, str], float] = field(default_factory=dict)
    """By path and metric how far a run was from the nearest other one."""


def _leave_one_out(runs: Sequence[CapturedRun], accepted: Accepted) -> _Outcome:
    try:
        return _compare_each(runs, accepted, has_many_structures=False)
    except GoldenInvalidError:  # more structures than a golden takes: that too is to be told and mended
        return _compare_each(runs, accepted, has_many_structures=True)


def _compare_each(runs: Sequence[CapturedRun], accepted: Accepted, *, has_many_structures: bool) -> _Outcome:
    outcome = _Outcome()
    for left_out in range(len(runs)):
        others = [run for at, run in enumerate(runs) if at != left_out]
        golden = make_golden(
            others[:MAX_VARIANTS] if has_many_structures else others,
            rules=accepted.rules,
            ignore=accepted.ignore,
            allow_nonfinite=True,
        )
        comparison = compare(golden, [runs[left_out]], policy=accepted.policy)
        outcome.false_alarms += comparison.verdict == "fail"
        for finding in comparison.failures:
            key = finding.code, finding.path, finding.key
            outcome.causes[key] += 1
            outcome.examples.setdefault(key, finding)
        for view in comparison.curves:
            if view.report is not None:
                where = view.path, view.metric
                known = outcome.max_relative.get(where, 0.0)
                outcome.max_relative[where] = max(known, view.report.max_relative)
    return outcome


def _find_remedies(
    runs: Sequence[CapturedRun], accepted: Accepted, outcome: _Outcome
) -> tuple[tuple[Remedy, ...], int]:
    """Return declarations under which the runs pass, found by trying them, and how many runs fail all the same.

    For each cause the mildest remedy is tried first, and a stronger one in its place where the cause stays.
    """
    ladders: dict[_Cause, list[Remedy]] = {}
    while outcome.false_alarms and len(ladders) <= _MOST_CAUSES:
        is_new = False
        for cause in outcome.causes:
            finding = outcome.examples[cause]
            if cause not in ladders:
                worst = outcome.max_relative.get((finding.path, finding.key), math.inf)
                ladders[cause] = remedies_of(finding, worst)
                is_new = True
            elif len(ladders[cause]) > 1:
                ladders[cause].pop(0)
                is_new = True
        if not is_new:
            break
        tried = accepted
        for remedy in _chosen(ladders):
            tried = remedy.apply(tried)
        outcome = _leave_one_out(runs, tried)
    return _chosen(ladders), outcome.false_alarms


def _chosen(ladders: Mapping[_Cause, Sequence[Remedy]]) -> tuple[Remedy, ...]:
    """Return the remedy that is being tried for each cause; of tolerances of one metric the widest."""
    found = tuple(dict.fromkeys(remedies[0] for remedies in ladders.values()))
    volatile = {remedy.name for remedy in found if remedy.kind == "volatile"}
    widest: dict[str, float] = {}
    for remedy in found:
        if remedy.kind == "rtol":
            widest[remedy.name] = max(widest.get(remedy.name, 0.0), float(remedy.value))
    return tuple(
        remedy
        for remedy in found
        if remedy.kind != "rtol"
        or (remedy.name not in volatile and float(remedy.value) == widest[remedy.name])
    )


def _spread(runs: Sequence[CapturedRun], rules: Rules) -> tuple[float | None, float | None]:
    timed = [measure_run(canonicalize(run, rules)) for run in runs]
    walls, cpus = [], []
    for path in set.intersection(*(set(one.stages) for one in timed)):
        stages = [one.stages[path] for one in timed]
        walls.append(sample_std([math.log(max(stage.wall_ns, 1.0)) for stage in stages]))
        known = [stage.cpu_ns for stage in stages if stage.cpu_ns]
        if len(known) == len(stages):
            cpus.append(sample_std([math.log(value) for value in known]))
    return _median(walls), _median(cpus)


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
