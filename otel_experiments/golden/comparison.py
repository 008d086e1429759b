"""The comparison of captured runs with a golden: structure, spans, numbers, time, one verdict.

An empty golden, and an empty, cut or unfinished candidate, never pass. Source: golden trace design, sections 4
to 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import UTC, date, datetime
from typing import Final, Literal

from otel_experiments._short_repr import short
from otel_experiments.errors import EmptyTraceError, GoldenExitCode, GoldenInvalidError, IncompleteTraceError
from otel_experiments.golden.baseline import Golden, Variant, variants_for
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.form import Form, Node, NodeType, program_order
from otel_experiments.golden.canonical.trace import CapturedRun, measure_completeness
from otel_experiments.golden.checks.curves import CurveView, check_curves
from otel_experiments.golden.checks.drift import find_drift
from otel_experiments.golden.checks.fingerprint import compare_fingerprints
from otel_experiments.golden.checks.hygiene import find_clock_skew, find_critical_path, find_stale
from otel_experiments.golden.checks.rule_use import find_unused_rules
from otel_experiments.golden.checks.times import check_times, excuse_own_run, measure_run
from otel_experiments.golden.findings import Code, Finding, sort_findings
from otel_experiments.golden.match.content_diff import OwnTolerance
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms
from otel_experiments.golden.match.shapes import ranks_of
from otel_experiments.golden.match.state import Matched
from otel_experiments.golden.policy import Policy, apply_rules
from otel_experiments.golden.score.equivalence import EquivalenceScore, measure_slowdown, score_sequences
from otel_experiments.golden.timing.model import TimingReport, TimingRun

Verdict = Literal["pass", "fail", "error", "inconclusive"]

_EXIT_CODES: Final[Mapping[Verdict, GoldenExitCode]] = {
    "pass": GoldenExitCode.EQUAL,
    "fail": GoldenExitCode.CHANGED,
    "error": GoldenExitCode.NO_CANDIDATE,
    "inconclusive": GoldenExitCode.UNDECIDED,
}
_MAX_SCORED_SPANS: Final = 300_000
"""Beyond, two differing sequences take longer to score than to compare, and the score decides nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out: the verdict, and everything that reports print.

    Attributes:
        verdict: `pass`, `fail`, `error` (there was nothing to compare) or `inconclusive`.
        findings: every kind of change, the failing ones and those that rules accepted.
        policy: how they were judged.
        golden_name: the name of the golden.
        golden_runs: from how many runs the golden was made.
        candidate_runs: how many runs were compared with it.
        score: the equivalence score, which never decides; None where it could not be computed in reasonable time.
        golden, candidate: the canonical forms that were compared; None when nothing was.
        variant: which accepted behaviour of the golden was the nearest.
        curves: the metrics that were compared.
        timing: what was found out about times; None where they were not compared.
        notes: sentences about the comparison itself.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    policy: Policy
    _: KW_ONLY
    golden_name: str
    golden_runs: int
    candidate_runs: int
    score: EquivalenceScore | None = None
    golden: Form | None = None
    candidate: Form | None = None
    variant: str = ""
    curves: tuple[CurveView, ...] = ()
    timing: TimingReport | None = None
    notes: tuple[str, ...] = ()

    @property
    def ignored_count(self) -> int:
        """How many findings rules accepted."""
        return sum(finding.severity == "ignored" for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that made the verdict fail."""
        return tuple(finding for finding in self.findings if finding.severity == "fail")

    @property
    def exit_code(self) -> GoldenExitCode:
        """What a command line ends with: 0 equal, 1 changed, 4 nothing to compare, 6 not decided."""
        return _EXIT_CODES[self.verdict]

    def _repr_html_(self) -> str:
        from otel_experiments.golden.shown.comparison_html import comparison_html  # noqa: PLC0415 - only notebooks ask

        facts = [
            f"policy {self.policy.name}",
            f"golden runs: {self.golden_runs}",
            f"candidates: {self.candidate_runs}",
        ]
        if self.score is not None:
            facts.append(f"score {self.score.overall():.3f}")
        return comparison_html(self.verdict, self.findings, self.curves, name=self.golden_name, facts=facts)

    def __repr__(self) -> str:
        return f"Comparison({self.verdict!r}, {short(self.golden_name)}, {len(self.findings)} findings, {len(self.failures)} failing)"


def compare(
    golden: Golden,
    candidates: Sequence[CapturedRun],
    *,
    policy: Policy | None = None,
    today: date | None = None,
) -> Comparison:
    """Compare captured runs with a golden.

    Args:
        golden: The golden, from runs or from a file.
        candidates: One or more runs of the program as it is now.
        policy: How findings are judged; by default as the golden says.
        today: The day on which ignore rules are judged; by default the present one.

    Returns:
        The comparison. An incomplete or empty candidate gives the verdict `error` with the counts.

    Raises:
        GoldenInvalidError: the golden has no spans.
    """
    policy = policy or Policy(golden.policy)
    if golden.is_empty:
        raise GoldenInvalidError(
            path=golden.name,
            line=None,
            found="it has no spans, and nothing is equal to nothing",
            fix="Capture it again from a run that records spans.",
        )
    try:
        chosen = _nearest_variant(golden, candidates, policy)
    except (EmptyTraceError, IncompleteTraceError) as error:
        broken = incomplete_findings(candidates) or [Finding(Code.INCOMPLETE_TRACE, "", detail=str(error))]
        return Comparison(
            "error",
            tuple(broken),
            policy,
            golden_name=golden.name,
            golden_runs=golden.runs,
            candidate_runs=len(candidates),
        )
    findings, matched, forms = chosen.findings, chosen.matched, chosen.candidates
    variant = chosen.variant
    host = candidates[0].environment
    expected = {**golden.environment, **variant.environment}
    is_other_host = bool(
        compare_fingerprints(expected, {key: value for key, value in host.items() if key in expected})
    )
    more, curves = check_curves(
        variant.form, forms, matched, policy=policy, is_other_host=is_other_host, rules=golden.rules
    )
    findings += more
    findings += find_stale(golden.rules_version)
    findings += find_unused_rules(golden.rules, forms, policy)
    timing = None
    notes: list[str] = []
    if policy.timing != "off" and golden.timing:
        disturbed = {path.rpartition("/")[0] for one in matched for path in one.changed_paths}
        times, timing = check_times(
            golden.timing,
            forms,
            policy=policy,
            golden_host=golden.fingerprint,
            candidate_host=host,
            disturbed=disturbed,
        )
        measured = [measure_run(form) for form in forms]
        findings += excuse_own_run(times, golden.timing, measured)
        findings += find_critical_path(golden.timing, measured)
        findings += find_drift(golden.timing, measured)
        notes += timing.advisory_reasons
        if timing.machine.is_crowded and timing.stages:
            notes.append(f"{timing.machine.crowd}: compare times on a calm machine")
    elif policy.timing != "off":
        notes.append("the golden has no times (its .stats file is absent): times were not compared")
    if policy.timing != "off":
        findings += (finding for form in forms[:1] for finding in find_clock_skew(form))
    findings = apply_rules(findings, golden.ignore, today=today or datetime.now(UTC).date())
    findings = sort_findings(findings, program_order(variant.form, forms[0]))
    return Comparison(
        verdict=verdict_of(findings, policy),
        findings=tuple(findings),
        policy=policy,
        golden_name=golden.name,
        golden_runs=golden.runs,
        candidate_runs=len(candidates),
        score=_score(variant.form, forms[0], matched[0], golden.timing if policy.timing != "off" else ()),
        golden=variant.form,
        candidate=forms[0],
        variant=variant.name,
        curves=tuple(curves),
        timing=timing,
        notes=tuple(notes),
    )


def incomplete_findings(candidates: Sequence[CapturedRun]) -> list[Finding]:
    """Return why candidates cannot be compared; empty when they can."""
    if not candidates:
        return [Finding(Code.INCOMPLETE_TRACE, "", detail="there is no candidate run", count=0)]
    found: list[Finding] = []
    for run in candidates:
        state = measure_completeness(run)
        if not run.spans:
            detail = f"run {run.name!r} has no spans: was it recorded, and exported before it ended?"
            found.append(Finding(Code.INCOMPLETE_TRACE, "", detail=detail, count=0))
            continue
        if state.is_root_missing:
            detail = (
                f"root missing, {state.orphans} orphans; was the exporter flushed before the process ended?"
            )
            found.append(Finding(Code.ROOT_MISSING, "", detail=detail))
        elif state.orphans:
            detail = f"{state.orphans} spans whose parent span is missing"
            found.append(Finding(Code.ORPHAN, "", detail=detail, count=state.orphans))
        if state.dropped or state.open:
            detail = "; ".join(state.problems)
            evidence = {
                "spans": float(state.spans),
                "dropped": float(state.dropped),
                "open": float(state.open),
            }
            found.append(
                Finding(
                    Code.INCOMPLETE_TRACE,
                    "",
                    detail=detail,
                    count=state.dropped + state.open,
                    evidence=evidence,
                )
            )
    return found


@dataclass(slots=True)
class _Chosen:
    variant: Variant
    findings: list[Finding]
    matched: list[Matched]
    candidates: list[Form]

    @property
    def failures(self) -> int:
        return sum(finding.severity == "fail" for finding in self.findings)


def _nearest_variant(golden: Golden, candidates: Sequence[CapturedRun], policy: Policy) -> _Chosen:
    """Return the structural comparison with the variant that is nearest to the candidates.

    Raises:
        EmptyTraceError: there is no candidate, or one without spans.
        IncompleteTraceError: spans of one are lost, open or orphaned, or name each other as parents.
    """
    if not candidates:
        raise EmptyTraceError(run="candidate")
    forms = [canonicalize(run, golden.rules) for run in candidates]
    accepted = variants_for(golden, candidates[0].environment)
    all_chosen = [_compare_structure(variant, forms, policy, golden) for variant in accepted]
    fewest = min(chosen.failures for chosen in all_chosen)
    nearest = [chosen for chosen in all_chosen if chosen.failures == fewest]
    best = nearest[0] if len(nearest) == 1 else min(nearest, key=lambda one: _curve_failures(one, policy))
    if policy.name == "statistical" and len(accepted) > 1:
        _excuse_seen(best, accepted, policy)
    return best


def _curve_failures(chosen: _Chosen, policy: Policy) -> int:
    """Return how many metrics fail against a behaviour: what tells apart those that a run fits equally well."""
    findings, _ = check_curves(
        chosen.variant.form, chosen.candidates, chosen.matched, policy=policy, is_other_host=False
    )
    return sum(finding.severity == "fail" for finding in findings)


def _compare_structure(
    variant: Variant, candidates: Sequence[Form], policy: Policy, golden: Golden
) -> _Chosen:
    tolerance = OwnTolerance(policy.rtol, golden.rules.numeric_types == "loose")
    merged: dict[tuple[Code, str, str], Finding] = {}
    uses: Counter[tuple[Code, str, str]] = Counter()
    matched = []
    for form in candidates:
        ledger = Ledger()
        matched.append(match_forms(variant.form, form, ledger, tolerance=tolerance))
        for finding in ledger.findings(ranks_of(variant.form), ranks_of(form)):
            key = finding.code, finding.path, finding.key
            uses[key] += 1
            if key not in merged or merged[key].count < finding.count:
                merged[key] = finding
    findings = []
    for key, finding in merged.items():
        if len(candidates) > 1:
            evidence = {**finding.evidence, "candidates": float(uses[key])}
            finding = replace(finding, evidence=evidence)  # noqa: PLW2901 - the same finding, with its count
        findings.append(finding.with_severity(policy.severity(finding)))
    return _Chosen(variant, findings, matched, list(candidates))


def _excuse_seen(best: _Chosen, accepted: Sequence[Variant], policy: Policy) -> None:
    """Make advisory what another accepted behaviour shows in the same place."""
    seen: set[tuple[str, str, str]] = set()
    for other in accepted:
        if other is best.variant:
            continue
        ledger = Ledger()
        match_forms(best.variant.form, other.form, ledger, tolerance=OwnTolerance(policy.rtol))
        seen |= {(finding.code, finding.path, finding.key) for finding in ledger.findings()}
    best.findings = [
        finding.with_severity("advisory", "some of the golden runs show it too")
        if (finding.code, finding.path, finding.key) in seen
        else finding
        for finding in best.findings
    ]


def verdict_of(findings: Sequence[Finding], policy: Policy) -> Verdict:
    """Return the verdict that judged findings make."""
    if any(finding.severity == "fail" for finding in findings):
        return "fail"
    if policy.require_decision and any(finding.code == Code.INCONCLUSIVE for finding in findings):
        return "inconclusive"
    return "pass"


# --- the compatible score ----------------------------------------------------------------------------------------


def _score(
    golden: Form, candidate: Form, matched: Matched, timing: Sequence[TimingRun]
) -> EquivalenceScore | None:
    slowdown = 0.0
    if timing:
        ours = [{path: stage.wall_ns * stage.count for path, stage in run.stages.items()} for run in timing]
        middle = {path: sorted(one.get(path, 0.0) for one in ours)[len(ours) // 2] for path in ours[0]}
        own = {path: stage.wall_ns * stage.count for path, stage in measure_run(candidate).stages.items()}
        slowdown = measure_slowdown(middle, own)
    ours_count, theirs_count = golden.span_count, candidate.span_count
    if golden.top.shape == candidate.top.shape:
        names: Sequence[object] = range(ours_count)
        return score_sequences(
            names,
            names,
            aligned_equal=min(matched.equal_count, ours_count),
            timing_variance=slowdown,
        )
    if max(ours_count, theirs_count) > _MAX_SCORED_SPANS:
        return None
    return score_sequences(
        list(names_in_order(golden)),
        list(names_in_order(candidate)),
        aligned_equal=min(matched.equal_count, ours_count, theirs_count),
        timing_variance=slowdown,
    )


def names_in_order(form: Form) -> Iterator[str]:
    """Yield the name of every span, parents first, in canonical order."""
    stack: list[tuple[Node, int]] = [(form.top, 0)]
    while stack:
        node, instance = stack.pop()
        if node.type is NodeType.SPAN:
            yield node.name
        for child in reversed(node.children):
            first = instance * child.count
            stack.extend((child, at) for at in range(first + child.count - 1, first - 1, -1))
