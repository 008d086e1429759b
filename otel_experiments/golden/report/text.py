"""A comparison as text for a terminal and for an assertion: the first ten lines name the cause.

At most 40 lines, however many findings there are; what is left out is counted. Source: golden trace design,
section 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_experiments.figures.escape import show_hidden
from otel_experiments.golden.canonical.form import Form, Node, NodeType
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.findings.difference import show_change, show_value

MAX_LINES: Final = 40
_MAX_FINDINGS: Final = 20
_MAX_TREE_LINES: Final = 16
_MAX_PLACES: Final = 1_000
_WORDS: Final = {"fail": "FAIL", "advisory": "warn", "note": "note", "ignored": "ign."}
_HEADS: Final = {
    "pass": "golden matches",
    "fail": "golden mismatch",
    "error": "golden not compared",
    "inconclusive": "golden not decided",
}


def render_text(
    comparison: Comparison,
    *,
    accept: str = "",
    explain: str = "",
    max_lines: int = MAX_LINES,
    with_score: bool = False,
) -> str:
    """Return the report of a comparison.

    Args:
        comparison: What was found.
        accept: The command that accepts the candidate as the golden.
        explain: The command that explains a finding.
        max_lines: The longest report to make.
        with_score: Whether to say what the compatible score alone would have decided.
    """
    lines = [headline(comparison)]
    if with_score:
        lines.append(score_line(comparison))
    shown = [finding for finding in comparison.findings if finding.severity != "ignored"]
    room = min(_MAX_FINDINGS, max_lines - 6)
    if not any(finding.severity == "fail" for finding in shown):
        room = min(room, 10)
    lines += _finding_lines(shown[:room])
    if len(shown) > room:
        lines.append(f"      and {count_noun(len(shown) - room, 'more finding')}")
    if comparison.ignored_count:
        lines.append(f"      {count_noun(comparison.ignored_count, 'finding')} ignored by rules")
    tail = [f"note  {note}" for note in comparison.notes[:3]]
    commands = []
    if comparison.verdict == "fail":
        commands = [
            part
            for part in (f"accept: {accept}" if accept else "", f"why: {explain}" if explain else "")
            if part
        ]
    space = max_lines - len(lines) - len(tail) - bool(commands)
    if comparison.golden is not None and comparison.failures:
        lines += excerpt(comparison.golden, comparison.failures, limit=min(_MAX_TREE_LINES, space))
    lines += tail
    if commands:
        lines.append("      ".join(commands))
    return "\n".join(map(show_hidden, lines[:max_lines]))


def headline(comparison: Comparison) -> str:
    """Return the line that says what was compared and what came out."""
    parts = [
        f"{_HEADS[comparison.verdict]}: {comparison.golden_name}",
        f"policy {comparison.policy.name}",
        f"{count_noun(comparison.golden_runs, 'golden run')}, {count_noun(comparison.candidate_runs, 'candidate')}",
    ]
    if comparison.variant:
        parts.append(f"variant {comparison.variant}")
    if comparison.score is not None:
        parts.append(f"score {comparison.score.overall():.3f}")
    return "   ".join(parts)


def score_line(comparison: Comparison) -> str:
    """Return one line with the compatible score, its parts, and what it alone would have decided."""
    score = comparison.score
    if score is None:
        return "      no score: the traces differ in structure and are too long for it"
    sign, outcome = (">=", "pass") if score.is_equivalent() else ("<", "fail")
    parts = f"sequence {score.syscall_match:.3f}, timing {score.timing_variance:.3f}, outcome {score.semantic_equiv:.3f}"
    return f"      score {score.overall():.3f} {sign} 0.85 ({parts}): alone it would {outcome}"


def _finding_lines(findings: Sequence[Finding]) -> list[str]:
    code_width = max((len(finding.code) for finding in findings), default=0)
    places = [place_of(finding) for finding in findings]
    place_width = min(60, max(map(len, places), default=0))
    lines = []
    for finding, place in zip(findings, places, strict=True):
        count = f"x{finding.count}" if finding.count > 1 else ""
        lines.append(
            f"{_WORDS[finding.severity]}  {finding.code:<{code_width}}  {place:<{place_width}}  {count:<5} {describe(finding)}".rstrip()
        )
    return lines


def excerpt(golden: Form, failures: Sequence[Finding], *, limit: int) -> list[str]:
    """Return the golden's spans around the first failures: `-` went, `+` is new, `!` changed otherwise."""
    marks = _marks(failures)
    parents = list(dict.fromkeys(path.rpartition("/")[0] for path in marks))
    templates: dict[str, list[Node]] = {}
    for path, node in golden.walk():
        if node.type is NodeType.SPAN:
            templates.setdefault(path, []).append(node)
    lines: list[str] = []
    for parent in parents:
        if len(lines) + 2 > limit:
            break
        if parent not in templates:
            continue
        below = {path.rpartition("/")[2]: path for path in marks if path.rpartition("/")[0] == parent}
        above = _telling_template(golden, templates[parent], below, marks)
        lines.append(f"  {' > '.join(_trail(golden, above))}")
        names = dict.fromkeys(_child_names(above))
        for name in names:
            if len(lines) >= limit:
                break
            mark = marks.get(below.get(name, ""))
            lines.append(f"    {mark.sign} {name}   {mark.text}" if mark else f"      {name}")
        news = [name for name in below if name not in names]
        lines += (
            f"    {marks[below[name]].sign} {name}   {marks[below[name]].text}"
            for name in news[: max(0, limit - len(lines))]
        )
    return lines


@dataclass(frozen=True, slots=True)
class _Mark:
    """What an excerpt says of one path."""

    sign: str
    text: str
    index: tuple[tuple[str, float], ...]


_SIGNS: Final = {Code.REMOVED: "-", Code.ADDED: "+"}


def _marks(failures: Sequence[Finding]) -> dict[str, _Mark]:
    """Return what happened at each path, by its first failure."""
    marks: dict[str, _Mark] = {}
    for finding in failures:
        if finding.path:
            only = finding.golden or finding.candidate
            values = show_value(only) if only else ""
            if finding.golden and finding.candidate:
                values = show_change(finding.golden, finding.candidate)
            index = finding.examples[0].index if finding.examples else ()
            sign = _SIGNS.get(finding.code, "!")
            marks.setdefault(finding.path, _Mark(sign, f"{finding.code} {values}".rstrip(), index))
    return marks


def _telling_template(
    golden: Form, nodes: Sequence[Node], below: Mapping[str, str], marks: Mapping[str, _Mark]
) -> Node:
    """Return the template of a path in which the changes are: epochs of one name may differ in what they hold."""
    if len(nodes) == 1:
        return nodes[0]

    def tell(node: Node) -> tuple[int, int]:
        names = set(_child_names(node))
        wanted = [dict(marks[path].index) for path in below.values()]
        places = (
            [dict(golden.index_of(node, at)) for at in range(min(node.size, _MAX_PLACES))]
            if node.size
            else []
        )
        found = sum(
            any(place and place.items() <= index.items() for place in places) for index in wanted if index
        )
        return found, len(names & below.keys())

    return max(nodes, key=tell)  # the first of equals


def _trail(form: Form, node: Node) -> list[str]:
    """Return the names from the root down to a node, with the counts of loops."""
    names: list[str] = []
    here: Node | None = node
    while here is not None:
        if here.type is NodeType.SPAN:
            names.append(f"{here.name} x{here.count}" if here.count > 1 else here.name)
        here = form.parent_of(here)
    return names[::-1]


def _child_names(node: Node) -> list[str]:
    names: list[str] = []
    stack = list(reversed(node.children))
    while stack:
        child = stack.pop()
        if child.type is NodeType.SPAN:
            names.append(child.name)
        else:
            stack.extend(reversed(child.children))
    return names


def count_noun(number: int, noun: str) -> str:
    """Return a number with its noun in the right form: `1 run`, `2 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
