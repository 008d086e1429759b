"""`otel-experiments compare A B C... | --where EXPRESSION`: several runs side by side."""

from __future__ import annotations

import sys

import click

from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import TerminalText, make_console
from otel_experiments.differences.compared import compare_runs
from otel_experiments.query import Reader, RunView
from otel_experiments.query.json_values import json_line

MOST_RUNS = 100
"""As many as are read where a search finds more."""


@click.command("compare")
@store_option
@click.argument("runs", nargs=-1)
@click.option("--where", metavar="EXPRESSION", help="The runs that a search finds, e.g. 'params.lr > 0.1'.")
@click.option("--baseline", metavar="RUN", help="What changes are measured by; by default the first run.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown", "csv"]),
    default="table",
    show_default=True,
    help="How it is printed.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.pass_context
def command(
    ctx: click.Context, *, runs: tuple[str, ...], where: str | None, baseline: str | None, form: str
) -> None:
    """Show what RUNS differ in, side by side: params, metrics, code, state.

    Each metric says how far it is from the baseline's, and whether that is better where a direction was declared.
    """
    if bool(runs) == (where is not None):
        raise click.UsageError("Name two runs or more, or give --where EXPRESSION.")
    reader = open_session(ctx)
    chosen = _chosen(reader, runs, where, baseline)
    if len(chosen) < 2:
        found = "no run" if not chosen else f"only {fmt.clean(chosen[0].name) or chosen[0].short_id}"
        raise click.UsageError(f"There are two runs or more to compare, and here is {found}.")
    table = compare_runs(chosen)
    match form:
        case "json":
            click.echo(json_line(table.json()))
        case "markdown":
            click.echo(table.markdown())
        case "csv":
            TerminalText(sys.stdout).write(table.csv())
        case _:
            for line in table.text(width=make_console().width).split("\n"):
                click.echo(fmt.clean(line))


def _chosen(reader: Reader, names: tuple[str, ...], where: str | None, baseline: str | None) -> list[RunView]:
    """Return the runs, the baseline first, each once."""
    if where is None:
        found = [reader.run(name) for name in names]
    else:
        found = list(reader.runs(where, limit=MOST_RUNS))
        total = reader.count_runs(where)
        if total > len(found):
            click.echo(f"{total:,} runs match; the newest {len(found)} are compared.", err=True)
    first = [] if baseline is None else [reader.run(baseline)]
    return list({run.id: run for run in (*first, *found)}.values())
