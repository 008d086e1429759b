"""`otel-experiments bundle`: runs into one file to share, and whether such a file is as it was made."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from otel_experiments._bundle import BundleReport, check_bundle_file, check_target, write_bundle
from otel_experiments._bundle_artifacts import Taken
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.progress import Progress
from otel_experiments.model.bundle import LeftOut, WhyLeftOut
from otel_experiments.query.anonymous import anonymous
from otel_experiments.query.json_values import Plain, json_line

_SHOWN = 5
_LOST = ("missing", "damaged")
_REASONS: Final[dict[WhyLeftOut, str]] = {
    "not asked for": "left out as asked",
    "too large": "larger than asked for",
    "missing": "they are missing in the store",
    "damaged": "they are damaged in the store",
    "outside": "used here, made by a run that is not in it",
}
_UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_WAYS = "Name runs, or choose them with --where or --experiment; --all takes all of the store."


def _bytes_of(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    unit = None if found is None else _UNITS.get(found[2].upper())
    if found is None or unit is None:
        raise click.BadParameter(f"{text!r} is no size. Write it as 500kB, 100MB or 2GB.")
    return int(float(found[1]) * unit)


@click.command("bundle")
@store_option
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--where", metavar="EXPRESSION", help="Only these runs.")
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option("--all", "is_all", is_flag=True, help="All runs of the store.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file, such as runs.oxb; one that is there is replaced.",
)
@click.option("--no-artifacts", is_flag=True, help="Leave out the bytes of artifacts and media.")
@click.option(
    "--max-artifact-size",
    metavar="SIZE",
    callback=_bytes_of,
    help="Leave out the bytes of artifacts that are larger, such as 100MB.",
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Other ids, and nothing that says who and where; without the bytes of artifacts.",
)
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say what a bundle holds, and whether it is as it was made.",
)
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    runs: tuple[str, ...],
    where: str | None,
    experiment: str | None,
    is_all: bool,
    output: Path | None,
    no_artifacts: bool,
    max_artifact_size: int | None,
    anonymize: bool,
    checked: Path | None,
    as_json: bool,
) -> None:
    """Write runs into one file: a bundle, which every reading command takes for --store, on any machine.

    It holds all that is stored of the runs, and the bytes of their artifacts. It is only read: `otel-experiments import` takes its runs into a store. A run
    that is still going on is taken as far as it is stored.
    """
    if checked is not None:
        if runs or where is not None or experiment is not None or is_all or output is not None:
            raise click.UsageError("--check looks at one file; leave out RUN and the other options.")
        _check(ctx, checked, as_json=as_json)
        return
    if output is None:
        raise click.UsageError("Name the file: -o runs.oxb")
    _refuse_mixture(runs, where, experiment, is_all=is_all)
    target = check_target(output)
    reader = open_session(ctx)
    found = [reader.run(one) for one in runs] if runs else reader.runs(where, experiment=experiment)
    if anonymize and found:
        reader, found = anonymous(reader, found)
    try:
        with Progress("runs") as bar:
            rule = Taken(not (no_artifacts or anonymize), max_artifact_size)
            report = write_bundle(reader, found, target, choice=where or "", taken=rule, on_progress=bar.show)
    except OSError as error:
        raise click.UsageError(f"Cannot write to {clean(str(output))!r}: {error.strerror}.") from error
    _print(report, as_json=as_json)
    if any(one.why in _LOST for one in report.left_out):
        ctx.exit(ExitCode.NOT_ALL)


def _refuse_mixture(
    runs: tuple[str, ...], where: str | None, experiment: str | None, *, is_all: bool
) -> None:
    has_filter = where is not None or experiment is not None
    if not runs and not has_filter and not is_all:
        raise click.UsageError(_WAYS)
    if bool(runs) + has_filter + is_all > 1:
        raise click.UsageError(
            "RUN, --all, and --where with --experiment are three ways to choose; take one."
        )


def _print(report: BundleReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "path": str(report.path),
            "size_bytes": report.size_bytes,
            "runs": list(report.run_ids),
            "live_runs": list(report.live_run_ids),
            "items": report.item_count,
            "blobs": report.blob_count,
            "left_out": _plain(report.left_out),
            "rows_digest": report.rows_digest,
        }
        click.echo(json_line(shown))
        return
    size = fmt.size(report.size_bytes)
    click.echo(
        f"Wrote {_runs(len(report.run_ids))} to {clean(str(report.path))}: {report.item_count:,} items, {size}."
    )
    if live := report.live_run_ids:
        ids = ", ".join(one[:8] for one in live[:_SHOWN]) + (", ..." if len(live) > _SHOWN else "")
        click.echo(f"{_runs(len(live))} still going on, taken as far as stored: {ids}.", err=True)

    _print_left_out(report.left_out)


def _print_left_out(left_out: tuple[LeftOut, ...]) -> None:
    if not left_out:
        return
    click.echo(f"Not in it are the bytes of {_artifacts(len(left_out))}:", err=True)
    for one in left_out[:_SHOWN]:
        click.echo(f"  {clean(one.name)}, {fmt.size(one.size_bytes)}: {_REASONS[one.why]}", err=True)
    if len(left_out) > _SHOWN:
        click.echo(f"  and {len(left_out) - _SHOWN} more", err=True)


def _plain(left_out: tuple[LeftOut, ...]) -> list[dict[str, Plain]]:
    return [
        {"digest": one.digest, "name": one.name, "size_bytes": one.size_bytes, "why": one.why}
        for one in left_out
    ]


def _check(ctx: click.Context, path: Path, *, as_json: bool) -> None:
    manifest, damages = check_bundle_file(path)
    if as_json:
        shown = {
            "format_version": manifest.format_version,
            "product_version": manifest.product_version,
            "schema_url": manifest.schema_url,
            "created_ns": manifest.created_ns,
            "runs": manifest.run_count,
            "live_runs": list(manifest.live_run_ids),
            "blobs": manifest.blob_count,
            "blob_size_bytes": manifest.blob_size_bytes,
            "left_out": _plain(manifest.left_out),
            "rows_digest": manifest.rows_digest,
            "damages": damages,
        }
        click.echo(json_line(shown))
    else:
        made = datetime.fromtimestamp(manifest.created_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
        click.echo(
            f"{clean(str(path))}: {_runs(manifest.run_count)}, made {made} by release {manifest.product_version}."
        )
        click.echo(f"vocabulary   {clean(manifest.schema_url)}")
        click.echo(f"rows         {manifest.rows_digest}")
        size = fmt.size(manifest.blob_size_bytes)
        click.echo(f"artifacts    {_files(manifest.blob_count)}, {size}")
        click.echo("It is as it was made." if not damages else "It is not as it was made:")
        _print_left_out(manifest.left_out)
    if damages:
        for damage in damages[:_SHOWN]:
            click.echo(f"  {clean(damage)}", err=True)
        ctx.exit(ExitCode.STORE)


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _artifacts(count: int) -> str:
    return f"{count} artifact{'s' * (count != 1)}"


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"
