"""`otel-experiments push`: stored runs over OTLP, what endpoints did not take or whole runs again."""

from __future__ import annotations

import sys

import click

from otel_experiments._push import PushReport, push
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import clean
from otel_experiments.query.json_values import json_line
from otel_experiments.record.otlp.counts import counted


@click.command("push")
@store_option
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--where", metavar="EXPRESSION", help="All runs that match.")
@click.option(
    "--unsent", is_flag=True, help="Only what no endpoint took; the default without RUN and --where."
)
@click.option("--to", metavar="ENDPOINT", help="Default: OTEL_EXPORTER_OTLP_ENDPOINT and the like.")
@click.option("--signals", metavar="LIST", help="Some of traces,metrics,logs. Default: all.")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0),
    default=60.0,
    show_default=True,
    help="How long an endpoint that takes nothing is waited for, once it has taken something.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    runs: tuple[str, ...],
    where: str | None,
    unsent: bool,
    to: str | None,
    signals: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Send stored runs to an OTLP endpoint: ids, times and resources as they leave while runs are recorded.

    Without RUN and --where, what endpoints did not take is sent: of killed processes, dead collectors, full queues. A push
    that is stopped, also by Ctrl-C, goes on where it was.
    """
    bar, interrupted = _Bar() if sys.stderr.isatty() else None, ""
    try:
        report = push(
            list(runs) or None,
            where=where,
            unsent=unsent,
            to=to,
            signals=None if signals is None else signals.split(","),
            store=str(store_location(ctx)),
            timeout_s=timeout_s,
            on_progress=None if bar is None else bar.show,
        )
    except KeyboardInterrupt:
        interrupted = "Interrupted. What was sent is noted: the same command goes on from there."
    finally:
        if bar is not None:
            bar.close()
    if interrupted:
        click.echo(interrupted, err=True)
        ctx.exit(ExitCode.INTERRUPTED)
    _print(report, as_json=as_json)
    if not report.is_complete:
        ctx.exit(ExitCode.NOT_SENT)


def _print(report: PushReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "runs": report.run_count,
            "sent": dict(report.sent),
            "refused": dict(report.refused),
            "complete": report.is_complete,
            "reason": report.reason,
        }
        click.echo(json_line(shown))
        return
    runs = f"{report.run_count} run{'s' * (report.run_count != 1)}"
    if not report.run_count:
        click.echo("There is nothing to send.")
    else:
        click.echo(f"Sent {counted(report.sent) if report.sent else 'nothing'} of {runs}.")
    if report.refused:
        click.echo(f"The endpoint refused {counted(report.refused)} for good.", err=True)
    if report.reason:
        click.echo(
            f"The endpoint did not take the rest: {clean(report.reason)}.\n"
            "  The same command goes on from there.",
            err=True,
        )


class _Bar:
    """How far the push is, on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above

        self._progress = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} runs"),
            BarColumn(),
            TextColumn("{task.fields[items]:,} items"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("push", total=None, items=0, visible=False)
        self._progress.start()

    def show(self, done: int, total: int, items: int) -> None:
        """Show how many runs are done, and how many items were sent."""
        self._progress.update(self._task, completed=done, total=total, items=items, visible=True)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()
