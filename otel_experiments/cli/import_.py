"""`otel-experiments import`: bundles, other stores and files of OTLP into the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

from otel_experiments._merge import MergeReport, merge_stores
from otel_experiments._replay import ImportReport, read_otlp
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.progress import Progress
from otel_experiments.errors import OtelExperimentsError
from otel_experiments.model.store_location import BUNDLE_SUFFIX, SQLITE_START
from otel_experiments.query.json_values import json_line
from otel_experiments.record.otlp.counts import counted

_MB = 1_000_000
_SHOWN = 5
_NO_BYTES = (
    "OTLP has names and digests of artifacts and media, and not their bytes: import a bundle to have both, "
    "or copy the folder of the artifacts beside the store."
)


@click.command("import")
@store_option
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--restore", is_flag=True, help="Of bundles and stores, take runs as well that this store has purged."
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, files: tuple[str, ...], restore: bool, as_json: bool) -> None:
    """Store what bundles, other stores and files of OTLP hold; - is stdin.

    Of bundles and stores come all runs. OTLP is that of `export otlp`, of the Collector's file exporter, of any program: JSON lines, JSON documents and protobuf are read, also compressed with gzip or zstd. What is in the store already stays as
    it is, so that a file may be imported again, and one that was stopped is made whole by importing it again.
    """
    target = str(store_location(ctx))
    stores = [name for name in files if name != "-" and _is_sqlite(Path(name))]
    others = [name for name in files if name not in stores]
    merged, failures = _take_stores(stores, target, restore=restore) if stores else (None, [])
    read, unread = _take_otlp(others, target) if others else (None, [])
    failures = [*failures, *unread]
    if len(failures) == len(files):
        raise failures[0]
    if merged is not None:
        _print_merge(merged, as_json=as_json)
    if read is not None:
        _print(read, as_json=as_json)
    if any(not report.is_complete for report in (merged, read) if report is not None):
        ctx.exit(ExitCode.NOT_ALL)


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix.lower() == BUNDLE_SUFFIX or file.read(len(SQLITE_START)) == SQLITE_START


def _take_stores(
    names: list[str], target: str, *, restore: bool
) -> tuple[MergeReport, Sequence[OtelExperimentsError]]:
    with Progress("runs") as bar:

        def show(done: int, total: int, report: MergeReport) -> None:
            bar.show(done, total, sum(report.found.values()) + report.new_point_count)

        return merge_stores(names, store=target, restore=restore, on_progress=show)


def _print_merge(report: MergeReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "new_runs": report.new_run_ids,
            "known_runs": report.known_run_ids,
            "new_points": report.new_point_count,
            "found": report.found,
            "renumbered": report.renumbered,
            "moved_aliases": report.moved_aliases,
            "left_out": report.left_out,
            "problems": report.problems,
        }
        click.echo(json_line(shown))
        return
    new, known = len(report.new_run_ids), len(report.known_run_ids)
    took = f"Took {new or 'no'} new run{'s' * (new != 1)}"
    looked = f", looked at {known} that the store has" if known else ""
    points = f"{report.new_point_count:,} new metric point{'s' * (report.new_point_count != 1)}"
    click.echo(f"{took}{looked}: {points}.")
    if report.renumbered:
        click.echo("Versions of artifacts that have another number here:")
        _list(report.renumbered, is_error=False)
    if report.moved_aliases:
        click.echo("Aliases that were set later there, and point at another version here now:")
        _list(report.moved_aliases, is_error=False)
    for text in report.left_out:
        click.echo(f"{clean(text)}.")
    if report.problems:
        click.echo("Not taken:", err=True)
        _list(report.problems, is_error=True)


def _list(texts: list[str], count: int | None = None, *, is_error: bool) -> None:
    """Print the first of so many texts, and how many more there are."""
    for text in texts[:_SHOWN]:
        click.echo(f"  {clean(text)}", err=is_error)
    more = (len(texts) if count is None else count) - _SHOWN
    if more > 0:
        click.echo(f"  and {more} more", err=is_error)


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def _take_otlp(names: list[str], target: str) -> tuple[ImportReport, Sequence[OtelExperimentsError]]:
    sources: list[Path | IO[bytes]] = [sys.stdin.buffer if name == "-" else Path(name) for name in names]
    with Progress("MB") as bar:

        def show(done: int, total: int | None, report: ImportReport) -> None:
            if total is not None:
                bar.show(done / _MB, total / _MB, report.found.total())

        return read_otlp(sources, store=target, on_progress=show)


def _tell_found(report: ImportReport) -> None:
    runs = _runs(len(report.run_ids))
    if report.found:
        click.echo(f"Read {counted(report.found)} of {runs}; they are in the store.")
        if not report.new:
            click.echo("The store had all of them before.")
        elif report.new != report.found:
            click.echo(f"New are {counted(report.new)}; the store had the others before.")
        if report.found["artifacts"]:
            click.echo(_NO_BYTES)
        if not report.run_ids:
            click.echo(
                f"They belong to no run: otel-experiments attach{typed_store()} lists them, and gives them to one."
            )
    else:
        click.echo("Read nothing that can be stored.")


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "runs": sorted(report.run_ids),
            "found": dict(report.found),
            "new": dict(report.new),
            "refused": report.refused_count,
            "unreadable": report.unreadable_count,
            "problem_count": report.problem_count,
            "problems": report.problems,
        }
        click.echo(json_line(shown))
        return
    _tell_found(report)
    if report.is_complete:
        return
    lacking = []
    if report.refused_count:
        lacking.append(f"{report.refused_count} item{'s' * (report.refused_count != 1)} cannot be kept")
    if report.unreadable_count:
        are = "parts are" if report.unreadable_count != 1 else "part is"
        lacking.append(f"{report.unreadable_count} {are} no OTLP that can be read")
    click.echo(f"{' and '.join(lacking)}:", err=True)
    _list(report.problems, report.problem_count, is_error=True)
