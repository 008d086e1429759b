"""`otel-experiments diff A B`: why two runs differ."""

from __future__ import annotations

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import store_option, typed_store
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import is_unicode, make_console
from otel_experiments.differences.run_diff import RunDiff, diff_runs
from otel_experiments.query.json_values import json_line

_ASCII = str.maketrans({"→": ">", "±": "~"})


@click.command("diff")
@store_option
@click.argument("a")
@click.argument("b")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    show_default=True,
    help="How it is printed; html is a page of its own.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option(
    "--all", "is_all", is_flag=True, help="Every difference, patches line by line, times of every path."
)
@click.option("--exit-code", "sets_code", is_flag=True, help="Exit with 1 where the runs differ.")
@click.pass_context
def command(ctx: click.Context, *, a: str, b: str, form: str, is_all: bool, sets_code: bool) -> None:
    """Say why run B is different from run A: likely causes first, then what came of them.

    Compared are code, params, data, packages, environment, machine, state, metrics, span trees, times and artifacts.
    """
    reader = open_session(ctx)
    found = diff_runs(reader.run(a), reader.run(b))
    match form:
        case "json":
            click.echo(json_line(found.json()))
        case "markdown":
            click.echo(found.markdown(is_all=is_all))
        case "html":
            click.echo(found.html(), nl=False)
        case _:
            _print_text(found, is_all=is_all)
    if sets_code and not found.is_same:
        ctx.exit(ExitCode.UNEXPECTED)


def _print_text(found: RunDiff, *, is_all: bool) -> None:
    console = make_console()
    text = found.text(is_all=is_all, width=console.width)
    more = "(--all, or text(is_all=True))"
    text = text.replace(
        more, f"(otel-experiments diff {found.a.short_id} {found.b.short_id} --all{typed_store()})"
    )
    if not is_unicode(console):
        text = text.translate(_ASCII)
    for line in text.split("\n"):
        click.echo(fmt.clean(line))
