"""Bytes of an artifact into a file or folder of the user's."""

from __future__ import annotations

from pathlib import Path

import click

from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal.format import clean, size
from otel_experiments.process.paths import is_there
from otel_experiments.query.artifact_view import ArtifactView, name_here
from otel_experiments.query.json_values import json_line


@click.command("get")
@store_option
@click.argument("ref")
@click.option(
    "-o", "--output", metavar="PATH", help="A file, or the folder to write to. Default: its own name here."
)
@click.option("--force", is_flag=True, help="Write over what is there.")
@json_option
@click.pass_context
def get(ctx: click.Context, *, ref: str, output: str | None, force: bool, as_json: bool) -> None:
    """Write the bytes of REF to PATH, checked, and there as a whole or not at all."""
    view = open_session(ctx).artifact(ref)
    target = _target(view, output)
    if not force and is_there(target):
        raise click.UsageError(
            f"{clean(str(target))} is there already. Name another path with -o, or add --force."
        )
    path = view.download(target, overwrite=force)
    if as_json:
        shown = {
            "path": str(path), "digest": view.digest, "size_bytes": view.size_bytes, "files": view.file_count,
        }  # fmt: skip
        click.echo(json_line(shown))
        return
    files = f", {view.file_count:,} files" if view.is_folder else ""
    click.echo(f"{clean(str(path))} ({size(view.size_bytes)}{files})")


def _target(view: ArtifactView, output: str | None) -> Path:
    """Return the file or folder that is to be made: a file goes into a folder that is there."""
    given = None if output is None else Path(output).expanduser()
    if given is None:
        return Path(name_here(view.record))
    return given / name_here(view.record) if given.is_dir() and not view.is_folder else given
