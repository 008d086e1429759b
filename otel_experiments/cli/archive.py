"""`otel-experiments archive`: hide stored runs from lists."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options


@click.command("archive")
@edit_options
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, /, *, runs: tuple[str, ...], **choice: Any) -> None:
    """Hide runs from lists. `runs --archived` lists them, `restore` brings them back; nothing of them is removed."""
    apply_edit(ctx, runs, action=("archive", "Archived"), change=lambda found: found.archive(), **choice)
