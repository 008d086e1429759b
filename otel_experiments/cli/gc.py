"""`otel-experiments gc`: purge runs, and remove the bytes of artifacts that nothing refers to."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

import click

from otel_experiments._retention import Retention
from otel_experiments._sweep import sweep_artifacts
from otel_experiments.artifacts.protocol import Swept
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.retention import RunsPurged, purge_runs, retention_options
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import size
from otel_experiments.edit.runs import REMOVED_DAYS
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query.json_values import json_line
from otel_experiments.record.base.settings import Settings

_SHOWN: Final = 3


@click.command("gc")
@store_option
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--also",
    "others",
    metavar="STORE",
    multiple=True,
    help="A store that is read as well, beside those that are noted in the place; may be repeated.",
)
@click.option(
    "--forget",
    "forgotten",
    metavar="STORE",
    multiple=True,
    help="Keep nothing for a store that is noted in the place, such as one that was deleted; may be repeated.",
)
@retention_options
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    dry_run: bool,
    yes: bool,
    others: tuple[str, ...],
    forgotten: tuple[str, ...],
    removed_for: float | None,
    runs_older_than: float | None,
    keep_last: int | None,
    max_size: float | None,
    where: str | None,
    as_json: bool,
) -> None:
    """Purge runs that were removed 30 days ago, and bytes of artifacts that no run logged or used.

    --removed-for says how long ago. --runs-older-than, --keep-last and --max-size purge other runs as well. The bytes of artifacts go that no run
    refers to after that, and files that killed processes left half written.

    Runs are purged whole: never pinned or recorded ones, never a parent without its child runs. Runs may be recorded meanwhile. Stores
    that keep bytes in the same place are noted there and read as well. No bytes are removed where something of a store cannot be
    read, or where one is gone.
    """
    location = store_location(ctx)
    retention = Retention(
        removed_days=REMOVED_DAYS if removed_for is None else removed_for / 86_400,
        older_than_s=runs_older_than,
        keep_last=keep_last,
        max_bytes=None if max_size is None else int(max_size),
        where=where,
    )
    if where is not None and not retention.is_by_choice:
        raise click.UsageError(
            "--where needs --runs-older-than, --keep-last or --max-size: it says of which runs."
        )
    purged = purge_runs(ctx, location, retention, dry_run=dry_run, yes=yes)
    if not as_json and (purged.plan.runs or retention.is_by_choice):
        click.echo(purged.text)
    sweep = partial(
        sweep_artifacts,
        location,
        address=Settings.resolve().artifacts,
        others=[StoreLocation.parse(other).require_store() for other in others],
        forgotten=forgotten,
    )
    if not (dry_run or yes):
        would = sweep(dry_run=True)
        if not would.blob_count and not would.partial_count:
            _print(would, purged, as_json=as_json)
            return
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"gc would remove {_counted(would)}. Add --yes to remove it, or --dry-run."
            )
        if not click.confirm(f"{_beside(would)}Remove {_counted(would)}?", err=True):
            click.echo("Nothing was removed.", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
    _print(sweep(dry_run=dry_run), purged, as_json=as_json)


def _counted(swept: Swept) -> str:
    blobs = f"{swept.blob_count:,} file{'s' * (swept.blob_count != 1)} ({size(swept.blob_bytes)})"
    if not swept.partial_count:
        return f"{blobs} that nothing refers to"
    rests = f"{swept.partial_count:,} half written ({size(swept.partial_bytes)})"
    return f"{blobs} that nothing refers to, and {rests}"


def _beside(swept: Swept) -> str:
    """Return a line that names the other stores of the place; nothing where there is none."""
    stores = swept.other_stores
    if not stores:
        return ""
    shown = ", ".join(map(repr, stores[:_SHOWN])) + (", ..." if len(stores) > _SHOWN else "")
    return f"What {shown} {'refers' if len(stores) == 1 else 'refer'} to stays as well.\n"


def _absent(count: int) -> str:
    folders = "1 folder in use has" if count == 1 else f"{count:,} folders in use have"
    return f"{folders} no list of files here: the bytes are in another place, or never came."


def _print(swept: Swept, purged: RunsPurged, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "dry_run": swept.is_dry_run,
            "removed": {"count": swept.blob_count, "bytes": swept.blob_bytes},
            "partial": {"count": swept.partial_count, "bytes": swept.partial_bytes},
            "kept": {"count": swept.kept_count, "bytes": swept.kept_bytes},
            "absent_folders": swept.absent_folder_count,
            "other_stores": list(swept.other_stores),
            "runs": purged.plain,
        }
        click.echo(json_line(shown))
        return
    kept = f"{swept.kept_count:,} file{'s' * (swept.kept_count != 1)} ({size(swept.kept_bytes)})"
    if swept.absent_folder_count:
        click.echo(_absent(swept.absent_folder_count), err=True)
    click.echo(_beside(swept), nl=False, err=True)
    if not swept.blob_count and not swept.partial_count:
        click.echo(f"There is nothing to remove. In use: {kept}.")
        return
    click.echo(f"{'Would remove' if swept.is_dry_run else 'Removed'} {_counted(swept)}. In use: {kept}.")
