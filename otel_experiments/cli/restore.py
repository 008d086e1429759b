"""`otel-experiments restore`: bring back stored runs that were archived or removed."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options
from otel_experiments.query.edited import removed_with


@click.command("restore")
@edit_options
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, /, *, runs: tuple[str, ...], **choice: Any) -> None:
    """Bring back runs that were archived or removed; a purged run is gone.

    Child runs that were removed together with their parent come back with it.
    --where searches archived and removed runs alike: 'exists(removed)' finds what was removed.
    """
    apply_edit(
        ctx,
        runs,
        action=("restore", "Restored"),
        change=lambda found: found.restore(),
        visibility="hidden",
        also=removed_with,
        **choice,
    )
