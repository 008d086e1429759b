"""`otel-experiments export otlp`: how far it is, what was written, and what OTLP has no room for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click

from otel_experiments.cli.root import typed_store
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.progress import Progress
from otel_experiments.query import Reader, RunView
from otel_experiments.query.export.otlp import ExportReport, export_otlp
from otel_experiments.record.otlp.counts import counted


def write_otlp(
    reader: Reader,
    runs: Sequence[RunView],
    sink: BinaryIO,
    *,
    is_proto: bool,
    unattached: bool,
    quiet: bool = False,
) -> ExportReport:
    """Write the runs.

    Raises:
        click.UsageError: protobuf would go to a terminal.
    """
    if is_proto and sink.isatty():
        raise click.UsageError("Protobuf is not for a terminal; name a file with -o, or write into a pipe.")
    with Progress("runs", is_quiet=quiet) as bar:
        return export_otlp(
            reader.store,
            [run.record for run in runs],
            sink,
            form="proto" if is_proto else "json",
            unattached=unattached,
            on_progress=lambda report: bar.show(report.run_count, len(runs), report.written.total()),
        )


def show_report(report: ExportReport, output: Path | None, *, quiet: bool) -> None:
    """Say on stderr what was written into a file, what is not in OTLP, and what could not be written."""
    if output is not None and not quiet:
        runs = f"{report.run_count} run{'s' * (report.run_count != 1)}"
        items = counted(report.written) if report.written else "nothing"
        click.echo(f"Wrote {runs} to {clean(str(output))}: {items}.", err=True)
    if report.written["artifacts"] and not quiet:
        click.echo(
            f"OTLP has names and digests of artifacts and media, and not their bytes; a bundle has both: otel-experiments bundle{typed_store()}",
            err=True,
        )
    if report.refused:
        click.echo(
            f"OTLP has no room for {counted(report.refused)} ({clean(report.reason)}); they are not in the export.\n"
            "  They stay in the store, and a copy of its file has them: sqlite3 experiments.db \"vacuum into 'copy.db'\"",
            err=True,
        )
