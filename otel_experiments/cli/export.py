"""`otel-experiments export runs|points|spans`: the data as CSV or JSON Lines."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click

from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal.console import TerminalText
from otel_experiments.cli.terminal.format import clean
from otel_experiments.query import Reader, RunView
from otel_experiments.query import export as out

What = Literal["runs", "points", "spans"]
Format = Literal["csv", "jsonl"]
_ENDINGS: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


@click.command("export")
@store_option
@click.argument("what", type=click.Choice(["runs", "points", "spans"]))
@click.argument("run", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="Default: what the file is called, else csv (spans: jsonl).",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: stdout."
)
@click.option("--where", metavar="EXPRESSION", help="Only these runs.")
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option("--metric", metavar="GLOB", default="*", help="With points: only these metrics.")
@click.option(
    "--spreadsheet-safe",
    is_flag=True,
    help="With CSV: an apostrophe before texts that a spreadsheet would run as formulas.",
)
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    what: What,
    run: str | None,
    form: Format | None,
    output: Path | None,
    where: str | None,
    experiment: str | None,
    metric: str,
    spreadsheet_safe: bool,
) -> None:
    """Write runs (one row a run), points (one row a point) or spans (one object a span).

    With RUN only that run, else all that --where and --experiment name. Exports are written as they are read,
    and a file appears whole or not at all.
    """
    if run is not None and (where is not None or experiment is not None):
        raise click.UsageError("RUN names one run; leave out --where and --experiment.")
    chosen = form or _format_of(output, what)
    if what == "spans" and chosen == "csv":
        raise click.UsageError("Spans are nested and have no CSV form; use --format jsonl.")
    if spreadsheet_safe and chosen != "csv":
        raise click.UsageError("Only CSV is read by spreadsheets; leave out --spreadsheet-safe.")
    reader = open_session(ctx)
    runs = reader.runs(where, experiment=experiment) if run is None else [reader.run(run)]
    has_run_filter = bool(run or where or experiment)
    with _sink(output) as sink:
        count = _write(
            reader,
            runs,
            what,
            chosen,
            sink,
            metric=metric,
            has_run_filter=has_run_filter,
            spreadsheet_safe=spreadsheet_safe,
        )
    if output is not None:
        things = what.removesuffix("s") if count == 1 else what
        click.echo(f"Wrote {count} {things} to {clean(str(output))}.", err=True)


def _write(
    reader: Reader,
    runs: list[RunView],
    what: What,
    form: Format,
    sink: out.TextSink,
    *,
    metric: str,
    has_run_filter: bool,
    spreadsheet_safe: bool,
) -> int:
    match what, form:
        case "runs", "csv":
            return out.runs_to_csv(reader, runs, sink, spreadsheet_safe=spreadsheet_safe)
        case "runs", _:
            return out.runs_to_jsonl(reader, runs, sink)
        case "points", "csv":
            return out.points_to_csv(reader, runs, sink, metric=metric, spreadsheet_safe=spreadsheet_safe)
        case "points", _:
            return out.points_to_jsonl(reader, runs, sink, metric=metric)
        case _:
            # Spans of no run belong to an export of everything.
            return out.spans_to_jsonl(reader, runs if has_run_filter else None, sink)


def _format_of(output: Path | None, what: What) -> Format:
    """Return the format that the file's name asks for.

    Raises:
        click.UsageError: its ending stands for another format than those that are written.
    """
    default: Format = "jsonl" if what == "spans" else "csv"
    if output is None or not output.suffix:
        return default
    named = _ENDINGS.get(output.suffix.lower())
    if named is None:
        endings = [ending for ending, form in _ENDINGS.items() if what != "spans" or form == "jsonl"]
        raise click.UsageError(
            f"{str(output)!r}: nothing is written in the format {output.suffix}. "
            f"Endings that work: {', '.join(endings)}; or say the format: --format {default}"
        )
    return named


@contextlib.contextmanager
def _sink(output: Path | None) -> Iterator[out.TextSink]:
    """Yield where to write; a file takes its name only when everything is in it."""
    if output is None:
        # CSV brings its own line ends, which text mode must not touch.
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=False)
        try:
            yield TerminalText(stream)
            stream.flush()
        finally:
            with contextlib.suppress(BrokenPipeError):
                stream.detach()
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    except OSError as exc:
        raise click.UsageError(f"Cannot write to {str(output)!r}: {exc.strerror}.") from exc
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # as a file made by open() would be; mkstemp makes it private
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
