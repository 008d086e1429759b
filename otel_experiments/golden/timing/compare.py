"""Whether a stage got slower, told from runs and not from spans, with CPU time beside wall time.

The unit of the test is the run: spans of one run share its luck, and a test over spans calls noise a change.
Nothing is read from a clock here; `stage.py` makes the samples from spans. Verdicts are those of the
structural policy (`fails`); another policy may judge the same codes differently.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from otel_experiments.analysis.statistics import (
    TTest,
    holm_adjust,
    median,
    predictive_t_test,
    student_t_survival,
)
from otel_experiments.golden.timing.model import (
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
from otel_experiments.golden.timing.power import power_of, runs_needed
from otel_experiments.golden.timing.verdict import StageFacts, judge_stage

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
    sides = {path: _sides(path, golden, candidate, settings) for path in paths}
    wall = {path: _wall_column(side) for path, side in sides.items()}
    cpu = {path: column for path, side in sides.items() if (column := _cpu_column(side)) is not None}
    machine = _with_host_load(_machine_factor(wall, cpu, settings), golden, candidate, settings)
    least_ns = _least_impact_ns(golden, settings)
    wall_factor = machine.wall if machine.is_uniform else 1.0
    cpu_factor = _cpu_divisor(machine, settings)
    wall_tests = _test_columns(wall, counts, wall_factor, least_ns, settings, settings.prior_std)
    cpu_tests = _test_columns(cpu, counts, cpu_factor, least_ns, settings, settings.cpu_prior_std)
    candidate_run_ns = median([run.total_ns() for run in candidate])
    verdicts = []
    for path in paths:
        facts = StageFacts(
            count=counts[path],
            wall=wall_tests[path],
            cpu=cpu_tests.get(path),
            wall_factor=wall_factor,
            cpu_factor=cpu_factor,
            is_external=path in external,
            least_candidate_ns=min(wall[path].candidate) / wall_factor,
            highest_golden_ns=max(wall[path].golden),
            all_cost_more=path in cpu and _all_cost_more(cpu[path], cpu_factor, settings),
            least_ns=least_ns,
            quantile=sides[path].quantile,
            candidate_run_ns=candidate_run_ns,
        )
        verdict = judge_stage(path, facts, machine, (len(golden), len(candidate), len(paths)), settings)
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


def _least_impact_ns(golden: Sequence[TimingRun], settings: TimingSettings) -> float:
    """Return what a run has to gain in a stage to count."""
    share_ns = settings.impact_ratio * median([run.total_ns() for run in golden])
    return max(settings.least_impact_ns, min(settings.impact_ns, share_ns))


@dataclass(frozen=True, slots=True)
class _Sides:
    """One path's samples of one quantile, a sample a run."""

    golden: Sequence[StageSample]
    candidate: Sequence[StageSample]
    quantile: float


def _sides(
    path: str, golden: Sequence[TimingRun], candidate: Sequence[TimingRun], settings: TimingSettings
) -> _Sides:
    """Return the samples to compare: the medians, or quartiles where the goldens say that those are steadier.

    The upper quartile comes first, for most of the time is there.
    """
    ours = [run.stages[path] for run in golden]
    theirs = [run.stages[path] for run in candidate]
    median_error = _root_mean_square([sample.wall_error for sample in ours])
    if median_error > settings.wide_error:
        for quantile in (0.75, 0.25):
            at = [found for sample in ours if (found := sample.at(quantile)) is not None]
            others = [found for sample in theirs if (found := sample.at(quantile)) is not None]
            is_known = len(at) == len(ours) and len(others) == len(theirs)
            if is_known and _root_mean_square([sample.wall_error for sample in at]) < median_error / 2:
                return _Sides(at, others, quantile)
    return _Sides(ours, theirs, 0.5)


def _wall_column(sides: _Sides) -> _Column:
    return _Column(
        tuple(max(0.0, sample.wall_ns) for sample in sides.golden),
        tuple(max(0.0, sample.wall_ns) for sample in sides.candidate),
        _root_mean_square([sample.wall_error for sample in (*sides.golden, *sides.candidate)]),
    )


def _cpu_column(sides: _Sides) -> _Column | None:
    golden = tuple(max(0.0, sample.cpu_ns) for sample in sides.golden if sample.cpu_ns is not None)
    candidate = tuple(max(0.0, sample.cpu_ns) for sample in sides.candidate if sample.cpu_ns is not None)
    if not golden or not candidate:
        return None
    error = _root_mean_square([sample.cpu_error for sample in (*sides.golden, *sides.candidate)])
    return _Column(golden, candidate, error)


def _all_cost_more(cpu: _Column, factor: float, settings: TimingSettings) -> bool:
    """Tell whether every candidate run used more than any golden run, by the tolerated ratio; of one or two it is luck."""
    is_enough = min(len(cpu.golden), len(cpu.candidate)) >= settings.least_wall_runs
    return is_enough and min(cpu.candidate) / factor > max(cpu.golden) * settings.ratio


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


def _with_host_load(
    machine: MachineFactor,
    golden: Sequence[TimingRun],
    candidate: Sequence[TimingRun],
    settings: TimingSettings,
) -> MachineFactor:
    """Add what other programs did meanwhile; goldens that do not tell are taken to have been alone."""
    ours = [run.host_load for run in golden if run.host_load is not None]
    theirs = [run.host_load for run in candidate if run.host_load is not None]
    if not theirs:
        return machine
    golden_share = median(ours) if ours else None
    share = median(theirs)
    return replace(
        machine,
        golden_host_load=golden_share,
        candidate_host_load=share,
        is_crowded=share - (golden_share or 0.0) >= settings.crowded_excess,
    )


def _cpu_divisor(machine: MachineFactor, settings: TimingSettings) -> float:
    """Return what CPU times are divided by: other programs cost caches and clock speed too, not only turns."""
    if machine.cpu is None or machine.cpu <= 1.0:
        return 1.0
    is_disturbed = machine.is_uniform or machine.is_crowded or machine.wall >= settings.disturbed_ratio
    return machine.cpu if is_disturbed else 1.0


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
            power=power_of(
                golden_ns, test, (len(column.golden), len(column.candidate)), len(paths), settings
            ),
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
