"""Whether a stage got slower, told from runs and not from spans, with CPU time beside wall time.

The unit of the test is the run: spans of one run share its luck, and a test over spans calls noise a change.
Nothing is read from a clock here; `stage_time.py` makes the samples from spans. Verdicts are those of the
structural policy (`fails`); another policy may judge the same codes differently.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from otel_experiments.golden.statistics import (
    TTest,
    holm_adjust,
    median,
    predictive_power,
    predictive_t_test,
    student_t_survival,
)
from otel_experiments.golden.timing_model import (
    DEFAULT_SETTINGS,
    CpuReading,
    MachineFactor,
    StageSample,
    StageVerdict,
    TimeTest,
    TimingCode,
    TimingReport,
    TimingRun,
    TimingSettings,
)

__all__ = [
    "DEFAULT_SETTINGS",
    "CpuReading",
    "MachineFactor",
    "StageSample",
    "StageVerdict",
    "TimeTest",
    "TimingCode",
    "TimingReport",
    "TimingRun",
    "TimingSettings",
    "compare_timing",
    "runs_needed",
]


@dataclass(frozen=True, slots=True)
class _Column:
    """One path's wall or CPU times, a value a run, in nanoseconds."""

    golden: tuple[float, ...]
    candidate: tuple[float, ...]
    error: float


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the verdict on one path is made from."""

    count: int
    wall: TimeTest
    cpu: TimeTest | None
    wall_factor: float
    cpu_factor: float
    is_external: bool
    least_candidate_ns: float
    least_ns: float


def compare_timing(
    golden: Sequence[TimingRun],
    candidate: Sequence[TimingRun],
    *,
    settings: TimingSettings = DEFAULT_SETTINGS,
    external: Collection[str] = (),
    advisory_reasons: Sequence[str] = (),
) -> TimingReport:
    """Compare how long the stages took in candidate runs with how long they took in golden runs.

    A stage is tested where every run has it; what only one side has is a structural finding, not a slow one.

    Args:
        golden: The golden runs, at least one.
        candidate: The candidate runs, at least one.
        settings: Levels, thresholds and priors.
        external: Paths declared as I/O or GPU work: there, wall time that CPU time does not explain fails.
        advisory_reasons: Why nothing may fail, such as another host (`fingerprint.advisory_reasons`).

    Raises:
        ValueError: a side has no run.

    Source: golden trace design, section 5.1; Kalibera and Jones, arXiv 2007.10899, on runs as the unit.
    """
    if not golden or not candidate:
        message = (
            f"timing needs a run on each side; got {len(golden)} golden and {len(candidate)} candidate runs"
        )
        raise ValueError(message)
    paths = sorted(set.intersection(*(set(run.stages) for run in (*golden, *candidate))))
    counts = {path: round(median([run.stages[path].count for run in candidate])) for path in paths}
    wall = {path: _wall_column(path, golden, candidate) for path in paths}
    cpu = {path: column for path in paths if (column := _cpu_column(path, golden, candidate)) is not None}
    machine = _machine_factor(wall, cpu, settings)
    least_ns = min(settings.impact_ns, settings.impact_ratio * median([run.total_ns() for run in golden]))
    wall_factor = machine.wall if machine.is_uniform else 1.0
    cpu_factor = _cpu_divisor(machine, settings)
    wall_tests = _test_columns(wall, counts, wall_factor, least_ns, settings, settings.prior_std)
    cpu_tests = _test_columns(cpu, counts, cpu_factor, least_ns, settings, settings.cpu_prior_std)
    verdicts = []
    for path in paths:
        facts = _Facts(
            count=counts[path],
            wall=wall_tests[path],
            cpu=cpu_tests.get(path),
            wall_factor=wall_factor,
            cpu_factor=cpu_factor,
            is_external=path in external,
            least_candidate_ns=min(wall[path].candidate),
            least_ns=least_ns,
        )
        verdict = _judge(path, facts, machine, (len(golden), len(candidate), len(paths)), settings)
        if verdict.code != "equal":
            verdicts.append(replace(verdict, fails=verdict.fails and not advisory_reasons))
    verdicts.sort(key=lambda verdict: (not verdict.fails, -abs(verdict.wall.impact_ns), verdict.path))
    return TimingReport(
        stages=tuple(verdicts),
        machine=machine,
        golden_runs=len(golden),
        candidate_runs=len(candidate),
        tested=len(paths),
        is_advisory=bool(advisory_reasons),
        advisory_reasons=tuple(advisory_reasons),
    )


def _wall_column(path: str, golden: Sequence[TimingRun], candidate: Sequence[TimingRun]) -> _Column:
    ours = [run.stages[path] for run in golden]
    theirs = [run.stages[path] for run in candidate]
    return _Column(
        tuple(max(0.0, stage.wall_ns) for stage in ours),
        tuple(max(0.0, stage.wall_ns) for stage in theirs),
        _root_mean_square([stage.wall_error for stage in (*ours, *theirs)]),
    )


def _cpu_column(path: str, golden: Sequence[TimingRun], candidate: Sequence[TimingRun]) -> _Column | None:
    ours = [run.stages[path] for run in golden]
    theirs = [run.stages[path] for run in candidate]
    golden_cpu = tuple(max(0.0, stage.cpu_ns) for stage in ours if stage.cpu_ns is not None)
    candidate_cpu = tuple(max(0.0, stage.cpu_ns) for stage in theirs if stage.cpu_ns is not None)
    if not golden_cpu or not candidate_cpu:
        return None
    return _Column(
        golden_cpu, candidate_cpu, _root_mean_square([stage.cpu_error for stage in (*ours, *theirs)])
    )


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values) / len(values))


def _machine_factor(
    wall: Mapping[str, _Column], cpu: Mapping[str, _Column], settings: TimingSettings
) -> MachineFactor:
    """Estimate the machine's own factor from the stages long enough to tell (a fifth of the floor)."""
    least_ns = settings.floor_ns / 5
    ratios = {
        path: median(column.candidate) / median(column.golden)
        for path, column in wall.items()
        if median(column.golden) >= least_ns
    }
    if len(ratios) < 3:
        return MachineFactor(stage_count=len(ratios))
    factor = median(list(ratios.values()))
    cpu_ratios = [
        median(cpu[path].candidate) / median(cpu[path].golden)
        for path in ratios
        if path in cpu and median(cpu[path].golden) >= least_ns
    ]
    # All but one in five agree within the tolerated ratio, or the factor is one stage's and not the machine's.
    agreeing = sum(
        1 for ratio in ratios.values() if factor / settings.ratio <= ratio <= factor * settings.ratio
    )
    is_uniform = factor > settings.ratio and agreeing >= 0.8 * len(ratios)
    return MachineFactor(
        wall=factor,
        cpu=median(cpu_ratios) if len(cpu_ratios) >= 3 else None,
        stage_count=len(ratios),
        is_uniform=is_uniform,
    )


def _cpu_divisor(machine: MachineFactor, settings: TimingSettings) -> float:
    """Return what CPU times are divided by: neighbours cost caches and clock speed too, not only turns."""
    if machine.cpu is None or machine.cpu <= 1.0:
        return 1.0
    return machine.cpu if machine.is_uniform or machine.wall >= settings.disturbed_ratio else 1.0


def _test_columns(
    columns: Mapping[str, _Column],
    counts: Mapping[str, int],
    factor: float,
    least_ns: float,
    settings: TimingSettings,
    prior_std: float,
) -> dict[str, TimeTest]:
    """Test every path, correct for their number, and say which are slower or faster beyond all thresholds."""
    paths = list(columns)
    tests = [
        _t_test(columns[path], factor, settings, settings.stage_prior_std.get(path, prior_std))
        for path in paths
    ]
    holm = holm_adjust([test.p for test in tests])
    holm_below = holm_adjust([student_t_survival(-test.t, test.degrees_of_freedom) for test in tests])
    results = {}
    for path, test, p_holm, p_below in zip(paths, tests, holm, holm_below, strict=True):
        column, count = columns[path], counts[path]
        golden_ns, candidate_ns = median(column.golden), median(column.candidate)
        impact_ns = (candidate_ns / factor - golden_ns) * count
        adjusted = math.exp(test.difference)
        is_large = abs(impact_ns) > least_ns
        p_faster = student_t_survival(-test.t, test.degrees_of_freedom)
        results[path] = TimeTest(
            golden_ns=golden_ns,
            candidate_ns=candidate_ns,
            ratio=candidate_ns / golden_ns if golden_ns else (math.inf if candidate_ns else 1.0),
            adjusted_ratio=adjusted,
            impact_ns=(candidate_ns - golden_ns) * count,
            p=test.p,
            p_holm=p_holm,
            t=test.t,
            degrees_of_freedom=test.degrees_of_freedom,
            std=test.std,
            power=_power(golden_ns, test, column, len(paths), settings),
            is_slower=test.p < settings.alpha
            and p_holm < settings.holm_alpha
            and adjusted > settings.ratio
            and is_large
            and impact_ns > 0,
            is_faster=p_faster < settings.alpha
            and p_below < settings.holm_alpha
            and adjusted < 1 / settings.ratio
            and is_large
            and impact_ns < 0,
        )
    return results


def _t_test(column: _Column, factor: float, settings: TimingSettings, prior_std: float) -> TTest:
    """Run the predictive t-test on log(floor + time); what spans say about their median widens the prior."""
    return predictive_t_test(
        [math.log(settings.floor_ns + value) for value in column.golden],
        [math.log(settings.floor_ns + value / factor) for value in column.candidate],
        prior_std=math.hypot(prior_std, column.error),
        prior_weight=settings.prior_weight,
    )


def _power(golden_ns: float, test: TTest, column: _Column, family: int, settings: TimingSettings) -> float:
    """Return the chance that a stage slower by `power_ratio` would have been seen."""
    return predictive_power(
        _detectable_shift(golden_ns, settings),
        std=test.std,
        degrees_of_freedom=test.degrees_of_freedom,
        golden_runs=len(column.golden),
        candidate_runs=len(column.candidate),
        alpha=_strictest_alpha(family, settings),
    )


def _detectable_shift(golden_ns: float, settings: TimingSettings) -> float:
    return math.log((settings.floor_ns + golden_ns * settings.power_ratio) / (settings.floor_ns + golden_ns))


def _strictest_alpha(family: int, settings: TimingSettings) -> float:
    """Return the level that the first of `family` hypotheses has to reach under Holm."""
    return min(settings.alpha, settings.holm_alpha / max(1, family))


def _judge(
    path: str, facts: _Facts, machine: MachineFactor, sizes: tuple[int, int, int], settings: TimingSettings
) -> StageVerdict:
    """Read wall and CPU time together; `sizes` are golden runs, candidate runs and paths."""
    wall, cpu = facts.wall, facts.cpu
    reading = _read_cpu(facts, machine, settings)
    code: TimingCode = "equal"
    fails, reason = False, ""
    needed: tuple[int, int] | None = None
    if wall.is_slower and reading == "up":
        code, fails, reason = "slower", True, "wall and CPU time rose together"
    elif wall.is_slower and reading == "unknown":
        code, fails, reason = "slower", True, "CPU time is not recorded, wall time decides"
        if machine.wall >= settings.disturbed_ratio:
            fails = False
            reason = f"the whole machine was {machine.wall:.2f}x slower and CPU time is not recorded"
    elif wall.is_slower:
        code = "waiting"
        fails, reason = _judge_waiting(facts, machine, sizes[1], settings)
    elif cpu is not None and cpu.is_slower:
        code, fails = "slower", _rose_with_cpu(wall, cpu, settings)
        reason = "CPU time rose, wall time " + ("too, but is too unsteady to tell" if fails else "did not")
    elif wall.is_faster:
        code, reason = "faster", "wall time fell"
    elif wall.power < settings.power and _could_matter(facts, settings):
        code = "inconclusive"
        needed = runs_needed(
            wall, golden_runs=sizes[0], candidate_runs=sizes[1], family=sizes[2], settings=settings
        )
        reason = f"{settings.power_ratio:g}x would be seen with {wall.power:.0%} chance only"
    return StageVerdict(
        path=path,
        code=code,
        fails=fails,
        count=facts.count,
        wall=wall,
        cpu=cpu,
        cpu_reading=reading,
        reason=reason,
        golden_runs_needed=needed[0] if needed else None,
        candidate_runs_needed=needed[1] if needed else None,
    )


def _read_cpu(facts: _Facts, machine: MachineFactor, settings: TimingSettings) -> CpuReading:
    """Tell whether CPU time explains what wall time gained: by its own test, or as half of the gain."""
    if facts.cpu is None:
        return "unknown"
    if machine.wall >= settings.disturbed_ratio:
        is_clear = facts.cpu.is_slower and facts.cpu.adjusted_ratio > settings.disturbed_cpu_ratio
        return "up" if is_clear else "flat"
    if facts.cpu.is_slower:
        return "up"
    gained_wall_ns = facts.wall.candidate_ns / facts.wall_factor - facts.wall.golden_ns
    gained_cpu_ns = facts.cpu.candidate_ns / facts.cpu_factor - facts.cpu.golden_ns
    explains = gained_wall_ns > 0 and gained_cpu_ns >= 0.5 * gained_wall_ns
    return "up" if explains and facts.cpu.adjusted_ratio > settings.ratio else "flat"


def _rose_with_cpu(wall: TimeTest, cpu: TimeTest, settings: TimingSettings) -> bool:
    """Tell whether wall time rose as CPU time did, where golden runs beside neighbours hide that from a test."""
    least_wall, least_cpu = settings.disturbed_cpu_ratio, settings.power_ratio
    is_clear = cpu.adjusted_ratio > least_cpu and wall.adjusted_ratio > least_wall
    return is_clear and wall.power < settings.power


def _judge_waiting(
    facts: _Facts, machine: MachineFactor, candidate_runs: int, settings: TimingSettings
) -> tuple[bool, str]:
    """Say whether waiting fails: declared as I/O or GPU, or every one of three runs on a calm machine agrees."""
    if facts.is_external:
        return True, "wall time rose on a stage declared as I/O or GPU work"
    is_calm = machine.stage_count >= 3 and machine.wall < settings.disturbed_ratio
    agree = facts.least_candidate_ns > facts.wall.golden_ns * settings.ratio
    if candidate_runs >= 3 and is_calm and agree:
        return True, f"all {candidate_runs} runs waited longer on a calm machine, CPU time is flat"
    return False, "wall time rose and CPU time did not: contention or waiting"


def _could_matter(facts: _Facts, settings: TimingSettings) -> bool:
    """Tell whether a stage slower by `power_ratio` would have passed the thresholds at all."""
    gained_ns = facts.wall.golden_ns * (settings.power_ratio - 1) * facts.count
    shift = _detectable_shift(facts.wall.golden_ns, settings)
    return gained_ns > facts.least_ns and shift > math.log(settings.ratio)


def runs_needed(
    wall: TimeTest,
    *,
    golden_runs: int,
    candidate_runs: int,
    family: int,
    settings: TimingSettings = DEFAULT_SETTINGS,
) -> tuple[int, int] | None:
    """Return the fewest (golden, candidate) runs with which `power_ratio` would be seen, None beyond 100 runs.

    Assumes that runs go on to vary as they did. Of equal totals the one with fewer candidate runs is given,
    since those are paid on every check.
    """
    shift = _detectable_shift(wall.golden_ns, settings)
    alpha = _strictest_alpha(family, settings)
    prior_df = wall.degrees_of_freedom - (golden_runs - 1)
    for total in range(golden_runs + candidate_runs, 101):
        for candidates in range(candidate_runs, total - golden_runs + 1):
            goldens = total - candidates
            power = predictive_power(
                shift,
                std=wall.std,
                degrees_of_freedom=prior_df + goldens - 1,
                golden_runs=goldens,
                candidate_runs=candidates,
                alpha=alpha,
            )
            if power >= settings.power:
                return goldens, candidates
    return None
