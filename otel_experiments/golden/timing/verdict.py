"""What wall and CPU time together say about one stage, on a calm machine and beside other programs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otel_experiments.golden.findings import Code
from otel_experiments.golden.number_text import show_chance, show_ratio
from otel_experiments.golden.timing.model import (
    CpuReading,
    MachineFactor,
    StageVerdict,
    TimeTest,
    TimingCode,
    TimingSettings,
)
from otel_experiments.golden.timing.power import detectable_shift, runs_needed


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What the verdict on one path is made from."""

    count: int
    wall: TimeTest
    cpu: TimeTest | None
    wall_factor: float
    cpu_factor: float
    is_external: bool
    least_candidate_ns: float
    """Of the candidate's wall times the least, with the machine's factor divided out."""
    highest_golden_ns: float
    all_cost_more: bool
    """Every candidate run used more CPU time than any golden run by the tolerated ratio, of three or more each."""
    least_ns: float
    quantile: float
    candidate_run_ns: float
    """How long a candidate run took, in the middle."""


def judge_stage(
    path: str,
    facts: StageFacts,
    machine: MachineFactor,
    sizes: tuple[int, int, int],
    settings: TimingSettings,
) -> StageVerdict:
    """Read wall and CPU time of a stage together; `sizes` are golden runs, candidate runs and paths."""
    wall, cpu = facts.wall, facts.cpu
    reading = _read_cpu(facts, machine, settings)
    code: TimingCode = "equal"
    fails, reason = False, ""
    needed: tuple[int, int] | None = None
    if wall.is_slower and reading != "flat":
        code = Code.SLOWER
        fails, reason = _judge_slower(facts, reading, machine, sizes, settings)
    elif wall.is_slower:
        code = Code.WAITING
        fails, reason = _judge_waiting(facts, machine, sizes[1], settings)
    elif wall.is_faster:
        code, reason = Code.FASTER, "wall time fell"
    elif cpu is not None and cpu.is_slower:
        code = Code.SLOWER
        fails, reason = _judge_cpu_alone(facts, cpu, machine, sizes[1], settings)
    elif wall.power < settings.power and _could_matter(facts, settings):
        code = Code.INCONCLUSIVE
        needed = runs_needed(
            wall, golden_runs=sizes[0], candidate_runs=sizes[1], family=sizes[2], settings=settings
        )
        reason = f"{settings.power_ratio:g}x would be seen in {show_chance(wall.power)} of comparisons"
    return StageVerdict(
        path=path,
        code=code,
        fails=fails,
        count=facts.count,
        wall=wall,
        cpu=cpu,
        cpu_reading=reading,
        reason=reason,
        quantile=facts.quantile,
        golden_runs_needed=needed[0] if needed else None,
        candidate_runs_needed=needed[1] if needed else None,
    )


def _read_cpu(facts: StageFacts, machine: MachineFactor, settings: TimingSettings) -> CpuReading:
    """Tell whether CPU time explains what wall time gained: by its own test, or as half of the gain."""
    cpu = facts.cpu
    if cpu is None:
        return "unknown"
    if machine.is_crowded:
        return "up" if cpu.is_slower and cpu.adjusted_ratio > settings.crowded_cpu_ratio else "flat"
    if machine.wall >= settings.disturbed_ratio:
        return "up" if cpu.is_slower and cpu.adjusted_ratio > settings.disturbed_cpu_ratio else "flat"
    if cpu.is_slower:
        return "up"
    gained_wall_ns = facts.wall.candidate_ns / facts.wall_factor - facts.wall.golden_ns
    gained_cpu_ns = cpu.candidate_ns / facts.cpu_factor - cpu.golden_ns
    explains = gained_wall_ns > 0 and gained_cpu_ns >= 0.5 * gained_wall_ns
    return "up" if explains and cpu.adjusted_ratio > settings.ratio else "flat"


def _judge_slower(
    facts: StageFacts,
    reading: CpuReading,
    machine: MachineFactor,
    sizes: tuple[int, int, int],
    settings: TimingSettings,
) -> tuple[bool, str]:
    """Say whether a stage that got slower fails; what one of several runs does not show is luck, and no code."""
    if not _agree(facts, settings) and not (reading == "up" and facts.all_cost_more):
        return False, f"not all {sizes[1]} runs were slower"
    if reading == "up":
        return True, "wall and CPU time rose together"
    if max(sizes[:2]) < settings.least_wall_runs:
        told = "CPU time is not recorded, and so few runs do not say how much wall time varies"
        return False, told
    if machine.is_crowded:
        return False, f"{machine.crowd}, and CPU time is not recorded"
    if machine.wall >= settings.disturbed_ratio:
        return False, f"the whole machine was {show_ratio(machine.wall)} slower and CPU time is not recorded"
    return True, "CPU time is not recorded, wall time decides"


def _judge_cpu_alone(
    facts: StageFacts, cpu: TimeTest, machine: MachineFactor, candidate_runs: int, settings: TimingSettings
) -> tuple[bool, str]:
    """Say whether CPU time fails alone: where golden runs beside other programs hide from a test that wall time rose.

    Wall time has to point the same way: clearly, or at all where no run's CPU time contradicts.
    """
    wall = facts.wall
    least_ratio = 1.0 if facts.all_cost_more else settings.disturbed_cpu_ratio
    is_clear = cpu.adjusted_ratio > settings.power_ratio and wall.adjusted_ratio > least_ratio
    if not is_clear or wall.power >= settings.power:
        return False, "CPU time rose, wall time did not"
    if machine.is_crowded and cpu.adjusted_ratio <= settings.crowded_cpu_ratio:
        return False, f"CPU time rose, and {machine.crowd}"
    if not _agree(facts, settings) and not facts.all_cost_more:
        return False, f"CPU time rose, and not all {candidate_runs} runs were slower"
    return True, "CPU time rose, wall time too, but is too unsteady to tell"


def _judge_waiting(
    facts: StageFacts, machine: MachineFactor, candidate_runs: int, settings: TimingSettings
) -> tuple[bool, str]:
    """Say whether waiting fails: declared as I/O or GPU, or every one of three runs on a calm machine agrees."""
    if _is_unexplained(facts, machine, settings):
        return True, "it waited longer than other programs explain"
    if machine.is_crowded:
        return False, f"wall time rose, and {machine.crowd}"
    if facts.is_external and not _agree(facts, settings):
        return False, f"not all {candidate_runs} runs were slower"
    if facts.is_external:
        return True, "wall time rose on a stage declared as I/O or GPU work"
    is_calm = machine.stage_count >= 3 and machine.wall < settings.disturbed_ratio
    agree = facts.least_candidate_ns > facts.highest_golden_ns * settings.ratio
    if candidate_runs >= 3 and is_calm and agree:
        return (
            True,
            f"all {candidate_runs} runs waited longer on a calm machine, and {_cpu_told(facts, settings)}",
        )
    return False, f"wall time rose and {_cpu_told(facts, settings)}: contention or waiting"


def _cpu_told(facts: StageFacts, settings: TimingSettings) -> str:
    """Say what CPU time did beside a wall time that it does not explain."""
    if facts.cpu is None or facts.cpu.ratio <= settings.ratio:
        return "CPU time did not"
    return f"CPU time, {show_ratio(facts.cpu.ratio)}, does not explain it"


def _is_unexplained(facts: StageFacts, machine: MachineFactor, settings: TimingSettings) -> bool:
    """Tell whether every run waited so long that no other program can be the reason.

    A span waits for a processor only while others use them all, so that one span cannot wait longer than the
    share of the run that others used.
    """
    floor_ns = settings.floor_ns
    ratio = (facts.least_candidate_ns + floor_ns) / (facts.highest_golden_ns + floor_ns)
    if ratio < settings.unexplained_ratio or facts.wall.impact_ns < settings.unexplained_ns:
        return False
    used_ns = (machine.candidate_host_load or 0.0) * facts.candidate_run_ns if machine.is_crowded else 0.0
    return facts.least_candidate_ns - facts.highest_golden_ns > used_ns


def _agree(facts: StageFacts, settings: TimingSettings) -> bool:
    """Tell whether every candidate run was slower, by half of the tolerated ratio at least."""
    return facts.least_candidate_ns > facts.wall.golden_ns * math.sqrt(settings.ratio)


def _could_matter(facts: StageFacts, settings: TimingSettings) -> bool:
    """Tell whether a stage slower by `power_ratio` would have passed the thresholds at all."""
    gained_ns = facts.wall.golden_ns * (settings.power_ratio - 1) * facts.count
    shift = detectable_shift(facts.wall.golden_ns, settings)
    return gained_ns > facts.least_ns and shift > math.log(settings.ratio)
