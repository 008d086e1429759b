"""Comparisons as one HTML file: findings, both trees side by side, curves. No network, no script, no time of day.

Everything a program named is escaped, and the page's own policy forbids whatever would load or run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.svg.style import page_style
from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.findings import Finding, Severity
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.findings.difference import Piece, find_change, show_change, show_value
from otel_experiments.golden.number_text import show_p, show_ratio, show_time
from otel_experiments.golden.report.markdown import VERDICTS
from otel_experiments.golden.report.style import STYLE
from otel_experiments.golden.report.text import count_noun
from otel_experiments.golden.report.tree import TreePair, TreeRow, fold_equal, pair_trees, shown_rows
from otel_experiments.golden.shown.curve import draw_curve

_TONES: Final = {"pass": "pass", "fail": "fail", "error": "fail", "inconclusive": "advisory"}
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_MAX_FINDINGS: Final = 2_000
_MAX_OPEN_CURVES: Final = 12
_MAX_CURVES: Final = 200
_MAX_INDENT: Final = 40
_MANY_FINDINGS: Final = 20
"""So many are told by code above the list, with links to what comes after it."""
_MIN_FOLD: Final = 6
"""Fewer equal rows than this are not worth a click."""


def render_html(
    comparisons: Comparison | Sequence[Comparison], *, accept: str = "", explain: str = ""
) -> str:
    """Return the page of one or more comparisons.

    Args:
        comparisons: What was found.
        accept: The command that accepts the candidate as the golden.
        explain: The command that explains a finding.
    """
    many = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    title = many[0].golden_name if len(many) == 1 else count_noun(len(many), "golden")
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>Golden comparison: {escape_markup(clip(title, 120))}</title>",
        f"<style>{page_style()}{STYLE}</style></head><body><main>",
        "<h1>Golden comparison</h1>",
    ]
    if len(many) > 1:
        lines += _overview(many)
    for number, one in enumerate(many, 1):
        lines += _Section(one, f"g{number}").render(accept, explain)
    return "\n".join([*lines, "</main></body></html>"]) + "\n"


def _overview(comparisons: Sequence[Comparison]) -> list[str]:
    rows = []
    for number, one in enumerate(comparisons, 1):
        score = "" if one.score is None else f"{one.score.overall():.3f}"
        rows.append(
            f'<tr><td><a href="#g{number}"><code>{escape_markup(one.golden_name)}</code></a></td>'
            f"<td>{_verdict(one)}</td><td>{one.policy.name}</td>"
            f'<td class="number">{len(one.failures)}</td><td class="number">{one.ignored_count}</td>'
            f'<td class="number">{score}</td></tr>'
        )
    return [
        (
            '<div class="scroll"><table><tr><th>Golden</th><th>Verdict</th><th>Policy</th><th class="number">Failing</th>'
            '<th class="number">Ignored</th><th class="number">Score</th></tr>'
        ),
        *rows,
        "</table></div>",
    ]


def _verdict(comparison: Comparison) -> str:
    return f'<span class="badge {_TONES[comparison.verdict]}">{VERDICTS[comparison.verdict]}</span>'


class _Section:
    """The part of the page about one comparison; `anchor` makes its links its own."""

    def __init__(self, comparison: Comparison, anchor: str) -> None:
        self.comparison = comparison
        self.anchor = anchor
        self.rows: dict[str, str] = {}
        """The anchor of each path's first row in the trees."""

    def render(self, accept: str, explain: str) -> list[str]:
        """Return the lines of the section."""
        one = self.comparison
        trees = self._trees()
        lines = [
            f'<section id="{self.anchor}"><h2><code>{escape_markup(one.golden_name)}</code> {_verdict(one)}</h2>',
            f'<p class="facts">{" · ".join(self._facts())}</p>',
        ]
        lines += (f'<p class="soft">{escape_markup(note)}</p>' for note in one.notes)
        lines += self._contents()
        lines += self._findings()
        if one.verdict == "fail" and accept:
            lines.append(f"<p>Accept: <code>{escape_markup(accept)}</code></p>")
        if one.verdict == "fail" and explain:
            lines.append(f"<p>Why: <code>{escape_markup(explain)}</code></p>")
        return [*lines, *trees, *self._curves(), *self._times(), "</section>"]

    def _contents(self) -> list[str]:
        """Return links to the parts below, for a list of findings that fills more than the first page."""
        one = self.comparison
        if len(one.findings) < _MANY_FINDINGS:
            return []
        uses = Counter(finding.code for finding in one.findings).most_common()
        told = ", ".join(f"{escape_markup(code)} {count}" for code, count in uses)
        links = [f'<a href="#{self.anchor}-spans">Spans</a>'] if self.rows else []
        links += [f'<a href="#{self.anchor}-curves">Curves</a>'] if one.curves else []
        links += [f'<a href="#{self.anchor}-times">Times</a>'] if one.timing is not None else []
        return [f"<p>{len(one.findings)} findings: {told}</p>", f"<p>{' · '.join(links)}</p>"]

    def _facts(self) -> list[str]:
        one = self.comparison
        facts = [
            f"policy {one.policy.name}",
            count_noun(one.golden_runs, "golden run"),
            count_noun(one.candidate_runs, "candidate"),
        ]
        if one.variant:
            facts.append(f"variant {escape_markup(one.variant)}")
        if one.score is not None:
            facts.append(f"score {one.score.overall():.3f}")
        if one.golden is not None and one.candidate is not None:
            facts.append(
                f"{one.golden.span_count} spans in the golden, {one.candidate.span_count} in the candidate"
            )
        if one.ignored_count:
            facts.append(f"{one.ignored_count} ignored by rules")
        return facts

    # --- findings ----------------------------------------------------------------------------------------------

    def _findings(self) -> list[str]:
        findings = self.comparison.findings
        if not findings:
            return ["<p>Nothing has changed.</p>"]
        lines = [
            (
                '<h3>Findings</h3><div class="scroll"><table class="findings"><tr><th class="number">#</th><th></th><th>Code</th>'
                '<th>Place</th><th class="number">Count</th><th>Change</th></tr>'
            )
        ]
        for number, finding in enumerate(findings[:_MAX_FINDINGS], 1):
            place = _place(finding)
            row = self._row_of(finding.path)
            if row:
                place = f'<a href="#{row}">{place}</a>'
            lines.append(
                f'<tr id="{self.anchor}-f{number}"><td class="number">{number}</td>'
                f'<td><span class="badge {finding.severity}">{_word(finding.severity)}</span></td>'
                f"<td><code>{escape_markup(finding.code)}</code></td>"
                f'<td class="place">{place}</td><td class="number">{finding.count}</td>'
                f'<td class="change">{_change(finding)}</td></tr>'
            )
        lines.append("</table></div>")
        if len(findings) > _MAX_FINDINGS:
            lines.append(f"<p>and {count_noun(len(findings) - _MAX_FINDINGS, 'more finding')}</p>")
        return lines

    def _row_of(self, path: str) -> str:
        """Return the anchor of a path's row, or of the nearest row above it."""
        here = path
        while here and here not in self.rows:
            here = here.rpartition("/")[0]
        return self.rows.get(here, "")

    # --- trees -------------------------------------------------------------------------------------------------

    def _trees(self) -> list[str]:
        one = self.comparison
        if one.golden is None or one.candidate is None:
            return []
        paired = pair_trees(one.golden, one.candidate)
        pairs = paired.pairs
        marks: dict[int, list[int]] = {}
        first_rows: dict[str, int] = {}
        for at, pair in enumerate(pairs):
            for row in (pair.golden, pair.candidate):
                if row is not None and row.is_span:
                    first_rows.setdefault(row.path, at)
        for number, finding in enumerate(one.findings, 1):
            if finding.path in first_rows and finding.severity != "ignored":
                marks.setdefault(first_rows[finding.path], []).append(number)
        self.rows = {path: f"{self.anchor}-r{at}" for path, at in first_rows.items()}
        shown = shown_rows(pairs, marks)
        lines = [
            f'<h3 id="{self.anchor}-spans">Spans</h3><div class="trees"><div class="row head"><div>Golden</div><div>Candidate</div></div>'
        ]
        for stretch in fold_equal(pairs, marks):
            body = [self._row(at, pairs[at], marks.get(at, ())) for at in stretch]
            if stretch.start in shown or len(stretch) < _MIN_FOLD:
                lines += body
                continue
            lines += [
                f"<details><summary>{count_noun(len(stretch), 'equal row')}</summary>",
                *body,
                "</details>",
            ]
        left_out = max(paired.golden_left_out, paired.candidate_left_out)
        if left_out:
            lines.append(f'<div class="row head"><div>and {count_noun(left_out, "more row")}</div></div>')
        return [*lines, "</div>"]

    def _row(self, at: int, pair: TreePair, numbers: Sequence[int]) -> str:
        findings = [(number, self.comparison.findings[number - 1]) for number in numbers]
        badges = "".join(
            f'<a class="badge {finding.severity}" href="#{self.anchor}-f{number}">{escape_markup(finding.code)}</a>'
            for number, finding in findings[:6]
        )
        tone = f" marked {findings[0][1].severity}-row" if findings else ""
        is_left = pair.candidate is None
        left = _cell(pair.golden, badges if is_left else "")
        right = _cell(pair.candidate, "" if is_left else badges)
        return f'<div class="row{tone}" id="{self.anchor}-r{at}">{left}{right}</div>'

    # --- curves ------------------------------------------------------------------------------------------------

    def _curves(self) -> list[str]:
        by_curve: dict[tuple[str, str], list[tuple[int, Finding]]] = {}
        for number, finding in enumerate(self.comparison.findings, 1):
            if finding.group == "numbers":
                by_curve.setdefault((finding.path, finding.key), []).append((number, finding))
        first = {place: told[0][0] for place, told in by_curve.items()}
        views = sorted(
            self.comparison.curves,
            key=lambda view: first.get((view.path, view.metric), len(self.comparison.findings) + 1),
        )
        figures = [
            figure
            for view in views[:_MAX_CURVES]
            if (figure := self._figure(view, by_curve.get((view.path, view.metric), ())))
        ]
        if not figures:
            return []
        lines = [
            (
                f'<h3 id="{self.anchor}-curves">Curves</h3><p class="soft"><span class="key golden"></span>golden, with the range of its runs'
                '<span class="key candidate"></span>candidate<span class="cross">&times;</span>not a finite number'
                '<span class="key since"></span>changed from here</p>'
            ),
            f'<div class="curves">{"".join(figures[:_MAX_OPEN_CURVES])}</div>',
        ]
        rest = figures[_MAX_OPEN_CURVES:]
        if rest:
            lines.append(
                f"<details><summary>{count_noun(len(rest), 'more curve')}</summary>"
                f'<div class="curves">{"".join(rest)}</div></details>'
            )
        if len(views) > _MAX_CURVES:
            lines.append(f"<p>and {count_noun(len(views) - _MAX_CURVES, 'curve')} that are not drawn</p>")
        return lines

    def _figure(self, view: CurveView, findings: Sequence[tuple[int, Finding]]) -> str:
        starts = [finding.evidence["index"] for _, finding in findings if "index" in finding.evidence]
        drawing = draw_curve(view, first_changed=min(starts, default=None))
        if not drawing and not findings:
            return ""
        badges = " ".join(
            f'<a class="badge {finding.severity}" href="#{self.anchor}-f{number}">{escape_markup(finding.code)}</a>'
            for number, finding in findings
        )
        tone = ' class="fail-curve"' if any(finding.severity == "fail" for _, finding in findings) else ""
        return (
            f"<figure{tone}><figcaption><code><b>{escape_markup(view.metric)}</b></code> "
            f'<span class="soft mono">{escape_markup(view.path)}</span> {badges}</figcaption>'
            f"{drawing or '<p>no run has a finite value</p>'}</figure>"
        )

    # --- times -------------------------------------------------------------------------------------------------

    def _times(self) -> list[str]:
        report = self.comparison.timing
        if report is None:
            return []
        told = f"{count_noun(report.tested, 'stage')} tested"
        if report.machine.is_uniform:
            told += f", after dividing by {report.machine.wall:.2f}: the whole machine was that much slower"
        lines = [f'<h3 id="{self.anchor}-times">Times</h3><p class="soft">{told}</p>']
        if not report.stages:
            return lines
        lines.append(
            '<div class="scroll"><table><tr><th>Stage</th><th></th><th class="number">Golden</th>'
            '<th class="number">Candidate</th><th class="number">Ratio</th><th class="number">CPU</th>'
            '<th class="number">Chance</th><th>Reading</th></tr>'
        )
        for stage in report.stages[:_MAX_FINDINGS]:
            row = self._row_of(stage.path)
            path = escape_markup(stage.path)
            place = f'<a href="#{row}">{path}</a>' if row else path
            quartiles = f" ({stage.quartile}s)" if stage.quartile else ""
            cpu = "" if stage.cpu is None else show_ratio(stage.cpu.ratio)
            lines.append(
                f'<tr><td class="place">{place}</td>'
                f"<td><code>{stage.code}</code></td>"
                f'<td class="number">{show_time(stage.wall.golden_ns)}</td>'
                f'<td class="number">{show_time(stage.wall.candidate_ns)}</td>'
                f'<td class="number">{show_ratio(stage.wall.ratio)}</td><td class="number">{cpu}</td>'
                f'<td class="number">{escape_markup(show_p(stage.wall.p).removeprefix("p=").removeprefix("p"))}</td><td>{escape_markup(stage.reason + quartiles)}</td></tr>'
            )
        return [*lines, "</table></div>"]


def _cell(row: TreeRow | None, badges: str) -> str:
    if row is None:
        return '<div class="gone"></div>'
    depth = min(row.depth, _MAX_INDENT)
    kind = "name" if row.is_span else "name block"
    count = f'<span class="times">&times;{row.count}</span>' if row.count > 1 else ""
    facts = f'<span class="more">{escape_markup(row.facts)}</span>' if row.facts else ""
    return (
        f'<div style="--depth:{depth}"><span class="{kind}">{escape_markup(clip(row.label, 200))}</span>'
        f"{count}{facts}{badges}</div>"
    )


def _place(finding: Finding) -> str:
    """Return where a finding is, its last part set off from the path above it."""
    above, slash, last = place_of(finding).rpartition("/")
    return (
        f'<span class="above">{escape_markup(above + slash)}</span>{escape_markup(last)}'
        if slash
        else escape_markup(last)
    )


def _change(finding: Finding) -> str:
    """Return what changed: the two values marked beside each other, or what differs inside a long text."""
    text = describe(finding)
    pair = show_change(finding.golden, finding.candidate)
    if not finding.golden or not finding.candidate or pair not in text:
        return escape_markup(clip(text, 2_000))
    before, _, after = text.partition(pair)
    pieces = find_change(finding.golden, finding.candidate) or (
        Piece("gone", show_value(finding.golden)),
        Piece("same", " → "),
        Piece("new", show_value(finding.candidate)),
    )
    marked = "".join(_MARKS[piece.kind].format(escape_markup(piece.text)) for piece in pieces)
    return escape_markup(clip(before, 200)) + marked + escape_markup(clip(after, 1_000))


_MARKS: Final = {"same": "{}", "gone": "<del>{}</del>", "new": "<ins>{}</ins>"}


def _word(severity: Severity) -> str:
    words: Mapping[str, str] = {"fail": "FAIL", "advisory": "warn"}
    return words.get(severity, severity)
