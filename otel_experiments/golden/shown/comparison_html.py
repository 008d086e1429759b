"""A comparison as HTML for the cell of a notebook: verdict, findings, the curves that changed. The report has all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otel_experiments.figures import panel as html
from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.findings.codes import Severity
from otel_experiments.golden.findings.description import describe, place_of
from otel_experiments.golden.shown.curve import draw_curve

_MAX_FINDINGS: Final = 20
_MAX_CURVES: Final = 4
_VERDICTS: Final[dict[str, tuple[str, html.Tone]]] = {
    "pass": ("passes", "good"),
    "fail": ("changed", "bad"),
    "error": ("not compared", "bad"),
    "inconclusive": ("not decided", "warn"),
}
_TONES: Final[dict[Severity, html.Tone]] = {"fail": "bad", "advisory": "warn", "note": "0", "ignored": "soft"}
_CHANGE_CHARS: Final = 300


def comparison_html(
    verdict: str, findings: Sequence[Finding], curves: Sequence[CurveView], *, name: str, facts: Sequence[str]
) -> str:
    """Return the verdict, the first findings, and the curves of those that are about numbers."""
    text, tone = _VERDICTS[verdict]
    parts = [html.head(name or "Golden comparison", badges=[html.badge(text, tone)], facts=facts)]
    if not findings:
        parts.append(html.line("Nothing has changed." if verdict == "pass" else "There is no finding."))
    else:
        rows = [
            (
                html.badge(one.severity, _TONES[one.severity]),
                html.code(one.code),
                html.code(place_of(one)),
                f"{one.count:,}",
                html.Markup(escape_markup(clip(describe(one), _CHANGE_CHARS))),
            )
            for one in findings[:_MAX_FINDINGS]
        ]
        columns: list[html.Column | str] = [
            "",
            "code",
            "place",
            html.Column("count", is_number=True),
            "change",
        ]
        parts.append(html.table(columns, rows, left_out=len(findings) - len(rows)))
    return html.panel(*parts, *_curves(findings, curves))


def _curves(findings: Sequence[Finding], curves: Sequence[CurveView]) -> list[str]:
    starts: dict[tuple[str, str], float | None] = {}
    for one in findings:
        if one.group == "numbers" and one.severity != "ignored":
            index = one.evidence.get("index")
            starts.setdefault((one.path, one.key), float(index) if isinstance(index, int | float) else None)
    changed = [view for view in curves if (view.path, view.metric) in starts]
    shown = [
        (draw_curve(view, first_changed=starts[view.path, view.metric]), f"{view.metric} at {view.path}")
        for view in changed[:_MAX_CURVES]
    ]
    drawn = [html.heading(caption) + drawing for drawing, caption in shown if drawing]
    if not drawn:
        return []
    key = html.line(
        html.Markup('<span style="color:var(--oxp-1)">golden</span>'),
        html.Markup('<span style="color:var(--oxp-0)">candidate</span>'),
    )
    more = [html.line(f"and {len(changed) - _MAX_CURVES} more curves")] if len(changed) > _MAX_CURVES else []
    return [key, *drawn, *more]
