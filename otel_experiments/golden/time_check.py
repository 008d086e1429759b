"""Times of a candidate against those of a golden, as findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from otel_experiments.golden.findings import Finding
from otel_experiments.golden.fingerprint import advisory_reasons, compare_fingerprints
from otel_experiments.golden.form import Form
from otel_experiments.golden.ledger import Places
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.stage_time import compute_self_times, summarise_stage
from otel_experiments.golden.timing import compare_timing
from otel_experiments.golden.timing_model import StageVerdict, TimeTest, TimingReport, TimingRun


def measure_run(form: Form) -> TimingRun:
    """Return the self times of a captured run's stages by canonical path."""
    times = compute_self_times(form.spans)
    stages = {
        path: summarise_stage([times[at].wall_ns for at in positions], [times[at].cpu_ns for at in positions])
        for path, positions in form.spans_by_path().items()
    }
    roots = [form.spans[at] for child in form.top.children for at in child.spans]
    root_ns = sum((root.end_ns or root.start_ns) - root.start_ns for root in roots)
    return TimingRun(stages, float(root_ns) if roots else None)


def check_times(
    golden: Sequence[TimingRun],
    candidates: Sequence[Form],
    *,
    policy: Policy,
    golden_host: Mapping[str, str],
    candidate_host: Mapping[str, str],
    disturbed: Collection[str],
) -> tuple[list[Finding], TimingReport]:
    """Return what times say, and the report behind it.

    `disturbed` are paths whose children changed: their own time changed for that reason, and cannot fail.
    """
    runs = [measure_run(form) for form in candidates]
    reasons = list(advisory_reasons(compare_fingerprints(golden_host, candidate_host)))
    if bool(golden_host) != bool(candidate_host):
        reasons.append("the host of one side is not known")
    report = compare_timing(
        golden, runs, settings=policy.timing_settings, external=policy.external, advisory_reasons=reasons
    )
    found = [
        _finding(verdict, report, policy, candidates[0], disturbed)
        for verdict in report.stages
        if not _is_idle(verdict, policy)
    ]
    if report.machine.is_uniform:
        found.insert(0, _uniform(report, policy))
    return found, report


def _is_idle(verdict: StageVerdict, policy: Policy) -> bool:
    """Whether a verdict only says that a stage which looks as before is too short to be sure of."""
    if verdict.code != "inconclusive" or policy.require_decision:
        return False
    return verdict.wall.adjusted_ratio <= policy.timing_settings.ratio


def _uniform(report: TimingReport, policy: Policy) -> Finding:
    factor = report.machine.wall
    finding = Finding(
        code="uniform-slowdown" if factor > 1 else "faster",
        path="",
        count=report.machine.stage_count,
        key="wall",
        detail=f"all stages by {factor:.2f}x; they were compared after dividing by it",
        evidence={"ratio": factor},
    )
    severity = policy.severity(finding, may_fail=False)
    return finding.with_severity(severity)


def _finding(
    verdict: StageVerdict,
    report: TimingReport,
    policy: Policy,
    candidate: Form,
    disturbed: Collection[str],
) -> Finding:
    wall = verdict.wall
    goldens = f"{report.golden_runs} golden{'s' if report.golden_runs > 1 else ''}"
    parts = [f"wall {_milliseconds(wall)} ({wall.ratio:.2f}x)"]
    if verdict.cpu is not None:
        parts.append(f"cpu {verdict.cpu.ratio:.2f}x")
    parts.append(f"p={min(wall.p, verdict.cpu.p if verdict.cpu else 1.0):.0e}")
    parts.append(goldens)
    if verdict.golden_runs_needed:
        parts.append(
            f"cannot tell 1.5x; needs {verdict.golden_runs_needed} golden"
            f" and {verdict.candidate_runs_needed} candidate runs"
        )
    elif verdict.reason:
        parts.append(verdict.reason)
    evidence = {
        "p": wall.p,
        "p_holm": wall.p_holm,
        "ratio": wall.ratio,
        "adjusted_ratio": wall.adjusted_ratio,
        "impact_ns": wall.impact_ns,
        "golden_runs": float(report.golden_runs),
        "candidate_runs": float(report.candidate_runs),
    }
    if verdict.cpu is not None:
        evidence["cpu_ratio"] = verdict.cpu.ratio
    node = next((node for path, node in candidate.walk() if path == verdict.path and node.name), None)
    finding = Finding(
        code=verdict.code,
        path=verdict.path,
        count=verdict.count,
        key="wall",
        golden=f"{wall.golden_ns / 1e6:.3g} ms",
        candidate=f"{wall.candidate_ns / 1e6:.3g} ms",
        detail="  ".join(parts),
        evidence=evidence,
        examples=tuple(Places(candidate, node, range(min(3, node.size))).examples(3)) if node else (),
    )
    if report.is_advisory:
        return finding.with_severity(
            policy.severity(finding, may_fail=False), "; ".join(report.advisory_reasons)
        )
    if verdict.path in disturbed and verdict.code == "slower":
        return finding.with_severity("note", "its children changed, and its own time with them")
    return finding.with_severity(policy.severity(finding, may_fail=verdict.fails))


def _milliseconds(test: TimeTest) -> str:
    return f"{test.golden_ns / 1e6:.3g} -> {test.candidate_ns / 1e6:.3g} ms"
