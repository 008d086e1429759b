"""`otel-experiments export runs|points|spans|otlp`: the data as CSV, JSON Lines or OTLP."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal.console import TerminalText
from otel_experiments.cli.terminal.format import clean
from otel_experiments.query import Reader, RunView
from otel_experiments.query.export import text as out
from otel_experiments.query.export.whole_file import whole_file

What = Literal["runs", "points", "spans", "otlp"]
Format = Literal["csv", "jsonl", "proto"]
_ENDINGS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".proto": "proto",
    ".binpb": "proto",
    ".pb": "proto",
}
_FORMATS: Final[dict[What, tuple[Format, ...]]] = {
    "runs": ("csv", "jsonl"),
    "points": ("csv", "jsonl"),
    "spans": ("jsonl",),
    "otlp": ("jsonl", "proto"),
}
"""What each thing is written as, first what it is by default."""
_NO_FORM: Final[dict[What, str]] = {
    "runs": "Runs are written as csv or jsonl; all that is stored of them as otlp.",
    "points": "Points are written as csv or jsonl; all that is stored of runs as otlp.",
    "spans": "Spans are nested and have no CSV form; use --format jsonl.",
    "otlp": "OTLP is written as jsonl or proto.",
}


@click.command("export")
@store_option
@click.argument("what", type=click.Choice(["runs", "points", "spans", "otlp"]))
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "proto"]),
    help="Default: what the file is called, else csv (spans and otlp: jsonl).",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: stdout."
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
) -> None:
    """Write runs (one row a run), points (one row a point), spans (one object a span), or all as OTLP.

    With RUN only those runs, else all that --where and --experiment name. Exports are written as they are read,
    and a file appears whole or not at all. `otel-experiments import` reads OTLP back.
    """
    if runs and (where is not None or experiment is not None):
        raise click.UsageError("RUN names runs; leave out --where and --experiment.")
    chosen = form or _format_of(output, what)
    _check(what, chosen, spreadsheet_safe=spreadsheet_safe, unattached=unattached)
    reader = open_session(ctx)
    found = [reader.run(one) for one in runs] if runs else reader.runs(where, experiment=experiment)
    found = list({run.id: run for run in found}.values())
    has_run_filter = bool(runs or where or experiment)
    if what == "otlp":
        _write_otlp(ctx, reader, found, output, form=chosen, unattached=unattached or not has_run_filter)
        return
    with _sink(output) as raw, _text(raw, is_terminal=output is None) as sink:
        count = _write(
            reader,
            found,
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


def _write_otlp(
    ctx: click.Context,
    reader: Reader,
    runs: list[RunView],
    output: Path | None,
    *,
    form: Format,
    unattached: bool,
) -> None:
    from otel_experiments.cli.export_otlp import show_report, write_otlp  # noqa: PLC0415 - few need it

    with _sink(output) as raw:
        report = write_otlp(reader, runs, raw, is_proto=form == "proto", unattached=unattached)
    show_report(report, output)
    if report.refused:
        ctx.exit(ExitCode.NOT_ALL)


def _check(what: What, form: Format, *, spreadsheet_safe: bool, unattached: bool) -> None:
    """Let a choice of options pass that has a meaning.

    Raises:
        click.UsageError: it has none.
    """
    if form not in _FORMATS[what]:
        raise click.UsageError(_NO_FORM[what])
    if spreadsheet_safe and form != "csv":
        raise click.UsageError("Only CSV is read by spreadsheets; leave out --spreadsheet-safe.")
    if unattached and what != "otlp":
        raise click.UsageError("Only OTLP is written of what belongs to no run; leave out --unattached.")


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
    default = _FORMATS[what][0]
    if output is None or not output.suffix:
        return default
    named = _ENDINGS.get(output.suffix.lower())
    if named is None or (named == "proto" and what != "otlp"):
        endings = [ending for ending, form in _ENDINGS.items() if form in _FORMATS[what]]
        raise click.UsageError(
            f"{str(output)!r}: nothing is written in the format {output.suffix}. "
            f"Endings that work: {', '.join(endings)}; or say the format: --format {default}"
        )
    return named


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
def _text(raw: BinaryIO, *, is_terminal: bool) -> Iterator[out.TextSink]:
    """Yield a sink for text over one for bytes."""
    # CSV brings its own line ends, which text mode must not touch.
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
    try:
        yield TerminalText(stream) if is_terminal else stream
        stream.flush()
    finally:
        with contextlib.suppress(BrokenPipeError):
            stream.detach()
