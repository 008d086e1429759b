"""Two runs as HTML: a page of its own, or the cell of a notebook. Light and dark, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from otel_experiments.differences.difference import Difference
from otel_experiments.differences.found import Differing, RunSide
from otel_experiments.differences.report.words import same_text, values_of, verdict_of
from otel_experiments.differences.span_sides import PathTimes
from otel_experiments.figures import panel as html
from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.quantity import duration
from otel_experiments.figures.svg.frame import Size
from otel_experiments.figures.svg.paint import paint
from otel_experiments.figures.svg.style import page_style

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_HEADINGS: Final = {
    "cause": "causes, the likeliest first",
    "symptom": "what came of them",
    "label": "what they are called",
}
_SIZE: Final = Size(560, 240, has_style=False)
_MOST_ROWS: Final = 40
"""Of a table that is open to the eye; the others are behind a click."""
_MOST_PATHS: Final = 500
_BAR: Final = 80
_PAGE_STYLE: Final = "body{margin:0;background:var(--oxp-page);color:var(--oxp-ink)}main{max-width:1100px;margin:0 auto;padding:16px}"


def render_page(diff: Differing) -> str:
    """Return the page: everything that differs, with curves and the times of every path."""
    title = f"{diff.a.name or diff.a.short_id} and {diff.b.name or diff.b.short_id}"
    return (
        "<!doctype html>\n"
        '<html lang="en" class="oxp"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape_markup(clip(title, 120))}: what differs</title>"
        f"<style>{page_style()}{_PAGE_STYLE}</style></head><body><main>\n"
        f"{render_cell(diff)}\n</main></body></html>\n"
    )


def render_cell(diff: Differing) -> str:
    """Return the same for the cell of a notebook."""
    parts = [html.head("Why is this run different?", facts=[verdict_of(diff)]), _heads(diff)]
    for role, heading in _HEADINGS.items():
        of_role = [one for one in diff.differences if one.role == role]
        if of_role:
            parts += [html.heading(heading), *_differences(of_role)]
    parts += _curves(diff)
    parts += _paths(diff)
    same = same_text(diff)
    parts += [html.line(f"the same: {same}")] if same else []
    parts += [html.line(html.toned(f"note: {note}", "warn")) for note in diff.notes]
    return html.panel(*parts)


def _heads(diff: Differing) -> html.Markup:
    columns: list[html.Column | str] = [
        "",
        "run",
        "id",
        "",
        "experiment",
        html.Column("took", is_number=True),
    ]
    return html.table(columns, [_head("A", diff.a), _head("B", diff.b)])


def _head(letter: str, side: RunSide) -> list[str]:
    state = html.state_badge(side.state)
    return [
        letter,
        side.name or "-",
        html.code(side.short_id),
        state,
        side.experiment,
        duration(side.duration_s),
    ]


def _differences(differences: Sequence[Difference]) -> Iterator[html.Markup]:
    shown, rest = differences[:_MOST_ROWS], differences[_MOST_ROWS:]
    yield _table(shown)
    if rest:
        yield html.fold(f"{len(rest):,} more", _table(rest))
    for one in differences:
        if one.lines:
            yield html.fold(f"{one.key}, line by line", html.block(one.lines))


def _table(differences: Sequence[Difference]) -> html.Markup:
    columns: list[html.Column | str] = ["weight", "", "what", "A", "B", ""]
    return html.table(columns, [_row(one) for one in differences])


def _row(one: Difference) -> list[str]:
    before, after = values_of(one)
    tone: html.Tone = "soft"
    if "better" in one.detail:
        tone = "good"
    elif "worse" in one.detail or one.section == "state":
        tone = "bad"
    return [
        _bar(one.weight),
        html.badge(one.section),
        html.code(one.key),
        html.code(before),
        html.code(after),
        html.toned(one.detail, tone),
    ]


def _bar(weight: float) -> html.Markup:
    """Return the weight as a bar, with its number for those who do not see it."""
    filled = round(_BAR * max(0.0, min(1.0, weight)))
    return html.Markup(
        f'<svg class="oxp-spark" width="{_BAR}" height="8" role="img" aria-label="weight {weight:.2f}">'
        f'<rect width="{_BAR}" height="8" rx="2" fill="var(--oxp-line)"/>'
        f'<rect width="{filled}" height="8" rx="2" fill="var(--oxp-0)"/></svg>'
    )


def _curves(diff: Differing) -> list[html.Markup]:
    if not diff.curves:
        return []
    return [html.heading("curves"), *(html.Markup(paint(one, _SIZE)) for one in diff.curves)]


def _paths(diff: Differing) -> list[html.Markup]:
    paths = list(dict.fromkeys((*diff.paths_a, *diff.paths_b)))
    if not paths:
        return []
    names = [f"{name} {letter}" for name in ("count", "p50", "p95", "self", "CPU") for letter in "AB"]
    columns: list[html.Column | str] = ["path", *(html.Column(name, is_number=True) for name in names)]
    rows = []
    for path in paths[:_MOST_PATHS]:
        both = _cells(diff.paths_a.get(path)), _cells(diff.paths_b.get(path))
        rows.append([html.code(path), *(cell for pair in zip(*both, strict=True) for cell in pair)])
    table = html.table(columns, rows, left_out=max(0, len(paths) - _MOST_PATHS))
    return [html.fold(f"times of {len(paths):,} paths of spans", table)]


def _cells(times: PathTimes | None) -> tuple[str, ...]:
    if times is None:
        return ("",) * 5
    return (f"{times.count:,}", *map(duration, (times.p50_s, times.p95_s, times.self_s, times.cpu_s)))
