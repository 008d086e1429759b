"""`otel-experiments traces`: the traces that are stored, with what their spans come to."""

from __future__ import annotations

import time

import click
from rich.text import Text

from otel_experiments.cli.root import cursor_option, json_option, page_options, say_next_page, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_trace

DEFAULT_LIMIT = 50


@click.command("traces")
@store_option
@click.option("--where", metavar="EXPRESSION", help="Only traces for which it is true, such as: errors > 0")
@click.option("--order", metavar="FIELDS", help="Sort keys, such as -duration; by default the newest first.")
@page_options(DEFAULT_LIMIT)
@cursor_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    where: str | None,
    order: str | None,
    limit: int,
    offset: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List the traces of runs and of other programs, the newest first."""
    found = open_session(ctx).traces(where, order=order, limit=limit, offset=offset, after=cursor)
    say_next_page(found.cursor)
    if as_json:
        click.echo(json_line([plain_trace(trace) for trace in found]))
        return
    if not found:
        click.echo("No such traces.")
        return
    now_s = time.time()
    rows: list[list[str | Text]] = [
        [
            trace.trace_id[:12],
            fmt.age(now_s - trace.start_ns / 1e9),
            "-" if trace.duration_s is None else fmt.duration(trace.duration_s),
            str(trace.span_count),
            Text(str(trace.error_count), style="red") if trace.error_count else "0",
            fmt.clean(trace.name),
            "-" if trace.run_id is None else fmt.clean(trace.run_id[:8]),
        ]
        for trace in found
    ]
    layout = [
        Column("trace"),
        Column("started"),
        Column("time", is_right=True),
        Column("spans", is_right=True),
        Column("errors", is_right=True),
        Column("root", is_elastic=True),
        Column("run"),
    ]
    print_table(make_console(), layout, rows)
