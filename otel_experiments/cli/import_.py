"""`otel-experiments import`: files of OTLP into the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from otel_experiments._replay import ImportReport, import_otlp
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.progress import Progress
from otel_experiments.query.json_values import json_line
from otel_experiments.record.otlp.counts import counted

_MB = 1_000_000
_SHOWN = 5


@click.command("import")
@store_option
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, files: tuple[str, ...], as_json: bool) -> None:
    """Store what files of OTLP hold: of `export otlp`, of the Collector's file exporter, of any program; - is stdin.

    JSON lines, JSON documents and protobuf are read, also compressed with gzip or zstd. What is in the store already stays as
    it is, so that a file may be imported again, and one that was stopped is made whole by importing it again.
    """
    sources: list[Path | IO[bytes]] = [sys.stdin.buffer if name == "-" else Path(name) for name in files]
    with Progress("MB") as bar:

        def show(done: int, total: int | None, report: ImportReport) -> None:
            if total is not None:
                bar.show(done / _MB, total / _MB, report.found.total())

        report = import_otlp(*sources, store=str(store_location(ctx)), on_progress=show)
    _print(report, as_json=as_json)
    if not report.is_complete:
        ctx.exit(ExitCode.NOT_ALL)


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "runs": sorted(report.run_ids),
            "found": dict(report.found),
            "refused": report.refused_count,
            "unreadable": report.unreadable_count,
            "problems": report.problems,
        }
        click.echo(json_line(shown))
        return
    runs = f"{len(report.run_ids)} run{'s' * (len(report.run_ids) != 1)}"
    if report.found:
        click.echo(f"Read {counted(report.found)} of {runs}; they are in the store.")
    else:
        click.echo("Read nothing that can be stored.")
    if report.is_complete:
        return
    lacking = []
    if report.refused_count:
        lacking.append(f"{report.refused_count} item{'s' * (report.refused_count != 1)} cannot be kept")
    if report.unreadable_count:
        are = "parts are" if report.unreadable_count != 1 else "part is"
        lacking.append(f"{report.unreadable_count} {are} no OTLP that can be read")
    click.echo(f"{' and '.join(lacking)}:", err=True)
    for problem in report.problems[:_SHOWN]:
        click.echo(f"  {clean(problem)}", err=True)
