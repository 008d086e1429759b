"""Comparisons as JUnit XML: for each golden one test case a part of the policy (structure, attributes, numbers, time).

Deterministic: no time of day, no host, no duration, so that two reports of equal comparisons are the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup, show_hidden
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Code, Finding, Group
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.report.text import headline

PARTS: Final[Mapping[str, tuple[Group, ...]]] = {
    "structure": ("structure", "hygiene"),
    "attributes": ("span",),
    "numbers": ("numbers",),
    "time": ("time",),
}
"""The test cases of a golden, and the groups of findings that each is about."""
_MAX_FINDINGS: Final = 1_000
"""Of one test case: more make a file that CI systems refuse."""


def render_junit(comparisons: Comparison | Sequence[Comparison]) -> str:
    """Return one JUnit document for one or more comparisons."""
    many = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    suites = [_suite(comparison) for comparison in many]
    totals = tuple(sum(counts[at] for _, counts in suites) for at in range(4))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="golden" {_counts(totals)}>']
    for suite, _ in suites:
        lines += suite
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _counts(counts: Sequence[int]) -> str:
    words = ("tests", "failures", "errors", "skipped")
    return " ".join(f'{word}="{count}"' for word, count in zip(words, counts, strict=True))


def _suite(comparison: Comparison) -> tuple[list[str], tuple[int, int, int, int]]:
    cases = [_case(comparison, part) for part in PARTS]
    kinds = [kind for _, kind in cases]
    counts = (len(cases), kinds.count("failure"), kinds.count("error"), kinds.count("skipped"))
    name = escape_markup(comparison.golden_name)
    properties = {
        "verdict": comparison.verdict,
        "policy": comparison.policy.name,
        "golden_runs": str(comparison.golden_runs),
        "candidate_runs": str(comparison.candidate_runs),
        "ignored": str(comparison.ignored_count),
    }
    if comparison.variant:
        properties["variant"] = comparison.variant
    if comparison.score is not None:
        properties["score"] = f"{comparison.score.overall():.6f}"
    lines = [f'  <testsuite name="{name}" {_counts(counts)}>', "    <properties>"]
    lines += (
        f'      <property name="{key}" value="{escape_markup(value)}"/>' for key, value in properties.items()
    )
    lines.append("    </properties>")
    for case, _ in cases:
        lines += case
    return [*lines, "  </testsuite>"], counts


def _case(comparison: Comparison, part: str) -> tuple[list[str], str]:
    """Return the lines of a test case, and how it ended: `passed`, `failure`, `error` or `skipped`."""
    found = [finding for finding in comparison.findings if finding.group in PARTS[part]]
    failed = [finding for finding in found if finding.severity == "fail"]
    others = [finding for finding in found if finding.severity != "fail"]
    head = f'    <testcase classname="{escape_markup(comparison.golden_name)}" name="{part}"'
    body: list[str] = []
    kind = "passed"
    if comparison.verdict == "error":
        kind = "error" if part == "structure" else "skipped"
        if kind == "error":
            body.append(_result("error", comparison, "not-compared", found))
        else:
            body.append('      <skipped message="nothing was compared"/>')
    elif failed:
        kind = "failure"
        body.append(_result("failure", comparison, failed[0].code, failed))
    elif part == "time" and comparison.verdict == "inconclusive":
        kind = "failure"
        undecided = [finding for finding in others if finding.code == Code.INCONCLUSIVE]
        body.append(_result("failure", comparison, "inconclusive", undecided))
    elif part == "time" and comparison.timing is None:
        kind = "skipped"
        why = (
            "times are off in the policy" if comparison.policy.timing == "off" else "times were not compared"
        )
        body.append(f'      <skipped message="{why}"/>')
    if others and comparison.verdict != "error":
        texts = [f"{finding.severity}: {_line(finding)}" for finding in others[:_MAX_FINDINGS]]
        body.append(f"      <system-out>{_text(texts)}</system-out>")
    if not body:
        return [f"{head}/>"], kind
    return [f"{head}>", *body, "    </testcase>"], kind


def _result(tag: str, comparison: Comparison, code: str, findings: Sequence[Finding]) -> str:
    texts = [headline(comparison), *(_line(finding) for finding in findings[:_MAX_FINDINGS])]
    if len(findings) > _MAX_FINDINGS:
        texts.append(f"and {len(findings) - _MAX_FINDINGS} more")
    message = clip(_line(findings[0]), 300) if findings else headline(comparison)
    if len(findings) > 1:
        message += f" (and {len(findings) - 1} more)"
    return (
        f'      <{tag} type="{escape_markup(code)}" message="{escape_markup(message)}">{_text(texts)}</{tag}>'
    )


def _line(finding: Finding) -> str:
    count = f" x{finding.count}" if finding.count > 1 else ""
    return clip(f"{finding.code} {place_of(finding)}{count}: {describe(finding)}".rstrip(": "), 2_000)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(escape_markup(show_hidden(line)) for line in lines)
