"""`otel-experiments note`: show, write or edit the note of a stored run."""

from __future__ import annotations

import sys
from typing import Any

import click

from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.query.json_values import json_line


@click.command("note")
@store_option
@click.option("--edit", "is_edit", is_flag=True, help="Write it in the editor that EDITOR names.")
@click.option("--append", "-a", is_flag=True, help="Add TEXT below what is noted.")
@json_option
@click.argument("run")
@click.argument("text", required=False)
@click.pass_context
def command(
    ctx: click.Context, *, run: str, text: str | None, is_edit: bool, append: bool, as_json: bool
) -> None:
    """Write the note of RUN, in Markdown; without TEXT, show it. TEXT `-` reads it from stdin, '' removes it."""
    reader = open_session(ctx)
    if is_edit and (text is not None or append):
        raise click.UsageError("--edit opens the note that is there: give neither TEXT nor --append.")
    if append and text is None:
        raise click.UsageError("--append needs a TEXT.")
    view = reader.run(run) if text is None and not is_edit else reader.only_run(run)
    if is_edit:
        edited = click.edit(view.note, extension=".md")
        if edited is None or edited == view.note:
            click.echo("The note is as it was.", err=True)
            return
        text = edited
    if text == "-":
        text = sys.stdin.read()
    if text is not None:
        view.set_note(f"{view.note.rstrip()}\n\n{text}" if append and view.note else text)
    shown: dict[str, Any] = {"run_id": view.id, "name": view.name, "note": view.note}
    if as_json:
        click.echo(json_line(shown))
    elif text is not None:
        size = len(view.note)
        what = f"has a note of {size:,} character{'s' * (size != 1)}" if size else "has no note"
        click.echo(f"Run {fmt.clean(view.name)} ({view.short_id}) {what}.")
    else:
        lines = [fmt.clean(line) for line in view.note.splitlines()]
        click.echo("\n".join(lines) if lines else "There is no note.")
