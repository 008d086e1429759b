"""`otel-experiments trace --syscalls -- COMMAND`: a program's system calls as spans of its runs."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

import click
from rich.text import Text

from otel_experiments.capture.syscalls import SyscallCapture, read_system_calls, store_syscalls
from otel_experiments.cli.root import named_store, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.format import clean
from otel_experiments.golden.score.equivalence import compare_traces
from otel_experiments.golden.score.literal import SystemCall
from otel_experiments.model.span import Span
from otel_experiments.model.store_location import STORE_VARIABLE, StoreLocation
from otel_experiments.semconv import attributes as attr
from otel_experiments.syscalls import busiest, record_command
from otel_experiments.syscalls.record import Calls

_SHOWN = 12


@click.command("trace", context_settings={"ignore_unknown_options": True})
@store_option
@click.option("--syscalls", is_flag=True, help="Record system calls, with strace.")
@click.option(
    "--calls",
    type=click.Choice(["io", "all"]),
    default="io",
    show_default=True,
    help="io: files, descriptors, network, processes; all: also memory and waiting.",
)
@click.option(
    "--keep", type=click.Path(dir_okay=False, path_type=Path), help="Keep what strace wrote in this file."
)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Score the calls against a kept file: the seed's equivalence score, of system calls.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    syscalls: bool,
    calls: Calls,
    keep: Path | None,
    against: Path | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND and record its system calls beside its runs.

    Each run gets spans `syscall NAME`, one for each name of call below the span that was open in the thread
    that made the call: how many, how long, how many bytes, how many errors. What was read or written is not
    recorded. Needs Linux and strace (sudo apt-get install strace).

    Ends with COMMAND's exit code.
    """
    if not syscalls:
        raise click.UsageError("Say what to trace: --syscalls. (Spans need no tracing from outside.)")
    del ctx.args[:]
    baseline = None if against is None else _read_baseline(against, keep)
    location = store_location(ctx)
    with tempfile.TemporaryDirectory(prefix="otel-experiments-strace-") as folder:
        output = keep or Path(folder) / "calls.strace"
        told = None if named_store(ctx) is None else _environment(location)
        code = record_command(command, output, calls=calls, environ=told)
        captured = store_syscalls(output, location)
        _report(captured, shlex.join(command))
        if baseline is not None:
            _score(baseline, output)
    ctx.exit(code)


def _environment(location: StoreLocation) -> dict[str, str]:
    import os  # noqa: PLC0415 - only with --store

    return dict(os.environ) | {STORE_VARIABLE: str(location.absolute_path or location)}


def _report(captured: SyscallCapture, shown: str) -> None:
    console = make_console()
    if not captured.runs:
        click.echo(
            f"{shown!r} recorded no run, so its {captured.total} system calls belong to nothing and were not kept.",
            err=True,
        )
        return
    names = ", ".join(f"{clean(run.name)} ({run.run_id[:8]})" for run in captured.runs)
    console.print(Text(f"{captured.counted} system calls in {len(captured.spans)} spans of {names}"))
    console.print(
        Text(
            f"{captured.outside_count} calls where no span was open; {captured.thread_count} threads",
            style="dim",
        )
    )
    for title, key in (("most bytes", attr.ML_SYSCALL_BYTES), ("most time", attr.ML_SYSCALL_DURATION)):
        rows = busiest(captured.spans, key, limit=_SHOWN)
        if rows:
            console.print(Text(f"\n{title}", style="bold"))
        for span, value in rows:
            if value:
                console.print(
                    Text(_row(span, captured.path_of(span), value, is_time=key == attr.ML_SYSCALL_DURATION))
                )


def _row(span: Span, path: str, value: int, *, is_time: bool) -> str:
    number = f"{value / 1e6:12.3f} ms" if is_time else f"{value:12d} B "
    count, name = span.attributes[attr.ML_SYSCALL_COUNT], span.attributes[attr.ML_SYSCALL_NAME]
    return f"{number}  {count!s:>7}x  {name!s:<16} {clean(path)}"


def _read_baseline(against: Path, keep: Path | None) -> list[SystemCall]:
    """Return the calls to score against, read before the command runs: a wrong file is told at once."""
    if keep is not None and keep.resolve() == against.resolve():
        raise click.UsageError(
            f"--keep would write over {str(against)!r}, which --against reads: name another."
        )
    calls = read_system_calls(against)
    if not calls:
        raise click.UsageError(
            f"{str(against)!r} holds no system calls: give --against a file that --keep wrote."
        )
    return calls


def _score(baseline: list[SystemCall], output: Path) -> None:
    score = compare_traces(baseline, read_system_calls(output), mode="seed")
    click.echo(
        f"\nsyscall match {score.syscall_match:.3f}   timing variance {score.timing_variance:.3f}   "
        f"outcome {score.semantic_equiv:.3f}   overall {score.overall():.3f}"
    )
