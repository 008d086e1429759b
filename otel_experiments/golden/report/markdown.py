"""Comparisons as Markdown, for a comment on a pull request: a hidden marker lets a bot find and replace its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.report.escape import code_block, code_span, marker
from otel_experiments.golden.report.text import count_noun, excerpt

MAX_COMMENT_BYTES: Final = 60_000
"""GitHub refuses comments above 65,536 characters; what does not fit is counted."""
WORDS: Final = {"fail": "**FAIL**", "advisory": "warn", "note": "note", "ignored": "ignored"}
VERDICTS: Final = {
    "pass": "passes",
    "fail": "changed",
    "error": "not compared",
    "inconclusive": "not decided",
}
_MAX_TREE_LINES: Final = 20


def render_markdown(
    comparisons: Comparison | Sequence[Comparison],
    *,
    accept: str = "",
    explain: str = "",
    max_bytes: int = MAX_COMMENT_BYTES,
) -> str:
    """Return the report of one or more comparisons, each under its marker.

    Args:
        comparisons: What was found.
        accept: The command that accepts the candidate as the golden.
        explain: The command that explains a finding.
        max_bytes: The longest report to make, in UTF-8; findings that do not fit are counted.
    """
    many = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    share = max_bytes // max(1, len(many))
    return "\n".join(_section(one, accept, explain, share) for one in many)


def _section(comparison: Comparison, accept: str, explain: str, max_bytes: int) -> str:
    head = [
        marker(comparison.golden_name),
        f"### Golden {code_span(comparison.golden_name, 200)}: {VERDICTS[comparison.verdict]}",
        "",
        " · ".join(facts_of(comparison)),
        "",
    ]
    tail: list[str] = []
    if comparison.golden is not None and comparison.failures:
        tree = excerpt(comparison.golden, comparison.failures, limit=_MAX_TREE_LINES)
        if tree:
            tail += ["", *code_block(tree)]
    tail += (f"\nNote: {code_span(note)}" for note in comparison.notes[:5])
    if comparison.verdict == "fail":
        tail += [f"\nAccept: {code_span(accept, 1_000)}"] if accept else []
        tail += [f"\nWhy: {code_span(explain, 1_000)}"] if explain else []
    used = sum(len(line.encode()) + 1 for line in (*head, *tail))
    return "\n".join([*head, *table_of(comparison.findings, max_bytes - used), *tail]) + "\n"


def facts_of(comparison: Comparison) -> list[str]:
    """Return what was compared, and what came out, as short texts for one line."""
    facts = [
        f"policy {comparison.policy.name}",
        count_noun(comparison.golden_runs, "golden run"),
        count_noun(comparison.candidate_runs, "candidate"),
    ]
    if comparison.variant:
        facts.append(f"variant {code_span(comparison.variant, 80)}")
    if comparison.score is not None:
        facts.append(f"score {comparison.score.overall():.3f}")
    facts.append(f"{len(comparison.failures)} failing")
    if comparison.ignored_count:
        facts.append(f"{comparison.ignored_count} ignored by rules")
    return facts


def table_of(findings: Sequence[Finding], max_bytes: int) -> list[str]:
    """Return a table of findings that is not longer than so many bytes; what is left out is counted below it."""
    if not findings:
        return ["Nothing has changed."]
    lines = ["| # | | Code | Place | Count | Change |", "|---:|---|---|---|---:|---|"]
    room = max_bytes - sum(map(len, lines)) - 60
    for number, finding in enumerate(findings, 1):
        row = (
            f"| {number} | {WORDS[finding.severity]} | {code_span(finding.code, 60)} "
            f"| {code_span(place_of(finding), 200)} | {finding.count} | {code_span(describe(finding))} |"
        )
        room -= len(row.encode()) + 1
        if room < 0:
            lines += ["", f"and {count_noun(len(findings) - number + 1, 'more finding')}"]
            break
        lines.append(row)
    return lines
