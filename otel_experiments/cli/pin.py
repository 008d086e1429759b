"""`otel-experiments pin`: keep stored runs from every retention."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options


@click.command("pin")
@edit_options
@click.option("--remove", "-d", is_flag=True, help="Take the pin off instead.")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, /, *, runs: tuple[str, ...], remove: bool, **choice: Any) -> None:
    """Keep runs from every retention: `gc` leaves them, however old and large they are."""
    action = ("unpin", "Unpinned") if remove else ("pin", "Pinned")
    apply_edit(
        ctx, runs, action=action, change=lambda found: found.unpin() if remove else found.pin(), **choice
    )
