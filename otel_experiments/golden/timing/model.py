"""What the timing rule takes and gives: samples of stages, settings, tests, verdicts and the report of them all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from otel_experiments.golden.findings import Code

TimingCode = Literal["equal", Code.SLOWER, Code.FASTER, Code.WAITING, Code.INCONCLUSIVE]
"""What is said of one stage; `equal` is not reported."""

CpuReading = Literal["up", "flat", "unknown"]
"""What CPU time says about a stage whose wall time was tested."""


@dataclass(frozen=True, slots=True)
class StageSample:
    """The self time of one stage (one canonical path) in one run.

    Units: nanoseconds, medians over the stage's `count` spans in that run; `cpu_ns` is None where CPU time
    was not recorded. The errors are standard errors of the logarithm of the two medians, from the spread of
    the spans; 0.0 where a stage ran once and its spread is not known. `lower` and `upper` are the same of the
    quartiles: spans of two kinds under one name have a median that lies anywhere between, and steady quartiles.
    """

    count: int
    wall_ns: float
    cpu_ns: float | None = None
    wall_error: float = 0.0
    cpu_error: float = 0.0
    lower: StageSample | None = None
    upper: StageSample | None = None

    def at(self, quantile: float) -> StageSample | None:
        """Return the sample of a quantile: 0.25, 0.5 or 0.75; None where it was not taken."""
        return self if quantile == 0.5 else self.lower if quantile < 0.5 else self.upper


@dataclass(frozen=True, slots=True)
class TimingRun:
    """All stages of one run by canonical path; `root_ns` is the duration of the whole run.

    `host_load` is the share (0 to 1) of the machine's processors that other programs used meanwhile, None where
    that was not recorded.
    """

    stages: Mapping[str, StageSample]
    root_ns: float | None = None
    host_load: float | None = None

    def total_ns(self) -> float:
        """Return how long the run took; the sum of all self times when its root is not known."""
        if self.root_ns is not None:
            return self.root_ns
        return math.fsum(stage.wall_ns * stage.count for stage in self.stages.values())


@dataclass(frozen=True, slots=True)
class TimingSettings:
    """Levels and thresholds of the timing rule.

    Units: `prior_std` and `cpu_prior_std` are standard deviations of log time from run to run (0.03 is 3 %);
    `floor_ns` is added to every time, so that stages of almost no length have no wild ratios. A machine whose
    stages rose by `disturbed_ratio` in the middle is disturbed: there CPU time counts from `disturbed_cpu_ratio`
    on, because other programs were measured to cost memory-bound stages up to 1.4x in CPU time. A machine on which
    other programs used `crowded_excess` more of the processors than beside the goldens is crowded: there CPU time
    counts from `crowded_cpu_ratio` on, because programs that share a core were measured to cost 1.9x, and stages
    that wait for others in turns 2.4x. A run has to gain `impact_ratio` of its length or
    `impact_ns`, and never less than `least_impact_ns`, which machines were measured to take and give. Without CPU time,
    `least_wall_runs` on one side have to say how much wall time varies; so many on both, each of which used more CPU
    time than any golden, outweigh a wall time that others made unsteady. A stage whose median is less sure than `wide_error` is compared at a quartile.
    """

    prior_std: float = 0.03
    cpu_prior_std: float = 0.03
    prior_weight: float = 4.0
    floor_ns: float = 500_000.0
    alpha: float = 0.001
    holm_alpha: float = 0.01
    ratio: float = 1.10
    impact_ratio: float = 0.01
    impact_ns: float = 5_000_000.0
    least_impact_ns: float = 2_000_000.0
    power: float = 0.90
    power_ratio: float = 1.5
    disturbed_ratio: float = 1.15
    disturbed_cpu_ratio: float = 1.25
    crowded_excess: float = 0.15
    crowded_cpu_ratio: float = 2.5
    wide_error: float = 0.10
    least_wall_runs: int = 3
    unexplained_ratio: float = 5.0
    unexplained_ns: float = 100_000_000.0
    stage_prior_std: Mapping[str, float] = field(default_factory=dict)
    """Prior of single paths, as `golden calibrate` learned them."""


DEFAULT_SETTINGS: Final = TimingSettings()


@dataclass(frozen=True, slots=True)
class TimeTest:
    """What the runs say about one kind of time (wall or CPU) of one stage.

    `ratio` is candidate over golden of the plain medians; `adjusted_ratio` the one that was tested: with the
    floor added and the machine's own factor divided out. `impact_ns` is the time that a whole run gained.
    """

    golden_ns: float
    candidate_ns: float
    ratio: float
    adjusted_ratio: float
    impact_ns: float
    p: float
    p_holm: float
    t: float
    degrees_of_freedom: float
    std: float
    power: float
    is_slower: bool
    is_faster: bool


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """What is said of one stage, with everything needed to print and to judge it.

    `fails` is the structural policy's answer. `golden_runs_needed` and `candidate_runs_needed` are set for
    `inconclusive`: with so many, the same test would see a factor of `power_ratio`. `quantile` says which of the
    stage's times were compared: the medians (0.5), or a quartile of those that vary much inside a run.
    """

    path: str
    code: TimingCode
    fails: bool
    count: int
    wall: TimeTest
    cpu: TimeTest | None
    cpu_reading: CpuReading
    reason: str
    quantile: float = 0.5
    golden_runs_needed: int | None = None
    candidate_runs_needed: int | None = None

    @property
    def quartile(self) -> str:
        """Which quartile was compared, in words; empty for the median."""
        return "" if self.quantile == 0.5 else "upper quartile" if self.quantile > 0.5 else "lower quartile"


@dataclass(frozen=True, slots=True)
class MachineFactor:
    """By how much the whole machine was slower: the median ratio over the stages that can tell.

    `is_uniform` says that the stages agree on a wall factor beyond the tolerated ratio; the stages were then
    compared after dividing by it. `stage_count` is how many could tell; below 3 both factors are 1.0.
    `is_crowded` says that other programs used more of the processors beside the candidate than beside the goldens:
    `candidate_host_load` and `golden_host_load` are the shares, None where they were not recorded.
    """

    wall: float = 1.0
    cpu: float | None = None
    stage_count: int = 0
    is_uniform: bool = False
    golden_host_load: float | None = None
    candidate_host_load: float | None = None
    is_crowded: bool = False

    @property
    def crowd(self) -> str:
        """What other programs did, as a clause."""
        used = f"other programs used {self.candidate_host_load or 0.0:.0%} of the machine's processors"
        return f"{used} (golden {self.golden_host_load or 0.0:.0%})"


@dataclass(frozen=True, slots=True)
class TimingReport:
    """The comparison of all stages of some golden runs with some candidate runs.

    `stages` holds those that are not `equal`, the largest impact first. When `is_advisory`, nothing fails and
    `advisory_reasons` say why.
    """

    stages: tuple[StageVerdict, ...]
    machine: MachineFactor
    golden_runs: int
    candidate_runs: int
    tested: int
    is_advisory: bool = False
    advisory_reasons: tuple[str, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether a stage fails under the structural policy."""
        return any(stage.fails for stage in self.stages)
