"""One artifact, and where it came from and went."""

from __future__ import annotations

from dataclasses import asdict

import click

from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.errors import ArtifactError
from otel_experiments.query.artifact_source import LinkedRun
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_artifact

_FILES: int = 20


@click.command("show")
@store_option
@click.argument("ref")
@click.option("--all", "shows_all", is_flag=True, help=f"All files of a folder, not the first {_FILES}.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, ref: str, shows_all: bool, as_json: bool) -> None:
    """Show the artifact REF: digest, size, metadata, files, and the runs that made and used it."""
    view = open_session(ctx).artifact(ref)
    missing = _fault(view)
    if as_json:
        files = [] if missing or not view.is_folder else [asdict(entry) for entry in view.files]
        shown = plain_artifact(view) | {
            "files": files,
            "made_by": [run.id for run in view.made_by],
            "used_by": [run.id for run in view.used_by],
            "problem": missing or None,
        }
        click.echo(json_line(shown))
        return
    console = make_console()
    rows = [
        ["artifact", view.ref],
        ["aliases", ", ".join(view.aliases)],
        ["type", view.type],
        ["digest", view.digest],
        ["size", _size(view)],
        ["media type", view.media_type],
        ["step", "" if view.step is None else fmt.value(view.step)],
        *([f"metadata.{key}", fmt.value(value)] for key, value in view.metadata.items()),
        ["made by", _names(view.made_by)],
        ["used by", _names(view.used_by)],
    ]
    columns = [Column(style="dim"), Column()]  # a digest that is cut cannot be copied
    print_table(
        console,
        columns,
        [[fmt.clean(key), fmt.clean(value)] for key, value in rows if value],
        has_header=False,
    )
    if missing:
        click.echo(f"\n{fmt.clean_lines(missing)}", err=True)
    elif view.is_folder:
        _print_files(view, shows_all=shows_all)


@click.command("lineage")
@store_option
@click.argument("ref", metavar="REF|RUN")
@json_option
@click.pass_context
def lineage(ctx: click.Context, *, ref: str, as_json: bool) -> None:
    """Draw which artifacts and runs REF, or a run, came from, and which came of it."""
    found = open_session(ctx).lineage(ref)
    if as_json:
        shown = {
            "root": asdict(found.root),
            "nodes": [asdict(node) for node in found.nodes.values()],
            "links": [asdict(link) for link in found.links],
            "left_out": found.left_out_count,
        }
        click.echo(json_line(shown))
        return
    for line in found.lines():
        click.echo(fmt.clean(line))


def _size(view: ArtifactView) -> str:
    if not view.file_count:
        return ""
    size = fmt.size(view.size_bytes)
    if view.size_bytes >= 1000:  # below it says the same
        size = f"{size} ({view.size_bytes:,} bytes)"
    return f"{size} in {view.file_count:,} files" if view.is_folder else size


def _names(runs: list[LinkedRun]) -> str:
    return ", ".join(f"{run.name} ({run.id[:8]})" for run in runs)


def _fault(view: ArtifactView) -> str:
    """Return what is wrong with the bytes as far as can be seen without reading them; empty for nothing."""
    try:
        if view.is_folder:
            _ = view.files
        elif view.file_count:
            view.open().close()
    except ArtifactError as error:
        return str(error)
    return ""


def _print_files(view: ArtifactView, *, shows_all: bool) -> None:
    files = view.files
    shown = files if shows_all else files[:_FILES]
    console = make_console()
    console.print()
    columns = [Column("file", is_elastic=True), Column("size", is_right=True), Column("digest", style="dim")]
    print_table(
        console,
        columns,
        [[fmt.clean(entry.path), fmt.size(entry.size_bytes), entry.digest[:15]] for entry in shown],
    )
    if len(files) > len(shown):
        console.print(f"{len(files) - len(shown):,} more files: --all shows them.")
