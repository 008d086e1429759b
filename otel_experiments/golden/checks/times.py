"""Times of a candidate against those of a golden, as findings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from otel_experiments.analysis.statistics import median
from otel_experiments.golden.canonical.form import Form, Node, NodeType, SpanColumns
from otel_experiments.golden.checks.fingerprint import advisory_reasons, compare_fingerprints
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.match.ledger import Places
from otel_experiments.golden.number_text import show_p, show_ratio, show_time, show_times
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.timing.compare import compare_timing
from otel_experiments.golden.timing.model import (
    StageSample,
    StageVerdict,
    TimingReport,
    TimingRun,
)
from otel_experiments.golden.timing.stage import summarise_stage
from otel_experiments.semconv import attributes

_MAX_KINDS: Final = 8
_TELLING: Final = 4
"""So many spans say how spans spread; see `summarise_stage`."""
_MAX_SPREAD: Final = 4_096
"""The spread of a stage with more spans is estimated from about so many of them."""


def measure_run(form: Form) -> TimingRun:
    """Return the self times of a captured run's stages by canonical path.

    Wall time is a span's duration without what its children cover, CPU time its own without that of its
    children in the same lane. Measured once; the form keeps it.
    """
    if form.timing is None:
        form.timing = _measure(form)
    return form.timing


def excuse_own_run(
    findings: Sequence[Finding], golden: Sequence[TimingRun], candidates: Sequence[TimingRun]
) -> list[Finding]:
    """Return the findings, none of which fails a run that is one of the golden's: all its times are the same.

    Of thirteen runs or more one that the machine was slow for stands out from the others.
    """
    own = {_times_of(run) for run in golden}
    if any(_times_of(run) not in own for run in candidates):
        return list(findings)
    reason = "the run is one of the golden's"
    return [
        finding.with_severity("advisory", reason) if finding.severity == "fail" else finding
        for finding in findings
    ]


def _times_of(run: TimingRun) -> tuple[tuple[str, int, int], ...]:
    """Return all times of a run as the golden's file has them."""
    return tuple(sorted((path, one.count, round(one.wall_ns)) for path, one in run.stages.items()))


def _measure(form: Form) -> TimingRun:
    columns = form.columns
    if columns is None:
        return TimingRun({}, None)
    wall_ns, cpu_ns = self_times(columns)
    stages = {}
    for path, strata in _strata(form).items():
        samples = [
            _summarise(list(map(wall_ns.__getitem__, positions)), list(map(cpu_ns.__getitem__, positions)))
            for positions in strata
        ]
        stages[path] = samples[0] if len(samples) == 1 else _combine(samples)
    roots = [at for at, above in enumerate(columns.parent) if above < 0]
    root_ns = sum(columns.end_ns[at] - columns.start_ns[at] for at in roots)
    return TimingRun(stages, float(root_ns) if roots else None, _host_load(form, roots))


def _host_load(form: Form, roots: Sequence[int]) -> float | None:
    """Return what the run's root says of other programs; of several roots the highest."""
    said = [form.spans[at].attributes.get(attributes.ML_RUN_HOST_LOAD_CPU_UTILIZATION) for at in roots]
    return max((float(value) for value in said if isinstance(value, int | float)), default=None)


def _strata(form: Form) -> dict[str, list[list[int]]]:
    """Return positions by path; spans of one name at several places, or with other attributes, are told apart.

    A place is also the turn of a short loop that runs often enough: first and second of two calls in each step.
    They may do different work under one name. A median over all would lie anywhere between, with a spread that
    no run explains. More than a few kinds are the turns of an irregular loop, and are not told apart.
    """
    places: dict[Node, tuple[int, ...]] = {}
    found: dict[str, dict[object, list[int]]] = {}
    for path, node in form.walk():
        seen: Counter[tuple[NodeType, str]] = Counter()
        own = places.get(node, ())
        for child in node.children:
            key = child.type, child.name
            places[child] = (seen[key],) if node.type is NodeType.SPAN else (*own, seen[key])
            seen[key] += 1
        if node.type is not NodeType.SPAN:
            continue
        strata = found.setdefault(path, {})
        numbers = set(node.own)
        if 1 < node.count <= _MAX_KINDS and len(node.spans) >= _TELLING * node.count:
            for at, (number, position) in enumerate(zip(node.own, node.spans, strict=True)):
                strata.setdefault((own, at % node.count, number), []).append(position)
            continue
        if len(numbers) == 1:
            strata.setdefault((own, next(iter(numbers))), []).extend(node.spans)
            continue
        for number, position in zip(node.own, node.spans, strict=True):
            strata.setdefault((own, number), []).append(position)
    return {
        path: list(strata.values())
        if len(strata) <= _MAX_KINDS
        else [[at for positions in strata.values() for at in positions]]
        for path, strata in found.items()
    }


def _combine(samples: Sequence[StageSample]) -> StageSample:
    """Return one sample of several places: the mean of their medians, by their numbers of spans."""
    count = sum(sample.count for sample in samples)
    wall_ns = sum(sample.count * sample.wall_ns for sample in samples) / count
    known = [sample.cpu_ns for sample in samples if sample.cpu_ns is not None]
    cpu_ns = None
    if len(known) == len(samples):
        cpu_ns = sum(sample.count * own for sample, own in zip(samples, known, strict=True)) / count
    return StageSample(
        count=count,
        wall_ns=wall_ns,
        cpu_ns=cpu_ns,
        wall_error=_mean_error([(sample.count * sample.wall_ns, sample.wall_error) for sample in samples]),
        cpu_error=_mean_error(
            [(sample.count * (sample.cpu_ns or 0.0), sample.cpu_error) for sample in samples]
        ),
        lower=_combine_all([sample.lower for sample in samples]),
        upper=_combine_all([sample.upper for sample in samples]),
    )


def _combine_all(samples: Sequence[StageSample | None]) -> StageSample | None:
    known = [sample for sample in samples if sample is not None]
    return _combine(known) if known and len(known) == len(samples) else None


def _mean_error(parts: Sequence[tuple[float, float]]) -> float:
    """Return the relative error of a sum from the sizes and relative errors of its parts."""
    total = sum(size for size, _ in parts)
    return math.sqrt(sum((size * error) ** 2 for size, error in parts)) / total if total else 0.0


def self_times(columns: SpanColumns) -> tuple[list[int], list[int | None]]:
    """Return wall and CPU self times of all spans, in nanoseconds; no CPU time where none was recorded."""
    parent, start_ns, end_ns, lane = columns.parent, columns.start_ns, columns.end_ns, columns.lane
    recorded = [value if type(value) is int else None for value in columns.cpu_ns]
    covered = [0] * len(parent)
    covered_to = list(start_ns)
    below_cpu = [0] * len(parent)
    for at in columns.order:
        above = parent[at]
        if above < 0:
            continue
        first, last = start_ns[at], end_ns[at]
        first = max(first, covered_to[above])
        last = min(last, end_ns[above])
        if last > first:
            covered[above] += last - first
            covered_to[above] = last
        own = recorded[at]
        if own is not None and lane[at] == lane[above]:
            below_cpu[above] += own
    wall = [max(0, end - start - taken) for start, end, taken in zip(start_ns, end_ns, covered, strict=True)]
    cpu = [
        None if own is None else max(0, own - below) for own, below in zip(recorded, below_cpu, strict=True)
    ]
    return wall, cpu


def _summarise(wall_ns: list[int], cpu_ns: list[int | None]) -> StageSample:
    if len(wall_ns) <= _MAX_SPREAD:
        return summarise_stage(wall_ns, cpu_ns)
    every = -(-len(wall_ns) // _MAX_SPREAD)
    sample = summarise_stage(wall_ns[::every], cpu_ns[::every])
    known = [value for value in cpu_ns if value is not None]
    share = math.sqrt(sample.count / len(wall_ns))  # a standard error shrinks with the root of the number
    return replace(
        sample,
        count=len(wall_ns),
        wall_ns=median(wall_ns),
        cpu_ns=median(known) if len(known) == len(cpu_ns) else None,
        wall_error=sample.wall_error * share,
        cpu_error=sample.cpu_error * share,
    )


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
    if verdict.code != Code.INCONCLUSIVE or policy.require_decision:
        return False
    return verdict.wall.adjusted_ratio <= policy.timing_settings.ratio


def _uniform(report: TimingReport, policy: Policy) -> Finding:
    factor = report.machine.wall
    finding = Finding(
        code=Code.UNIFORM_SLOWDOWN if factor > 1 else Code.FASTER,
        path="",
        count=report.machine.stage_count,
        key="wall",
        detail=f"all stages by {show_ratio(factor)}; they were compared after dividing by it",
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
    which = f"wall {verdict.quartile}".rstrip()
    parts = [f"{which} {show_times(wall.golden_ns, wall.candidate_ns)} ({show_ratio(wall.ratio)})"]
    if verdict.cpu is not None:
        parts.append(f"cpu {show_ratio(verdict.cpu.ratio)}")
    parts.append(show_p(min(wall.p, verdict.cpu.p if verdict.cpu else 1.0)))
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
        "quantile": verdict.quantile,
        "golden_runs": float(report.golden_runs),
        "candidate_runs": float(report.candidate_runs),
    }
    if verdict.cpu is not None:
        evidence["cpu_ratio"] = verdict.cpu.ratio
    node = next((node for path, node in candidate.walk() if path == verdict.path and node.name), None)
    finding = Finding(
        code=Code(verdict.code),
        path=verdict.path,
        count=verdict.count,
        key="wall",
        golden=show_time(wall.golden_ns),
        candidate=show_time(wall.candidate_ns),
        detail="  ".join(parts),
        evidence=evidence,
        examples=tuple(Places(candidate, node, range(min(3, node.size))).examples(3)) if node else (),
    )
    if report.is_advisory:
        return finding.with_severity(
            policy.severity(finding, may_fail=False), "; ".join(report.advisory_reasons)
        )
    if verdict.path in disturbed and verdict.code == Code.SLOWER:
        return finding.with_severity("note", "its children changed, and its own time with them")
    return finding.with_severity(policy.severity(finding, may_fail=verdict.fails))
