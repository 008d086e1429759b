"""`otel-experiments tag`: set and remove tags of stored runs."""

from __future__ import annotations

from typing import Any

import click

from otel_experiments.cli.run_edits import apply_edit, edit_options
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.errors import RunNotFoundError


@click.command("tag")
@edit_options
@click.option("--remove", "-d", is_flag=True, help="Remove the tags instead.")
@click.option(
    "--tag", "-t", "more_tags", metavar="KEY[=VALUE]", multiple=True, help="Another tag; may be repeated."
)
@click.argument("words", metavar="[RUN]... KEY[=VALUE]", nargs=-1, required=True)
@click.pass_context
def command(
    ctx: click.Context, /, *, words: tuple[str, ...], more_tags: tuple[str, ...], remove: bool, **choice: Any
) -> None:
    """Give runs the tag KEY, or set it to VALUE; without RUN those of --where.

    A name of a run counts only where no other run has it. Runs that are recorded can be tagged.
    """
    *runs, last = words
    if not runs and choice["where"] is None and choice["experiment"] is None:
        raise click.UsageError(
            f"{fmt.clean(last)!r} is taken for the tag, and no run is named: otel-experiments tag RUN KEY[=VALUE], or --where EXPRESSION."
        )
    tags = dict(_pair(text) for text in (last, *more_tags))
    if remove:
        tags = dict.fromkeys(tags)
    shown = ", ".join(fmt.clean(f"{key}={value}" if value else key) for key, value in tags.items())
    action = ("untag", f"Removed {shown} from") if remove else ("tag", f"Set {shown} on")
    try:
        apply_edit(
            ctx, runs, action=action, change=lambda found: found.set_tags(tags), more={"tags": tags}, **choice
        )
    except RunNotFoundError as error:
        if len(runs) > 1 and error.wanted in runs[1:]:
            click.echo(
                f"Only the last word is a tag, and {fmt.clean(error.wanted)!r} is taken for a run. Several tags: -t "
                f"{fmt.clean(error.wanted)}",
                err=True,
            )
        raise


def _pair(text: str) -> tuple[str, str | None]:
    key, _, value = text.partition("=")
    return key, value
