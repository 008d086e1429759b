"""Comparisons for a GitHub workflow: annotations, of which a step shows ten, and the full table as its summary.

Writes nothing: the caller prints the annotations and appends the summary to the file of GITHUB_STEP_SUMMARY.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from otel_experiments.figures.escape import clip, show_hidden
from otel_experiments.golden.canonical.form import Form, NodeType
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Code
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.report.escape import code_span, escape_message, escape_property
from otel_experiments.golden.report.markdown import VERDICTS, facts_of, table_of
from otel_experiments.golden.report.text import count_noun, headline

MAX_ANNOTATIONS: Final = 10
"""A step shows no more. Source: https://github.com/orgs/community/discussions/26680."""
MAX_SUMMARY_BYTES: Final = 1_000_000
"""A step's summary may have 1 MiB. Source: GitHub, workflow commands, step isolation and limits."""
_MAX_CAUSES: Final = 5


def render_github(
    comparisons: Comparison | Sequence[Comparison],
    *,
    template_lines: Mapping[str, Mapping[str, int]] | None = None,
    files: Mapping[str, str] | None = None,
) -> tuple[list[str], str]:
    """Return the lines to print, one an annotation, and the Markdown of the step's summary.

    Args:
        comparisons: What was found.
        template_lines: By golden name, the line of each canonical path in the golden's file, as
            `find_template_lines` gives them; the annotation points there.
        files: By golden name, the golden's file as the repository has it; the name itself by default.
    """
    many = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    files = files or {}
    bad = [one for one in many if one.verdict != "pass"]
    shown = bad if len(bad) <= MAX_ANNOTATIONS else bad[: MAX_ANNOTATIONS - 1]
    annotations = [
        _annotation(
            one, files.get(one.golden_name, one.golden_name), (template_lines or {}).get(one.golden_name, {})
        )
        for one in shown
    ]
    if len(shown) < len(bad):
        rest = ", ".join(one.golden_name for one in bad[len(shown) :])
        text = f"{len(bad) - len(shown)} more goldens do not pass: {clip(rest, 500)}"
        annotations.append(f"::error title=golden::{escape_message(text)}")
    return annotations, _summary(many)


def find_template_lines(text: str, golden: Form) -> dict[str, int]:
    """Return the line of each canonical path in the text of an `.otg` file.

    What a template that is written once and used often holds has the line of the place where it is used.
    """
    known = {path for path, node in golden.walk() if node.type is NodeType.SPAN}
    found: dict[str, int] = {}
    above: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.lstrip(" ")
        depth = (len(line) - len(content)) // 2
        del above[depth:]
        parent = above[-1] if above else ""
        name = _first_name(content)
        path = f"{parent}/{name}" if parent else name
        if name and path in known:
            found.setdefault(path, number)
        else:
            path = parent
        above += [path] * (depth + 1 - len(above))
    return found


def _first_name(content: str) -> str:
    if content.startswith('"'):
        try:
            return str(json.JSONDecoder().raw_decode(content)[0])
        except json.JSONDecodeError:
            return ""
    return content.split(" ", 1)[0]


def _annotation(comparison: Comparison, file: str, lines: Mapping[str, int]) -> str:
    causes = [finding for finding in comparison.findings if finding.severity == "fail"] or [
        finding for finding in comparison.findings if finding.code == Code.INCONCLUSIVE
    ]
    texts = []
    for finding in causes[:_MAX_CAUSES]:
        count = f" x{finding.count}" if finding.count > 1 else ""
        texts.append(clip(f"{finding.code} {place_of(finding)}{count}: {describe(finding)}", 500))
    if len(causes) > _MAX_CAUSES:
        texts.append(f"and {count_noun(len(causes) - _MAX_CAUSES, 'more finding')}")
    properties = [f"file={escape_property(file)}"]
    line = next((at for finding in causes if (at := _line_of(finding.path, lines))), None)
    if line is not None:
        properties.append(f"line={line}")
    properties.append(
        f"title={escape_property(f'golden {VERDICTS[comparison.verdict]}: {comparison.golden_name}')}"
    )
    message = "\n".join(map(show_hidden, texts)) or headline(comparison)
    return f"::error {','.join(properties)}::{escape_message(message)}"


def _line_of(path: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a path, or of the nearest path above it."""
    here = path
    while here:
        if here in lines:
            return lines[here]
        here = here.rpartition("/")[0]
    return None


def _summary(comparisons: Sequence[Comparison]) -> str:
    bad = sum(one.verdict != "pass" for one in comparisons)
    lines = [
        "## Golden traces",
        "",
        f"{count_noun(len(comparisons), 'golden')}, {bad} not passing",
        "",
        "| Golden | Verdict | Policy | Failing | Warnings | Ignored | Score |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for one in comparisons:
        score = "" if one.score is None else f"{one.score.overall():.3f}"
        warnings = sum(finding.severity == "advisory" for finding in one.findings)
        verdict = VERDICTS[one.verdict] if one.verdict == "pass" else f"**{VERDICTS[one.verdict]}**"
        lines.append(
            f"| {code_span(one.golden_name, 200)} | {verdict} | {one.policy.name} "
            f"| {len(one.failures)} | {warnings} | {one.ignored_count} | {score} |"
        )
    told = [one for one in comparisons if one.findings]
    room = MAX_SUMMARY_BYTES - sum(len(line.encode()) + 1 for line in lines)
    for one in told:
        head = ["", f"### {code_span(one.golden_name, 200)}", "", " · ".join(facts_of(one)), ""]
        lines += head
        lines += table_of(one.findings, room // len(told) - sum(len(line.encode()) + 1 for line in head))
    return "\n".join(lines) + "\n"
