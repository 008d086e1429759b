"""`otel-experiments sql STATEMENT`: read-only SQL over the documented schema."""

from __future__ import annotations

import csv
import sys

import click
from rich.text import Text

from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import TerminalText, make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.query import Table
from otel_experiments.query.json_values import json_line, plain

MAX_ROWS = 1000
"""Rows of a table in the terminal; `--json` and `--csv` have no limit."""
MAX_CELL = 60
"""Characters of a cell in the terminal."""


@click.command("sql")
@store_option
@click.argument("statement")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, statement: str, as_csv: bool, as_json: bool) -> None:
    """Ask the store in SQL; "-" reads the statement from stdin.

    The schema is documented: docs/reference/schema.md. Nothing can be changed this way.
    """
    text = sys.stdin.read() if statement == "-" else statement
    answer = open_session(ctx).sql(text)
    if as_json:
        rows = [[plain(cell) for cell in row] for row in answer]
        click.echo(json_line({"columns": list(answer.columns), "rows": rows}))
    elif as_csv:
        writer = csv.writer(TerminalText(sys.stdout), lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([plain(cell) for cell in row] for row in answer)
    else:
        _print_table(answer)


def _print_table(answer: Table) -> None:
    console = make_console()
    rows = [[_cell(cell) for cell in row] for row in answer.rows[:MAX_ROWS]]
    numeric = [all(not isinstance(row[i], str) for row in answer.rows) for i in range(len(answer.columns))]
    layout = [
        Column(fmt.clean(name), is_right=is_right, max_width=MAX_CELL)
        for name, is_right in zip(answer.columns, numeric, strict=True)
    ]
    print_table(console, layout, rows)
    hidden = len(answer) - MAX_ROWS
    if hidden > 0:
        click.echo(f"{hidden} more rows: --csv or --json", err=True)
    else:
        console.print(Text(f"{len(answer)} rows" if len(answer) != 1 else "1 row", style="dim"))


def _cell(cell: str | float | bytes | None) -> str:
    if cell is None:
        return "NULL"
    if isinstance(cell, bytes):
        return f"{fmt.size(len(cell))} of bytes"
    # As stored: whoever writes SQL wants the digits.
    return fmt.clean(str(cell))
