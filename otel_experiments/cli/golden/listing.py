"""`golden show`, `ls`, `upgrade` and `prune`: the goldens that there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from otel_experiments.cli.golden.capture import refuse_in_ci
from otel_experiments.cli.golden.options import folder_option, force_option, select_option
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.errors import GoldenError, GoldenInvalidError
from otel_experiments.golden.file import write_golden
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.files import load_golden, save_golden
from otel_experiments.goldens.sources import default_folder, golden_path, read_golden_side
from otel_experiments.query.json_values import json_line


@click.command("show")
@store_option
@click.argument("name")
@select_option
@folder_option
@click.pass_context
def show(ctx: click.Context, *, name: str, select: str | None, folder: Path | None) -> None:
    """Print the golden NAME, or the golden that a run, a store or a file of telemetry would make."""
    golden = read_golden_side(name, store=store_location(ctx), folder=folder, select=select)
    path = golden_path(name, folder)
    click.echo(path.read_text(encoding="utf-8") if path.exists() else write_golden(golden), nl=False)


@click.command("ls")
@folder_option
@json_option
def ls(*, folder: Path | None, as_json: bool) -> None:
    """List the goldens of a folder, and what waits for review."""
    where = folder or default_folder()
    goldens = golden_paths.find_goldens([where]) if where.is_dir() else []
    waiting = golden_paths.find_pending([where]) if where.is_dir() else []
    rows = [_row(path) for path in dict.fromkeys([*goldens, *map(golden_paths.golden_of_pending, waiting)])]
    if as_json:
        click.echo(json_line({"folder": str(where), "goldens": rows}))
        return
    if not rows:
        click.echo(
            f"No goldens in {clean(str(where))}/.\n\n  Make one: otel-experiments golden capture NAME -- python train.py"
        )
        return
    columns = [
        Column("golden", is_elastic=True, max_width=60),
        Column("policy"),
        Column("runs", is_right=True),
        Column("spans", is_right=True),
        Column("state", is_elastic=True),
    ]
    cells: list[list[str]] = [
        [
            str(row["path"]),
            str(row["policy"] or ""),
            str(row["runs"] or ""),
            str(row["spans"] or ""),
            str(row["state"]),
        ]
        for row in rows
    ]
    print_table(make_console(), columns, [list(row) for row in cells])


def _row(path: Path) -> dict[str, str | int | bool | None]:
    row: dict[str, str | int | bool | None] = {
        "path": str(path), "policy": None, "runs": None, "spans": None, "has_times": golden_paths.stats_path(path).exists(),
    }  # fmt: skip
    is_pending = golden_paths.pending_path(path).exists()
    if not path.exists():
        return row | {"state": "pending"}
    try:
        golden = load_golden(path)
    except GoldenInvalidError as error:
        return row | {"state": f"invalid: {error.found}"}
    spans = sum(variant.form.span_count for variant in golden.variants)
    state = "change pending" if is_pending else "accepted"
    return row | {"policy": golden.policy, "runs": golden.runs, "spans": spans, "state": state}


@click.command("upgrade")
@click.argument("names", nargs=-1)
@folder_option
@force_option
def upgrade(*, names: tuple[str, ...], folder: Path | None, force: bool) -> None:
    """Rewrite goldens of an older format, all or NAMES; what they accept stays the same.

    A golden that was edited by hand is sealed again when it is named.
    """
    refuse_in_ci(force=force)
    paths = [golden_path(name, folder) for name in names] or golden_paths.find_goldens(
        [folder or default_folder()]
    )
    count = 0
    for path in paths:
        text = write_golden(load_golden(path, is_sealed=not names))
        if text != path.read_text(encoding="utf-8"):
            golden_paths.write_text(path, text)
            click.echo(f"{clean(str(path))}: rewritten")
            count += 1
    click.echo(f"{count} of {len(paths)} goldens rewritten.")


@click.command("prune")
@folder_option
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@force_option
def prune(*, folder: Path | None, dry_run: bool, force: bool) -> None:
    """Delete times and pending files without their golden, and ignore rules past their last day.

    Goldens that no test asks for are found by the tests: pytest --golden-unused=delete.
    """
    if not dry_run:
        refuse_in_ci(force=force)
    where = folder or default_folder()
    count = 0
    for path in _leftovers(where) if where.is_dir() else []:
        click.echo(f"{clean(str(path))}: {'would be deleted' if dry_run else 'deleted'}")
        count += 1
        if not dry_run:
            path.unlink()
    for path in golden_paths.find_goldens([where]) if where.is_dir() else []:
        count += _drop_ended_rules(path, dry_run=dry_run)
    click.echo(f"{count} leftover{'' if count == 1 else 's'}{' found' if dry_run else ' removed'}.")


def _leftovers(folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.rglob(f"*{golden_paths.STATS_SUFFIX}*")):
        golden = path.with_name(path.name.partition(golden_paths.STATS_SUFFIX)[0] + golden_paths.SUFFIX)
        owner = golden_paths.pending_path(golden) if path.name.endswith(golden_paths.PENDING) else golden
        if not owner.exists():
            found.append(path)
    return found


def _drop_ended_rules(path: Path, *, dry_run: bool) -> int:
    try:
        golden = load_golden(path)
    except GoldenError:
        return 0
    today = datetime.now(UTC).date()
    ended = [rule for rule in golden.ignore if rule.until is not None and rule.until < today]
    for rule in ended:
        click.echo(f"{clean(str(path))}: {rule}: {'would be removed' if dry_run else 'removed'}")
    if ended and not dry_run:
        save_golden(path, replace(golden, ignore=[rule for rule in golden.ignore if rule not in ended]))
    return len(ended)
