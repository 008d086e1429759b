"""`otel-experiments rename`: give a stored run another name."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options
from otel_experiments.cli.terminal import format as fmt


@click.command("rename")
@edit_options
@click.argument("words", metavar="[RUN] NAME", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, /, *, words: tuple[str, ...], **choice: Any) -> None:
    """Give RUN another NAME; with --where, all runs that match get it.

    A run that is recorded keeps its new name.
    """
    *runs, name = words
    apply_edit(
        ctx,
        runs,
        action=("rename", f"Called {fmt.clean(name)!r} now:"),
        change=lambda found: found.rename(name),
        more={"name": name},
        **choice,
    )
