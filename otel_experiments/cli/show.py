"""`otel-experiments show RUN`: everything about one run on one page."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import click
from rich.console import Console
from rich.text import Text

from otel_experiments.cli.environment import print_environment
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.media_list import print_media
from otel_experiments.cli.metrics import print_gauges, print_series
from otel_experiments.cli.output import print_output
from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.said_later import print_said
from otel_experiments.cli.session import open_session
from otel_experiments.cli.telemetry_groups import print_groups
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.artifact_table import print_artifacts
from otel_experiments.cli.terminal.console import TerminalText, badge, is_unicode, make_console, state_style
from otel_experiments.cli.terminal.log_lines import print_records
from otel_experiments.cli.terminal.origin import origin_lines
from otel_experiments.cli.terminal.span_tree import print_tree
from otel_experiments.cli.trace_url import trace_url_of
from otel_experiments.model.run import RunFacts
from otel_experiments.model.span import Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.query import RunView
from otel_experiments.query.fold import FoldedNode, fold
from otel_experiments.query.json_values import json_line
from otel_experiments.query.judged_spans import by_span
from otel_experiments.query.plain_page import logged, plain_page, plain_record, traceback_of
from otel_experiments.query.unsent import unsent_texts
from otel_experiments.record.base.settings import Settings

MAX_ROWS = 40
"""Config lines and metrics shown without `--all`."""
MAX_TEXT_CHARS = 1000
"""Of a description, or of all tags together."""
MAX_SPANS = 50_000
"""Spans that are read for the tree; a longer run shows its first ones."""


@click.command("show")
@store_option
@click.argument("run")
@click.option("--all", "is_all", is_flag=True, help="Every param and metric, however many.")
@click.option("--logs", "has_logs", is_flag=True, help="What the program and its libraries logged as well.")
@click.option("--patch", "is_patch", is_flag=True, help="Only what was not committed, as git apply takes it.")
@click.option(
    "--packages", "is_packages", is_flag=True, help="Only the installed packages, as pip takes them."
)
@click.option("--output", "is_output", is_flag=True, help="Only what the run's processes printed.")
@click.option("--stderr", "is_stderr", is_flag=True, help="Only what they wrote to standard error.")
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="Only the last N lines of it.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    run: str,
    is_all: bool,
    has_logs: bool,
    is_patch: bool,
    is_packages: bool,
    is_output: bool,
    is_stderr: bool,
    tail: int | None,
    as_json: bool,
) -> None:
    """Show one run: state, config, summary, environment, spans.

    RUN is an id, the beginning of one, or a name: its newest run, NAME~1 the one before. latest is the newest of all.
    """
    reader = open_session(ctx)
    view = reader.run(run)
    if is_output or is_stderr or tail is not None:
        if is_patch or is_packages:
            raise click.UsageError("--output, --patch and --packages print a text each: name one of them.")
        print_output(view, stream="stderr" if is_stderr else None, tail=tail, as_json=as_json)
        return
    if is_patch or is_packages:
        _print_plainly(view, is_patch=is_patch, is_packages=is_packages, as_json=as_json)
        return
    unsent = reader.store.unsent([view.id])
    spans = view.spans.first(MAX_SPANS)
    roots = fold(spans.tree())
    trace_url = trace_url_of(view, Settings.resolve())
    if as_json:
        records = {"log_records": list(map(plain_record, logged(view)))} if has_logs else {}
        click.echo(json_line({**plain_page(view, unsent, list(spans), roots, trace_url), **records}))
        return
    console = make_console()
    limit = None if is_all else MAX_ROWS
    _print_header(console, view, list(spans), trace_url)
    _print_losses(console, view, limit)
    _print_unsent(console, view, unsent)
    print_said(console, view, spans, _heading)
    _print_config(console, view, limit)
    _print_ranks(console, view, limit)
    _print_summary(console, view, limit)
    _print_media(console, view, limit)
    _print_artifacts(console, view, limit)
    _print_environment(console, view)
    _print_attached(console, view)
    _print_spans(console, view, roots, len(spans))
    if has_logs:
        _heading(console, "log")
        print_records(console, logged(view), limit)


def _print_plainly(view: RunView, *, is_patch: bool, is_packages: bool, as_json: bool) -> None:
    """Print the patch or the packages as another program takes them."""
    if as_json or (is_patch and is_packages):
        raise click.UsageError("--patch and --packages print a text each; without them, --json has both.")
    text = view.snapshot.patch if is_patch else view.snapshot.requirements
    if not text:
        things = "uncommitted change" if is_patch else "package"
        problem = view.snapshot.git.get("problem") if is_patch else None
        click.echo(
            f"No {things} is recorded of this run{f': {fmt.clean(str(problem))}' if problem else ''}.",
            err=True,
        )
        raise click.exceptions.Exit(ExitCode.NOT_FOUND)
    text = text if text.endswith("\n") else f"{text}\n"
    TerminalText(sys.stdout).write(text)


def _print_header(console: Console, run: RunView, spans: Sequence[Span], trace_url: str | None) -> None:
    title = Text.assemble((fmt.clean(run.name) or "-", "bold"), "  ", badge(console, run.state))
    console.print(title)
    started = "never started" if run.duration_s is None else f"took {fmt.duration(run.duration_s)}"
    if run.state.is_live and run.duration_s is not None:
        started = f"running for {fmt.duration(run.duration_s)}"
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created_ns / 1e9))
    experiment = f"experiment {fmt.clean(run.experiment)}" if run.experiment else "no experiment"
    console.print(Text(f"{run.id}  {experiment}", style="dim"), soft_wrap=True)
    console.print(Text(f"made {moment} ({_ago(run.age_s)}), {started}", style="dim"))
    _print_ways(console, run, trace_url)
    record = run.record
    if record.paused_count:
        times = "once" if record.paused_count == 1 else f"{record.paused_count} times"
        paused = fmt.duration(record.paused_total_ns / 1e9)
        console.print(Text(f"paused {times}, {paused} in all", style="dim"))
        dropped = record.paused_dropped_count
        what = (
            "point, event, param, tag or span was"
            if dropped == 1
            else "points, events, params, tags and spans were"
        )
        console.print(Text(f"{dropped:,} {what} not recorded because of it", style="dim"))
    for heading, text in (
        ("key", run.key),
        *((one.name, getattr(record, one.name)) for one in fields(RunFacts)),
        ("tags", ", ".join(f"{key}={text}" if text else key for key, text in sorted(run.tags.items()))),
    ):
        if text:
            shown = text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}… (--json shows all)"
            console.print(Text.assemble((f"{heading} ", "dim"), fmt.clean(shown)))
    reason = ": ".join(text for text in (run.error_type, run.reason) if text)
    if reason:
        console.print(Text(fmt.clean(reason), style=state_style(run.state)))
    elif str(run.state) == "lost":
        console.print(Text("its process ended and reported no end", style=state_style(run.state)))
    traceback = traceback_of(spans)
    if traceback:
        # Its last line is the reason, which stands above.
        for line in traceback.rstrip().splitlines()[:-1][-6:]:
            console.print(Text(f"  {fmt.clean(line)}", style="dim"), soft_wrap=True)


def _print_ways(console: Console, run: RunView, trace_url: str | None) -> None:
    for line in origin_lines(run):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if trace_url is not None:
        console.print(Text.assemble(("trace ", "dim"), (trace_url, f"link {trace_url}")), soft_wrap=True)


def _print_losses(console: Console, run: RunView, limit: int | None) -> None:
    losses = run.losses
    if not losses:
        return
    _heading(console, "not recorded as given")
    kinds = max(len(loss.kind) for loss in losses[:limit])
    counts = max(len(f"{loss.count:,}") for loss in losses[:limit])
    for loss in losses[:limit]:
        line = Text(f"{loss.count:>{counts},}  ", style="yellow")
        line.append(f"{fmt.clean(loss.kind):<{kinds}}  " if loss.name else fmt.clean(loss.kind))
        line.append(fmt.shorten(fmt.clean(loss.name), max(10, console.width - counts - kinds - 4)))
        console.print(line)
    _say_more(console, len(losses), limit)


def _print_unsent(console: Console, run: RunView, rows: Sequence[Unsent]) -> None:
    lines = list(unsent_texts(rows))
    if lines:
        _heading(console, "not sent")
    for line in lines:
        text = f"{fmt.clean(line)} To send them: otel-experiments push {run.short_id} --unsent{typed_store()}"
        console.print(Text(text, style="yellow"), soft_wrap=True)


def _ago(seconds: float) -> str:
    return "just now" if seconds < 1 else f"{fmt.age(seconds)} ago"


def _print_config(console: Console, run: RunView, limit: int | None) -> None:
    _heading(console, "config")
    lines = list(_config_lines(run.params))
    if not lines:
        console.print(Text("(no params)", style="dim"))
        return
    longest = max((len(key) for key, text in lines if text is not None), default=0)
    width = min(longest, console.width // 2)
    for key, text in lines[:limit]:
        shown = fmt.shorten(key, width if text is not None else console.width)
        line = Text(f"{shown:<{width}}  " if text is not None else shown, style="dim")
        if text is not None:
            line.append(fmt.shorten(text, max(10, console.width - width - 2)), style="default")
        console.print(line)
    _say_more(console, len(lines), limit)
    changes = [f"{fmt.clean(key)} changed {fmt.times(count)}" for key, count in run.params.changed.items()]
    if changes:
        console.print(
            Text(
                "; ".join(
                    [*changes[:limit], *(["..."] if limit is not None and len(changes) > limit else [])]
                ),
                style="dim",
            )
        )


def _config_lines(params: Mapping[str, object]) -> Iterator[tuple[str, str | None]]:
    """Yield (indented key, value) of nested params, depth first; a branch has no value."""
    waiting: list[tuple[int, str, object]] = [(0, key, params[key]) for key in reversed(list(params))]
    while waiting:
        depth, key, value = waiting.pop()
        shown = "  " * depth + fmt.clean(key)
        if isinstance(value, Mapping) and value:
            yield shown, None
            waiting.extend((depth + 1, name, value[name]) for name in reversed(list(value)))
        else:
            yield shown, fmt.value(value)


def _print_ranks(console: Console, run: RunView, limit: int | None) -> None:
    """Say where ranks of the run were told other params and tags than the run has."""
    lines = [fmt.clean(str(difference)) for difference in run.rank_differences]
    if lines:
        _heading(console, "ranks were started with different values")
        for line in lines[:limit]:
            console.print(Text(line, style="yellow"))
        _say_more(console, len(lines), limit)


def _print_summary(console: Console, run: RunView, limit: int | None) -> None:
    _heading(console, "summary")
    for key, value in run.summary.given.items():
        console.print(
            Text.assemble((f"{fmt.clean(key)}  ", "dim"), fmt.shorten(fmt.value(value), console.width // 2))
        )
    series = run.metrics.all()
    if not series:
        console.print(Text("(no metrics)", style="dim"))
        print_gauges(console, run)
        return
    print_series(console, series[:limit])
    _say_more(console, len(series), limit)


def _print_artifacts(console: Console, run: RunView, limit: int | None) -> None:
    for heading, found in (("artifacts", run.artifacts.all()), ("used", run.used_artifacts)):
        if found:
            _heading(console, heading)
            print_artifacts(console, found[:limit], experiment=run.experiment)
            _say_more(console, len(found), limit)


def _print_media(console: Console, run: RunView, limit: int | None) -> None:
    media = run.media
    if media:
        _heading(console, "media")
        print_media(console, media, limit)
        _say_more(console, len(media), limit)


def _print_attached(console: Console, run: RunView) -> None:
    groups = run.attached
    if groups:
        _heading(console, "attached telemetry")
        print_groups(groups)


def _print_environment(console: Console, run: RunView) -> None:
    if run.resource or run.snapshot:
        _heading(console, "environment")
        print_environment(console, run)


def _print_spans(console: Console, run: RunView, roots: Sequence[FoldedNode], count: int) -> None:
    _heading(console, "spans")
    if not roots:
        console.print(Text("(no spans)", style="dim"))
        return
    now_ns = run.created_ns + int(run.age_s * 1e9)
    judged = by_span(run.annotations, run.record.root_span_id)
    print_tree(console, roots, state=run.state, now_ns=now_ns, annotations=judged)
    if count == MAX_SPANS:
        console.print(Text(f"(the first {MAX_SPANS} spans only)", style="dim"))


def _heading(console: Console, text: str) -> None:
    line = "─" if is_unicode(console) else "-"
    console.print()
    console.print(Text(f"{line}{line} {text}", style="bold"))


def _say_more(console: Console, count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        console.print(Text(f"... and {count - limit} more: --all", style="dim"))
