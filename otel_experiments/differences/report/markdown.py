"""Two runs as Markdown: a table of differences, for a comment on a change or a lab book."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_experiments.differences.difference import Difference
from otel_experiments.differences.found import Differing, RunSide
from otel_experiments.differences.report.words import same_text, values_of, verdict_of
from otel_experiments.figures.quantity import duration
from otel_experiments.golden.report.escape import code_block, code_span

_CHARS: Final = 120


def render_markdown(diff: Differing, *, is_all: bool = False) -> str:
    """Return the report; what a program named is code, so that nothing in it is formatted, linked or mentioned.

    Args:
        diff: what differs.
        is_all: whether every difference is shown, with the uncommitted changes line by line.
    """
    shown = diff.shown(is_all=is_all)
    lines = [
        "| | run | id | state | took |",
        "|---|---|---|---|---|",
        _head("A", diff.a),
        _head("B", diff.b),
        "",
        verdict_of(diff),
    ]
    if shown:
        lines += ["", "| | what | A | B | |", "|---|---|---|---|---|", *map(_row, shown)]
    rest = len(diff.differences) - len(shown)
    lines += ["", f"and {rest:,} more"] if rest else []
    if is_all:
        lines += _patches(diff)
    same = same_text(diff)
    lines += ["", f"The same: {same}."] if same else []
    lines += ["", *(f"- {code_span(note)}" for note in diff.notes)] if diff.notes else []
    return "\n".join(lines)


def _head(letter: str, side: RunSide) -> str:
    return f"| {letter} | {code_span(side.name)} | `{side.short_id}` | {side.state} | {duration(side.duration_s)} |"


def _row(one: Difference) -> str:
    before, after = values_of(one)
    cells = (one.section, *(code_span(text, _CHARS) for text in (one.key, before, after, one.detail)))
    return f"| {' | '.join(cells)} |"


def _patches(diff: Differing) -> Iterator[str]:
    for one in diff.differences:
        if one.lines:
            yield from ("", f"{code_span(one.key)}:", "", *code_block(list(one.lines)))
