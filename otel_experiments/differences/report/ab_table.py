"""An A/B test as a table: a row a group, the baseline first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.analysis.statistics import mean
from otel_experiments.figures import panel as html
from otel_experiments.figures.escape import clip, show_hidden
from otel_experiments.figures.quantity import number
from otel_experiments.golden.report.escape import code_span
from otel_experiments.query.json_values import Plain, plain
from otel_experiments.query.shown.html import value_text

if TYPE_CHECKING:
    from otel_experiments.analysis.samples import SampleTest
    from otel_experiments.model.run import ParamValue

_HEAD: Final = ("group", "runs", "mean", "diff", "interval", "effect", "p", "verdict")
_MOST_NAME: Final = 32
_GAP: Final = "  "


class Group(Protocol):
    """What is needed of a group."""

    @property
    def value(self) -> ParamValue:
        """What its runs have in common."""
        ...

    @property
    def values(self) -> tuple[float, ...]:
        """What its runs have of the number."""
        ...

    @property
    def left_out(self) -> int:
        """How many runs are not among them."""
        ...

    @property
    def test(self) -> SampleTest | None:
        """What the test says; None of the baseline."""
        ...


class Tested(Protocol):
    """What is needed of an A/B test."""

    @property
    def number(self) -> str:
        """What was compared."""
        ...

    @property
    def by(self) -> str:
        """By what the runs are grouped."""
        ...

    @property
    def method(self) -> str:
        """How it was tested."""
        ...

    @property
    def goal(self) -> str | None:
        """Which direction is better."""
        ...

    @property
    def alpha(self) -> float:
        """The level."""
        ...

    @property
    def groups(self) -> Sequence[Group]:
        """The groups, the baseline first."""
        ...


def render_text(found: Tested) -> str:
    """Return the table, what it is of, and what was left out."""
    rows = [_HEAD, *((*_cells(group)[:-1], _short_verdict(group)) for group in found.groups)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [title_of(found)]
    lines += [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [
        f"{clip(show_hidden(value_text(group.value)), _MOST_NAME)}: {group.test.needed:,} runs on each side would show a difference of this size"
        for group in found.groups
        if group.test is not None and group.test.needed is not None
    ]
    return "\n".join([*lines, *_notes(found)])


def _short_verdict(group: Group) -> str:
    """Return the verdict without the number of runs that would show it, so that a line fits 80 columns."""
    return "baseline" if group.test is None else group.test.verdict


def render_markdown(found: Tested) -> str:
    """Return the table in Markdown; what a program named is code."""
    lines = [f"**{title_of(found)}**", "", f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    for group in found.groups:
        name, *others = _cells(group)
        lines.append(f"| {' | '.join([code_span(name), *others])} |")
    return "\n".join([*lines, *(f"\n{note}" for note in _notes(found))])


def render_html(found: Tested) -> str:
    """Return the table for the cell of a notebook."""
    body = [
        [html.code(cells[0]), *cells[1:-1], _toned(group, cells[-1])]
        for group in found.groups
        for cells in [_cells(group)]
    ]
    columns: Sequence[html.Column | str] = list(_HEAD)
    return html.panel(html.head(title_of(found)), html.table(columns, body), *map(html.line, _notes(found)))


def render_json(found: Tested) -> dict[str, Plain]:
    """Return everything as values that JSON can hold."""
    return {
        "number": found.number,
        "by": found.by,
        "method": found.method,
        "goal": found.goal,
        "alpha": found.alpha,
        "groups": [
            {
                "value": plain(group.value),
                "values": [plain(value) for value in group.values],
                "left_out": group.left_out,
                "test": None if group.test is None else _test(group),
            }
            for group in found.groups
        ],
    }


def title_of(found: Tested) -> str:
    """Return what was tested, and how."""
    way = "" if found.goal is None else f", {found.goal}"
    return f"{show_hidden(found.number)} by {show_hidden(found.by)} ({found.method}{way}, alpha {found.alpha:g}, Holm)"


def _test(group: Group) -> dict[str, Plain]:
    test = group.test
    assert test is not None
    names = (
        "count",
        "baseline_count",
        "mean",
        "baseline_mean",
        "difference",
        "low",
        "high",
        "effect",
        "statistic",
        "p",
        "adjusted_p",
    )
    return {
        **{name: plain(getattr(test, name)) for name in names},
        "verdict": test.verdict,
        "needed": test.needed,
    }


def _cells(group: Group) -> tuple[str, ...]:
    test = group.test
    name = clip(show_hidden(value_text(group.value)), _MOST_NAME)
    count = f"{len(group.values):,}"
    if test is None:
        return (name, count, _known(mean(group.values)), "", "", "", "", "baseline")
    interval = "-" if math.isnan(test.low) else f"{test.low:.3g} .. {test.high:.3g}"
    p = "-" if math.isnan(test.adjusted_p) else f"{test.adjusted_p:.3g}"
    effect = "-" if math.isnan(test.effect) else f"{test.effect:.2f}"
    difference = "-" if math.isnan(test.difference) else f"{test.difference:.3g}"
    return (name, count, _known(test.mean), difference, interval, effect, p, str(test))


def _known(value: float) -> str:
    return "-" if math.isnan(value) else number(value)


def _notes(found: Tested) -> list[str]:
    left_out = sum(group.left_out for group in found.groups)
    few = [value_text(group.value) for group in found.groups if len(group.values) < 2]
    notes = [] if not left_out else [f"{left_out:,} left out: no finite number, or no partner of their own."]
    if few:
        notes.append(
            f"Nothing can be shown with fewer than 2 values: {', '.join(map(show_hidden, few[:5]))}."
        )
    return notes


def _toned(group: Group, verdict: str) -> html.Markup | str:
    told = group.test.verdict if group.test else ""
    tone: html.Tone | None = "good" if told == "better" else "bad" if told == "worse" else None
    return verdict if tone is None else html.toned(verdict, tone)
