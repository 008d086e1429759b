"""`otel-experiments export runs|points|spans|...`: the data as CSV, JSON Lines, Parquet or OTLP."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal.console import TerminalText
from otel_experiments.cli.terminal.format import clean
from otel_experiments.cli.terminal.progress import Progress
from otel_experiments.query import Reader, RunView
from otel_experiments.query.export.rows import FORMATS, WHAT, Format, RowExport, What, format_of
from otel_experiments.query.export.text import TextSink
from otel_experiments.query.export.whole_file import whole_file

_NOUNS: Final[dict[What, str]] = {
    "runs": "run",
    "points": "point",
    "spans": "span",
    "events": "event",
    "logs": "log record",
    "instruments": "data point",
    "artifacts": "artifact",
    "media": "medium",
    "otlp": "item",
}


@click.command("export")
@store_option
@click.argument("what", type=click.Choice(WHAT))
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    help="Default: what the file's ending says, else csv for runs and points, jsonl for all others.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help='The file; default, and "-": stdout.',
)
@click.option("--where", metavar="EXPRESSION", help="Only these runs.")
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option("--metric", metavar="GLOB", default="*", help="With points: only these metrics.")
@click.option(
    "--unattached",
    is_flag=True,
    help="With otlp: also what belongs to no run; the default without RUN, --where and --experiment.",
)
@click.option(
    "--spreadsheet-safe",
    is_flag=True,
    help="With CSV: an apostrophe before texts that a spreadsheet would run as formulas.",
)
@click.option(
    "--files",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="With artifacts and media: write their bytes into this folder, with an index.",
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Other ids, and nothing that says who and where: users, hosts, paths, command lines, repositories.",
)
@click.option(
    "--salt", metavar="TEXT", help="With --anonymize: the same text gives the same ids in each export."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and no word on what was written.")
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    what: What,
    runs: tuple[str, ...],
    form: Format | None,
    output: Path | None,
    where: str | None,
    experiment: str | None,
    metric: str,
    unattached: bool,
    spreadsheet_safe: bool,
    folder: Path | None,
    anonymize: bool,
    salt: str | None,
    quiet: bool,
) -> None:
    """Write runs, points, spans, events, log records, data points, artifacts or media, one a row, or all as OTLP.

    With RUN only those runs, else all that --where and --experiment name. Exports are written as they are read,
    and a file appears whole or not at all. `otel-experiments import` reads OTLP back.
    """
    if output == Path("-"):
        output = None
    if runs and (where is not None or experiment is not None):
        raise click.UsageError("RUN names runs; leave out --where and --experiment.")
    chosen = form or (FORMATS[what][0] if output is None else format_of(str(output), what))
    _check(what, chosen, spreadsheet_safe=spreadsheet_safe, unattached=unattached)
    if salt is not None and not anonymize:
        raise click.UsageError("A salt makes other ids; give --anonymize, or leave out --salt.")
    if folder is not None:
        _check_folder(what, output, form, anonymize=anonymize)
    reader = open_session(ctx)
    found = [reader.run(one) for one in runs] if runs else reader.runs(where, experiment=experiment)
    found = list({run.id: run for run in found}.values())
    has_run_filter = bool(runs or where or experiment)
    if folder is not None:
        assert what in {"artifacts", "media"}
        _write_files(ctx, reader, found, "media" if what == "media" else "artifacts", folder, quiet=quiet)
        return
    if anonymize:
        reader, found = _anonymous(reader, found, salt)
    if what == "otlp":
        unattached = unattached or not has_run_filter
        _write_otlp(ctx, reader, found, output, form=chosen, unattached=unattached, quiet=quiet)
        return
    with Progress("runs", is_quiet=quiet) as bar:
        export = RowExport(
            reader,
            # What belongs to no run is part of an export of everything.
            found if has_run_filter else None,
            what,
            metric=metric,
            spreadsheet_safe=spreadsheet_safe,
            on_run=bar.counter(len(found)),
        )
        count = _write(export, output, chosen)
    if output is not None and not quiet:
        _say(count, what, output)


def _plural(what: What) -> str:
    return what if what == "media" else f"{_NOUNS[what]}s"


def _say(count: int, what: What, output: Path) -> None:
    click.echo(
        f"Wrote {count} {_NOUNS[what] if count == 1 else _plural(what)} to {clean(str(output))}.", err=True
    )


def _anonymous(reader: Reader, runs: list[RunView], salt: str | None) -> tuple[Reader, list[RunView]]:
    from otel_experiments.query.anonymous import anonymous  # noqa: PLC0415 - few need it

    return anonymous(reader, runs, salt=salt)


def _write(export: RowExport, output: Path | None, form: Format) -> int:
    with _sink(output) as raw:
        if form == "parquet":
            if output is None and raw.isatty():
                raise click.UsageError(
                    "Parquet is not for a terminal; name a file with -o, or write into a pipe."
                )
            return export.write_parquet(raw)
        assert form != "proto"
        with _text(raw, is_terminal=output is None) as sink:
            return export.write_text(form, sink)


def _write_otlp(
    ctx: click.Context,
    reader: Reader,
    runs: list[RunView],
    output: Path | None,
    *,
    form: Format,
    unattached: bool,
    quiet: bool,
) -> None:
    from otel_experiments.cli.export_otlp import show_report, write_otlp  # noqa: PLC0415 - few need it

    with _sink(output) as raw:
        report = write_otlp(reader, runs, raw, is_proto=form == "proto", unattached=unattached, quiet=quiet)
    show_report(report, output, quiet=quiet)
    if report.refused:
        ctx.exit(ExitCode.NOT_ALL)


def _check_folder(what: What, output: Path | None, form: Format | None, *, anonymize: bool) -> None:
    """Let options pass that go with a folder.

    Raises:
        click.UsageError: one does not.
    """
    if what not in {"artifacts", "media"}:
        raise click.UsageError("Only artifacts and media are files; leave out --files.")
    if output is not None or form is not None:
        raise click.UsageError("The index is in the folder, as JSON Lines; leave out --output and --format.")
    if anonymize:
        raise click.UsageError(
            "Nothing looks into the bytes of files for names; leave out --anonymize or --files."
        )


def _write_files(
    ctx: click.Context,
    reader: Reader,
    runs: list[RunView],
    what: Literal["artifacts", "media"],
    folder: Path,
    *,
    quiet: bool,
) -> None:
    from otel_experiments.query.export.artifact_files import write_files  # noqa: PLC0415 - few need it

    try:
        with Progress("runs", is_quiet=quiet) as bar:
            report = write_files(reader, runs, what, folder, on_run=bar.counter(len(runs)))
    except OSError as exc:
        raise click.UsageError(f"Cannot write into {str(folder)!r}: {exc.strerror or exc}.") from exc
    if not quiet:
        _say(report.count, what, folder)
    if report.missing_count:
        shown = "\n".join(clean(line) for problem in report.problems for line in problem.splitlines())
        click.echo(
            f"The bytes of {report.missing_count} could not be had; the index says which.\n{shown}", err=True
        )
        ctx.exit(ExitCode.NOT_ALL)


def _check(what: What, form: Format, *, spreadsheet_safe: bool, unattached: bool) -> None:
    """Let a choice of options pass that has a meaning.

    Raises:
        click.UsageError: it has none.
    """
    if form not in FORMATS[what]:
        if what == "otlp":
            raise click.UsageError("OTLP is written as jsonl or proto.")
        things = _plural(what).capitalize()
        raise click.UsageError(
            f"{things} are written as csv, jsonl, json or parquet; all that is stored of them as otlp."
        )
    if spreadsheet_safe and form != "csv":
        raise click.UsageError("Only CSV is read by spreadsheets; leave out --spreadsheet-safe.")
    if unattached and what != "otlp":
        raise click.UsageError("Only OTLP is written of what belongs to no run; leave out --unattached.")


@contextlib.contextmanager
def _sink(output: Path | None) -> Iterator[BinaryIO]:
    """Yield where to write; a file takes its name only when everything is in it."""
    if output is None:
        yield sys.stdout.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(whole_file(output))
        except OSError as exc:
            raise click.UsageError(f"Cannot write to {str(output)!r}: {exc.strerror}.") from exc
        yield stream


@contextlib.contextmanager
def _text(raw: BinaryIO, *, is_terminal: bool) -> Iterator[TextSink]:
    """Yield a sink for text over one for bytes."""
    # CSV brings its own line ends, which text mode must not touch.
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
    try:
        yield TerminalText(stream) if is_terminal else stream
        stream.flush()
    finally:
        with contextlib.suppress(BrokenPipeError):
            stream.detach()
