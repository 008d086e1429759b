"""`otel-experiments group`: put stored runs into a group."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options
from otel_experiments.cli.terminal import format as fmt


@click.command("group")
@edit_options
@click.argument("words", metavar="[RUN]... GROUP", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, /, *, words: tuple[str, ...], **choice: Any) -> None:
    """Put runs into GROUP; an empty one ('') takes them out of theirs."""
    *runs, group = words
    done = f"In group {fmt.clean(group)!r} now:" if group else "In no group now:"
    apply_edit(
        ctx,
        runs,
        action=("group", done),
        change=lambda found: found.set_group(group),
        more={"group": group},
        **choice,
    )
