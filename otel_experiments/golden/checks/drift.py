"""Slow drift over the runs of a golden: what creeps from run to run is in no single comparison.

Ten runs or more are a history, in the order of their capture, the candidates last. CPU time is looked at where all
have it, since neighbours change wall times for hours. Drift never fails: it says that a golden holds two speeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from otel_experiments.golden.checks.history import LEAST_RUNS, ChangePoint, find_change_points
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.number_text import show_p, show_ratio, show_time
from otel_experiments.golden.timing.model import DEFAULT_SETTINGS, TimingRun

_LEAST_RATIO: Final = 1.05
"""Smaller changes are real where the test says so, and nobody's concern."""


def find_drift(golden: Sequence[TimingRun], candidates: Sequence[TimingRun]) -> list[Finding]:
    """Return for each stage whose time changed for good inside the golden's runs where that was.

    The level is shared among the stages (Bonferroni), and a stage counts whose change is worth 1 % of a run.
    """
    if len(golden) < LEAST_RUNS:
        return []
    runs = [*golden, *candidates]
    paths = sorted(set.intersection(*(set(run.stages) for run in runs)))
    least_ns = DEFAULT_SETTINGS.impact_ratio * median(run.total_ns() for run in runs)
    found = []
    for path in paths:
        stages = [run.stages[path] for run in runs]
        cpu = [stage.cpu_ns for stage in stages if stage.cpu_ns is not None]
        is_cpu = len(cpu) == len(stages)
        points = find_change_points(
            cpu if is_cpu else [stage.wall_ns for stage in stages],
            p=DEFAULT_SETTINGS.alpha / len(paths),
            least_ratio=_LEAST_RATIO,
        )
        count = median(stage.count for stage in stages)
        # From the first candidate on, the comparison itself says what changed.
        points = tuple(
            point
            for point in points
            if point.index < len(golden) and abs(point.after - point.before) * count > least_ns
        )
        if points:
            found.append(_finding(path, points, len(golden), "CPU" if is_cpu else "wall"))
    return found


def _finding(path: str, points: Sequence[ChangePoint], runs: int, kind: str) -> Finding:
    first = points[0]
    return Finding(
        Code.GOLDEN_STALE,
        path,
        golden=show_time(first.before),
        candidate=show_time(first.after),
        detail=(
            f"{kind} time {show_ratio(first.ratio)} from golden run {first.index + 1} of {runs} on ({show_p(first.p)}): "
            "the golden holds two speeds; find the change, or capture it again"
        ),
        evidence={"ratio": first.ratio, "p": first.p, "run": float(first.index + 1)},
        severity="advisory",
    )
