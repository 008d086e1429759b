"""`otel-experiments mcp`: tools for agents, over the Model Context Protocol."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import store_location
from otel_experiments.errors import MissingPackageError

DEFAULT_LIMIT_S = 30.0


@click.command("mcp")
@store_option
@click.option("--allow-edits", is_flag=True, help="Also offer tools that tag, note and rename stored runs.")
@click.option(
    "--goldens",
    "goldens",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where goldens lie. Default: tests/golden in a project with tests, else golden.",
)
@click.option(
    "--limit-s",
    type=click.FloatRange(min=0.1, max=3600),
    default=DEFAULT_LIMIT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long one call of a tool may take.",
)
@click.pass_context
def command(ctx: click.Context, *, allow_edits: bool, goldens: Path | None, limit_s: float) -> None:
    """Let agents search, read and compare recorded runs: a server of the Model Context Protocol on stdin and stdout.

    Whatever starts it, such as a coding agent, ends it by closing stdin; so do Ctrl-C and SIGTERM. Nothing can be
    changed through it without --allow-edits, and nothing removed at all.
    """
    location = store_location(ctx)
    try:
        from otel_experiments.agents.server import serve  # noqa: PLC0415 - it takes the extra
        from otel_experiments.agents.workers import Workers  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise MissingPackageError(package="mcp", purpose="A server for agents", extra="mcp") from error
    if sys.stdin is not None and sys.stdin.isatty():  # None where the program was started without it
        click.echo(
            "Waiting for a client to speak on stdin: an agent starts this command. Stop with Ctrl-C.",
            err=True,
        )
    serve(Workers(location, goldens=goldens, limit_s=limit_s), allows_edits=allow_edits)
