"""How often a golden would have failed runs that are known to be right, and what would mend it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.canonical import canonicalize
from otel_experiments.golden.compare import compare
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.golden import make_golden
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.statistics import sample_std
from otel_experiments.golden.time_check import measure_run
from otel_experiments.golden.trace import CapturedRun

_LEAST_RUNS = 3


@dataclass(frozen=True, slots=True)
class Calibration:
    """What leave-one-out comparisons of equal runs came to.

    `false_alarms` of `runs` comparisons failed; `causes` counts what failed them. `wall_std` and `cpu_std` are the
    standard deviations of log time from run to run, the median over stages (0.03 is 3 %), None without times.
    """

    runs: int
    false_alarms: int
    causes: tuple[tuple[Finding, int], ...]
    wall_std: float | None
    cpu_std: float | None
    proposals: tuple[str, ...]

    @property
    def rate(self) -> float:
        """The share of comparisons that failed."""
        return self.false_alarms / self.runs


def calibrate(
    runs: Sequence[CapturedRun], *, policy: Policy | None = None, rules: Rules = DEFAULT_RULES
) -> Calibration:
    """Compare each run with a golden made from all others.

    Raises:
        GoldenRuleError: there are fewer than three runs.
    """
    if len(runs) < _LEAST_RUNS:
        raise GoldenRuleError(
            rule=f"runs={len(runs)}",
            why=f"calibrating takes at least {_LEAST_RUNS} runs of the same program",
            fix="Give more: --runs 5",
        )
    chosen = policy or Policy()
    causes: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], Finding] = {}
    false_alarms = 0
    for left_out in range(len(runs)):
        golden = make_golden(
            [run for at, run in enumerate(runs) if at != left_out], rules=rules, allow_nonfinite=True
        )
        comparison = compare(golden, [runs[left_out]], policy=chosen)
        false_alarms += comparison.verdict == "fail"
        for finding in comparison.failures:
            key = finding.code, finding.path, finding.key
            causes[key] += 1
            examples.setdefault(key, finding)
    wall, cpu = _spread(runs, rules)
    ordered = tuple((examples[key], count) for key, count in causes.most_common())
    return Calibration(
        runs=len(runs),
        false_alarms=false_alarms,
        causes=ordered,
        wall_std=wall,
        cpu_std=cpu,
        proposals=tuple(dict.fromkeys(_propose(finding) for finding, _ in ordered)),
    )


def _propose(finding: Finding) -> str:
    match finding.group:
        case "numbers":
            return f"--policy statistical, or a tolerance for it: --rtol {finding.key or finding.path}=1e-2"
        case "time":
            return f"capture more runs, or --timing advisory (stage {finding.path} varies)"
        case "structure" if finding.code in {"reordered", "serialised", "parallelised"}:
            above = finding.path.rpartition("/")[0] or finding.path
            return f"declare that its children have no order: unordered=[{above!r}]"
        case "span" if finding.key:
            return f"declare the attribute volatile: volatile=[{finding.key!r}]"
    return f"give the program a seed, or ignore it: path = {finding.path!r}, code = {finding.code!r}"


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
