"""HTML for the output of a notebook's cell: heads, tables and folds, static and without anything from elsewhere.

Each output has its style with it, since cells are copied and cut. The style begins with the class `oxp` everywhere, and no
id is used, so that outputs cannot change each other or the notebook. Texts are escaped here: a cell is text unless it is `Markup`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from otel_experiments.figures.escape import clip, escape_markup
from otel_experiments.figures.svg.style import page_style

Tone = Literal["good", "bad", "warn", "soft", "0"]
"""What a badge says by its colour; `0` is the first colour of lines, for what goes on."""
CELL_CHARS: Final = 80
"""Of a text in a table."""
_STATES: Final[Mapping[str, Tone]] = {
    "succeeded": "good",
    "failed": "bad",
    "lost": "bad",
    "cancelled": "warn",
    "paused": "warn",
    "running": "0",
}

_STYLE: Final = (
    ".oxp.oxp-panel{background:var(--oxp-page);color:var(--oxp-ink);border:1px solid var(--oxp-line);border-radius:8px;"
    "padding:10px 14px;margin:2px 0;font:13px/1.5 system-ui,sans-serif;text-align:left;max-width:100%;box-sizing:border-box;"
    "overflow-x:auto}"
    ".oxp.oxp-panel .oxp-head{font-size:15px;font-weight:600;overflow-wrap:anywhere}"
    ".oxp.oxp-panel .oxp-facts{color:var(--oxp-soft);overflow-wrap:anywhere}"
    ".oxp.oxp-panel .oxp-badge{font-size:11px;font-weight:600;border:1px solid currentColor;border-radius:9px;padding:0 7px;"
    "margin-left:6px;white-space:nowrap;vertical-align:1px}"
    ".oxp.oxp-panel .oxp-h{font-size:12px;font-weight:600;color:var(--oxp-soft);margin:10px 0 2px}"
    ".oxp.oxp-panel table.oxp-table.oxp-table{border-collapse:collapse;margin:2px 0;font-size:13px;color:var(--oxp-ink);"
    "background:none;border:0;width:auto;table-layout:auto}"
    ".oxp.oxp-panel table.oxp-table.oxp-table tr{background:none;border:0}"
    ".oxp.oxp-panel table.oxp-table.oxp-table td,.oxp.oxp-panel table.oxp-table.oxp-table th{padding:2px 14px 2px 0;"
    "text-align:left;vertical-align:middle;border:0;border-top:1px solid var(--oxp-line);background:none;max-width:380px;"
    "overflow-wrap:anywhere;white-space:normal;line-height:1.5}"
    ".oxp.oxp-panel table.oxp-table.oxp-table th{font-size:12px;font-weight:600;color:var(--oxp-soft);border-top:0;"
    "white-space:nowrap}"
    ".oxp.oxp-panel table.oxp-table.oxp-table .oxp-n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".oxp.oxp-panel code{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:inherit;background:none;"
    "padding:0}"
    ".oxp.oxp-panel pre.oxp-block{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:inherit;"
    "background:none;border:0;margin:6px 0 0;padding:0;white-space:pre-wrap}"
    ".oxp.oxp-panel summary{cursor:pointer;color:var(--oxp-soft);font-size:12px;font-weight:600;margin-top:8px}"
    ".oxp.oxp-panel svg.oxp-spark{display:inline-block;vertical-align:middle;max-width:none}"
    ".oxp.oxp-panel img{max-width:160px;max-height:160px;display:block;border-radius:4px}"
    ".oxp.oxp-panel img.oxp-large{max-width:min(100%,560px);max-height:480px}"
    ".oxp.oxp-panel .oxp-grid{display:flex;flex-wrap:wrap;gap:10px}.oxp.oxp-panel figure{margin:0;max-width:160px}"
    ".oxp.oxp-panel figcaption{font-size:11px;color:var(--oxp-soft);overflow-wrap:anywhere}"
    + "".join(
        f".oxp.oxp-panel .oxp-c-{tone}{{color:var(--oxp-{tone})}}"
        for tone in ("good", "bad", "warn", "soft", "0")
    )
)


class Markup(str):
    """A text that is HTML already, and is not escaped again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and whether its cells are numbers."""

    label: str
    is_number: bool = False


def panel(*parts: str) -> str:
    """Return the HTML of an output; `parts` come from the functions of this module, or are SVG."""
    return f'<div class="oxp oxp-panel"><style>{page_style()}{_STYLE}</style>{"".join(parts)}</div>'


def escaped(cell: str) -> str:
    """Return a cell as HTML: a text escaped and cut in its middle, `Markup` as it is."""
    return cell if isinstance(cell, Markup) else escape_markup(clip(cell, CELL_CHARS))


def badge(text: str, tone: Tone = "soft") -> Markup:
    """Return a short text with a border in the colour of its tone."""
    return Markup(f'<span class="oxp-badge oxp-c-{tone}">{escape_markup(clip(text, 40))}</span>')


def state_badge(state: str) -> Markup:
    """Return the state of a run in its colour."""
    return badge(state, _STATES.get(state, "soft"))


def code(text: str) -> Markup:
    """Return a text in a font of equal widths: ids, digests, paths."""
    return Markup(f"<code>{escape_markup(clip(text, CELL_CHARS))}</code>")


def toned(text: str, tone: Tone) -> Markup:
    """Return a text in the colour of its tone."""
    return Markup(f'<span class="oxp-c-{tone}">{escape_markup(clip(text, 300))}</span>')


def head(title: str, *, badges: Iterable[Markup] = (), facts: Iterable[str] = ()) -> Markup:
    """Return the first lines of an output: what it is, its state, and facts about it on a line."""
    shown = " · ".join(map(escaped, facts))
    below = f'<div class="oxp-facts">{shown}</div>' if shown else ""
    return Markup(f'<div class="oxp-head">{escape_markup(clip(title, 200))}{"".join(badges)}</div>{below}')


def line(*cells: str) -> Markup:
    """Return a line of text."""
    return Markup(f"<div>{' '.join(map(escaped, cells))}</div>")


def heading(text: str) -> Markup:
    """Return the heading of a part."""
    return Markup(f'<div class="oxp-h">{escaped(text)}</div>')


def table(columns: Sequence[Column | str], rows: Iterable[Sequence[str]], *, left_out: int = 0) -> Markup:
    """Return a table; `left_out` counts the rows that are not in it."""
    shown = [Column(one) if isinstance(one, str) else one for one in columns]
    lines = ['<table class="oxp-table">']
    if any(one.label for one in shown):
        cells = (f"<th{_number(one)}>{escaped(one.label)}</th>" for one in shown)
        lines.append(f"<thead><tr>{''.join(cells)}</tr></thead>")
    lines.append("<tbody>")
    for row in rows:
        cells = (f"<td{_number(one)}>{escaped(cell)}</td>" for one, cell in zip(shown, row, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    more = f'<div class="oxp-facts">and {left_out:,} more</div>' if left_out else ""
    return Markup("".join([*lines, "</tbody></table>", more]))


def pairs(items: Mapping[str, str], *, left_out: int = 0) -> Markup:
    """Return names and values, a row each."""
    return table(["", ""], [(code(key), value) for key, value in items.items()], left_out=left_out)


def block(lines: Iterable[str]) -> Markup:
    """Return lines of a text as they are, in a font of equal widths."""
    shown = "\n".join(escape_markup(clip(one, 200)) for one in lines)
    return Markup(f'<pre class="oxp-block">{shown}</pre>')


def fold(summary: str, *parts: str, is_open: bool = False) -> Markup:
    """Return a part that a click opens and closes."""
    state = " open" if is_open else ""
    return Markup(f"<details{state}><summary>{escaped(summary)}</summary>{''.join(parts)}</details>")


def grid(figures: Iterable[tuple[str, str]]) -> Markup:
    """Return pictures side by side, each with a caption."""
    shown = (
        f"<figure>{content}<figcaption>{escaped(caption)}</figcaption></figure>"
        for content, caption in figures
    )
    return Markup(f'<div class="oxp-grid">{"".join(shown)}</div>')


def _number(column: Column) -> str:
    return ' class="oxp-n"' if column.is_number else ""
