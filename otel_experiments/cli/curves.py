"""`otel-experiments metrics RUN... --name NAME`: one metric of several runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import is_unicode, make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.differences.many_curves import CurveGroup, figure_of_groups, group_curves
from otel_experiments.figures.text.paint import paint_text
from otel_experiments.model.search import SearchField
from otel_experiments.query import RunView
from otel_experiments.query.json_values import json_line, plain_number, plain_step

_HEIGHT = 14
_LETTERS = "abcdefghij"


def show_curves(
    runs: Sequence[RunView],
    name: str,
    *,
    phase: str | None,
    by: SearchField | None,
    is_log: bool,
    as_json: bool,
) -> None:
    """Print the chart of one metric of several runs, and a line for each curve: its runs, last value and range.

    Args:
        runs: the runs.
        name: the metric.
        phase: its phase; without it the first that a run has.
        by: what the runs of one curve have in common; without it each run is a curve.
        is_log: whether the values are on a logarithmic axis.
        as_json: whether to print JSON.
    """
    console = make_console()
    width = min(console.width, 120)
    groups = group_curves(runs, name, phase=phase, by=by, buckets=max(20, width * 2))
    if as_json:
        click.echo(json_line({"name": name, "phase": phase, "curves": [_plain(one) for one in groups]}))
        return
    lacking = len(runs) - sum(len(one.runs) for one in groups)
    if not groups:
        click.echo(f"None of {len(runs):,} runs has the metric {fmt.clean(name)}.")
        return
    console.print(Text(fmt.clean(name), style="bold"))
    spec = figure_of_groups(groups, name, is_log=is_log)
    for line in paint_text(spec, width=width, height=_HEIGHT, is_unicode=is_unicode(console)):
        console.print(Text(fmt.clean(line)), no_wrap=True, crop=False)
    if by is not None or len(groups) > 1:
        _print_groups(groups)
    if lacking:
        console.print(Text(f"{lacking:,} of {len(runs):,} runs have no such metric", style="dim"))


def _print_groups(groups: Sequence[CurveGroup]) -> None:
    rows: list[list[str | Text]] = []
    for at, one in enumerate(groups):
        merged = one.merged
        last = fmt.number(merged.mean[-1]) if merged.mean else "-"
        span = f"{fmt.number(merged.low[-1])} to {fmt.number(merged.high[-1])}" if merged.mean else "-"
        letter = _LETTERS[at] if at < len(_LETTERS) else ""
        rows.append([letter, fmt.clean(one.label), fmt.number(len(one.runs)), last, span])
    layout = [
        Column(""),
        Column("curve", is_elastic=True, max_width=40),
        Column("runs", is_right=True),
        Column("last mean", is_right=True),
        Column("last range", is_right=True),
    ]
    print_table(make_console(), layout, rows)


def _plain(group: CurveGroup) -> dict[str, object]:
    merged = group.merged
    return {
        "label": group.label,
        "run_ids": [run.id for run in group.runs],
        "steps": [plain_step(one) for one in merged.x],
        "mean": [plain_number(one) for one in merged.mean],
        "low": [plain_number(one) for one in merged.low],
        "high": [plain_number(one) for one in merged.high],
    }
