"""`otel-experiments gc`: remove the bytes of artifacts that nothing refers to."""

from __future__ import annotations

import sys

import click

from otel_experiments._sweep import sweep_artifacts
from otel_experiments.artifacts.protocol import Swept
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import size
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query.json_values import json_line
from otel_experiments.record.base.settings import Settings


@click.command("gc")
@store_option
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--also",
    "others",
    metavar="STORE",
    multiple=True,
    help="Another store that has its artifacts in the same place; may be repeated.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, dry_run: bool, yes: bool, others: tuple[str, ...], as_json: bool) -> None:
    """Remove bytes of artifacts that no run logged or used, and what killed processes left half written.

    Runs may be recorded meanwhile. Nothing is removed where something of the store cannot be read.
    """
    location, address = store_location(ctx), Settings.resolve().artifacts
    stores = [StoreLocation.parse(other).require_store() for other in others]
    if not (dry_run or yes):
        would = sweep_artifacts(location, address=address, others=stores, dry_run=True)
        if not would.blob_count and not would.partial_count:
            _print(would, as_json=as_json)
            return
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"gc would remove {_counted(would)}. Add --yes to remove it, or --dry-run."
            )
        shared = (
            f"Stores that use {address!r} and are not named with --also lose theirs, too.\n"
            if address
            else ""
        )
        if not click.confirm(f"{shared}Remove {_counted(would)}?", err=True):
            click.echo("Nothing was removed.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
    _print(sweep_artifacts(location, address=address, others=stores, dry_run=dry_run), as_json=as_json)


def _counted(swept: Swept) -> str:
    blobs = f"{swept.blob_count:,} file{'s' * (swept.blob_count != 1)} ({size(swept.blob_bytes)})"
    if not swept.partial_count:
        return f"{blobs} that nothing refers to"
    rests = f"{swept.partial_count:,} half written ({size(swept.partial_bytes)})"
    return f"{blobs} that nothing refers to, and {rests}"


def _absent(count: int) -> str:
    folders = "1 folder in use has" if count == 1 else f"{count:,} folders in use have"
    return f"{folders} no list of files here: the bytes are in another place, or never came."


def _print(swept: Swept, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "dry_run": swept.is_dry_run,
            "removed": {"count": swept.blob_count, "bytes": swept.blob_bytes},
            "partial": {"count": swept.partial_count, "bytes": swept.partial_bytes},
            "kept": {"count": swept.kept_count, "bytes": swept.kept_bytes},
            "absent_folders": swept.absent_folder_count,
        }
        click.echo(json_line(shown))
        return
    kept = f"{swept.kept_count:,} file{'s' * (swept.kept_count != 1)} ({size(swept.kept_bytes)})"
    if swept.absent_folder_count:
        click.echo(_absent(swept.absent_folder_count), err=True)
    if not swept.blob_count and not swept.partial_count:
        click.echo(f"There is nothing to remove. In use: {kept}.")
        return
    click.echo(f"{'Would remove' if swept.is_dry_run else 'Removed'} {_counted(swept)}. In use: {kept}.")
