"""`otel-experiments runs`: the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
from click.core import ParameterSource
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from otel_experiments.cli.root import (
    cursor_option,
    json_option,
    page_options,
    say_next_page,
    store_option,
    typed_store,
)
from otel_experiments.cli.run_groups import show_groups
from otel_experiments.cli.run_tree import in_tree_order
from otel_experiments.cli.session import FIRST_RUN, new_reader, open_session
from otel_experiments.cli.terminal import columns as col
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import badge, is_unicode, make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.cli.trace_url import trace_url_of
from otel_experiments.cli.watch import watch
from otel_experiments.model.search import SearchField, Visibility
from otel_experiments.query import Reader, RunView
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_run
from otel_experiments.query.search.parser import parse_fields
from otel_experiments.query.unsent import unsent_texts
from otel_experiments.record.base.settings import Settings

DEFAULT_LIMIT = 20
SENT_BY = "To send them: otel-experiments push"
"""What follows on how much was not sent."""
_LOSSES = "losses"
"""The column that is there where runs did not keep everything as it was given."""


@click.command("runs")
@store_option
@click.option(
    "--where", metavar="EXPRESSION", help="Only these, e.g. 'metrics.loss.min < 0.1 and params.lr > 1e-4'."
)
@click.option(
    "--order",
    "--sort",
    "order",
    metavar="FIELDS",
    help="Sort keys, e.g. '-metrics.acc.max, name'; a minus reverses the order.",
)
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option(
    "--columns",
    metavar="FIELDS",
    help="Columns to show, e.g. 'params.lr, metrics.loss.min'. Default: what tells the runs apart, as much as fits.",
)
@click.option(
    "--archived", "is_archived", is_flag=True, help="Only archived runs, which are not listed else."
)
@click.option("--removed", "is_removed", is_flag=True, help="Only removed runs that are not purged yet.")
@click.option(
    "--group-by",
    metavar="FIELD",
    help="One row a group: group, experiment, params.lr, tags.team; --order names the metric that is summed up.",
)
@click.option("--tree", "is_tree", is_flag=True, help="Each run below the one that it is part of.")
@page_options(DEFAULT_LIMIT)
@cursor_option
@click.option("--all", "is_all", is_flag=True, help="No limit.")
@click.option("--watch", "is_watched", is_flag=True, help="Draw the table again every 2 s, until Ctrl-C.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    where: str | None,
    order: str | None,
    experiment: str | None,
    columns: str | None,
    is_archived: bool,
    is_removed: bool,
    group_by: str | None,
    is_tree: bool,
    limit: int,
    offset: int,
    cursor: str | None,
    is_all: bool,
    is_watched: bool,
    as_json: bool,
) -> None:
    """List runs, newest first.

    Expressions are in Python's syntax: and, or, not, parentheses, ==, <, in, name.contains("x"),
    isnan(metrics.loss), exists(params.lr), state == "failed", created > "2026-01-31".
    """
    if is_watched and as_json:
        raise click.UsageError(
            "--watch draws a table, and --json is for programs: otel-experiments tail --json follows runs."
        )
    reader = open_session(ctx)
    chosen = None if columns is None else reader.check_fields(list(parse_fields(columns, meant=reader.meant)))
    seen = _seen(is_archived=is_archived, is_removed=is_removed)
    if group_by is not None and (is_tree or columns is not None or cursor is not None):
        raise click.UsageError(
            "--group-by has columns of its own, no tree and no cursor: leave --columns, --tree and --cursor out."
        )
    page = slice(offset, None if is_all else offset + limit)
    says_next = cursor is not None or ctx.get_parameter_source("limit") is not ParameterSource.DEFAULT
    asked = _Asked(
        where, order, experiment, seen, chosen, group_by, is_tree, page, cursor, says_next, as_json
    )
    if is_watched:
        watch(lambda: _show_anew(ctx, asked))
    else:
        _show(reader, asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which runs are to be shown, and how."""

    where: str | None
    order: str | None
    experiment: str | None
    seen: Visibility
    columns: list[SearchField] | None
    group_by: str | None
    is_tree: bool
    page: slice
    cursor: str | None
    says_next: bool
    as_json: bool


def _show_anew(ctx: click.Context, asked: _Asked) -> None:
    """Print the runs of the store that is there now, with what processes recorded that were killed meanwhile."""
    with new_reader(ctx) as reader:
        _show(reader, asked)


def _show(reader: Reader, asked: _Asked) -> None:
    """Print the runs as they are now."""
    where, experiment, group_by, page = asked.where, asked.experiment, asked.group_by, asked.page
    is_all, offset = page.stop is None or group_by is not None, 0 if group_by is not None else page.start
    found = reader.runs(
        where,
        order=asked.order,
        experiment=experiment,
        limit=None if is_all else page.stop - offset,
        offset=offset,
        after=asked.cursor,
        visibility=asked.seen,
    )
    if group_by is not None and (found or asked.as_json):
        show_groups(reader, found, group_by, asked.order, page=page, as_json=asked.as_json)
        return
    total = reader.count_runs(where, experiment=experiment, visibility=asked.seen)
    if asked.as_json:
        settings = Settings.resolve()
        plain_runs = [{**plain_run(run), "trace_url": trace_url_of(run, settings)} for run in found]
        click.echo(json_line({"total": total, "runs": plain_runs, "cursor": found.cursor}))
        return
    if not found and asked.cursor is not None:
        click.echo("No more runs.")
    elif not found:
        _say_nothing_found(reader, where=where, experiment=experiment, seen=asked.seen, offset=offset)
    if not found:
        return
    is_cut = found.cursor is not None
    _print_found(found, total=total, columns=asked.columns, is_cut=is_cut, is_tree=asked.is_tree)
    if asked.says_next:
        say_next_page(found.cursor)
    _print_what_waits(reader)


def _print_what_waits(reader: Reader) -> None:
    """Say what was not sent, and what belongs to no run."""
    for text in unsent_texts(reader.store.unsent()):
        make_console().print(
            Text(f"{fmt.clean(text)} {SENT_BY}{typed_store()}", style="yellow"), soft_wrap=True
        )
    if reader.store.has_telemetry():
        make_console().print(Text(_unattached(), style="dim"), soft_wrap=True)


def _seen(*, is_archived: bool, is_removed: bool) -> Visibility:
    if is_archived and is_removed:
        raise click.UsageError(
            "--archived and --removed are two lists; --where 'exists(removed)' searches both."
        )
    return "archived" if is_archived else "removed" if is_removed else "listed"


def _print_found(
    found: Sequence[RunView],
    *,
    total: int,
    columns: list[SearchField] | None,
    is_cut: bool,
    is_tree: bool,
) -> None:
    """Print the runs that a search found, as a tree with those that they are part of."""
    ordered = in_tree_order(found) if is_tree else [(0, run) for run in found]
    depths, runs = [depth for depth, _ in ordered], [run for _, run in ordered]
    above_count = len(runs) - len(found)
    print_runs(runs, total=total, columns=columns, is_cut=is_cut, depths=depths, above_count=above_count)


def _unattached() -> str:
    return f"There is telemetry that belongs to no run: otel-experiments attach{typed_store()} lists it"


def print_runs(
    runs: list[RunView],
    *,
    total: int,
    columns: list[SearchField] | None = None,
    is_cut: bool = False,
    depths: list[int] | None = None,
    above_count: int = 0,
) -> None:
    """Print the table of runs; without `columns`, those that tell the runs apart; `is_cut`: by a limit.

    `above_count`: so many of the runs are there because others are part of them.
    """
    console, settings = make_console(), Settings.resolve()
    names = [
        f"{'  ' * depth}{fmt.clean(run.name) or '-'}"
        for depth, run in zip(depths or [0] * len(runs), runs, strict=True)
    ]
    widest = max(len("name"), *map(cell_len, names))
    name_width = min(widest, max(12, console.width // 4))
    state_width = max(len(str(run.state)) for run in runs) + (2 if is_unicode(console) else 0)
    durations = [fmt.duration(run.duration_s) for run in runs]
    duration_width = max(4, *map(len, durations))
    lost = [f"{run.lost_count:,}" if run.lost_count else "" for run in runs]
    lost_width = max(map(len, [*lost, _LOSSES])) + 2 if any(lost) else 0
    if columns is None:
        room = console.width - state_width - name_width - duration_width - lost_width - 8 - 4 - 8
        columns = col.choose(runs, room=room)
    rows: list[list[str | Text]] = [
        [
            badge(console, run.state),
            name,
            _linked_id(run, settings),
            fmt.age(run.age_s),
            shown_duration,
            *([Text(shown_lost, style="yellow")] if lost_width else []),
            *(col.cell(run, field, now_s=run.age_s + run.created_ns / 1e9) for field in columns),
        ]
        for run, name, shown_duration, shown_lost in zip(runs, names, durations, lost, strict=True)
    ]
    layout = [
        Column("state"),
        Column("name", is_elastic=True, max_width=name_width),
        Column("id", style="dim"),
        Column("age", is_right=True),
        Column("time", is_right=True),
        *([Column(_LOSSES, is_right=True)] if lost_width else []),
        *(Column(col.heading(field, runs), is_right=True, max_width=col.MAX_CELL + 8) for field in columns),
    ]
    print_table(console, layout, rows)
    rest = "; --all lists every one" if is_cut else ""
    if above_count:
        rest = f", and {above_count} that they are part of{rest}"
    counted = "1 of 1 run" if total == 1 else f"{len(runs) - above_count} of {total} runs"
    console.print(Text(f"{counted}{rest}", style="dim"))


def _linked_id(run: RunView, settings: Settings) -> Text:
    """Return a run's id, as a link to its trace where an address is known and the terminal takes links."""
    url = trace_url_of(run, settings)
    return Text(run.short_id, style=Style(dim=True, link=url))


def _say_nothing_found(
    reader: Reader, *, where: str | None, experiment: str | None, seen: Visibility, offset: int
) -> None:
    if seen != "listed":
        click.echo(f"No run that is {seen} {'matches' if where or experiment else 'is stored'}.")
        return
    stored = reader.count_runs()
    hidden = 0 if stored else reader.count_runs(visibility="hidden")
    if hidden:
        click.echo(
            f"All {hidden:,} runs in {reader.location!r} are hidden: otel-experiments runs --archived or --removed{typed_store()}"
        )
        return
    if not stored:
        next_step = _unattached() if reader.store.has_telemetry() else FIRST_RUN
        click.echo(f"No runs in {reader.location!r} yet.\n\n{next_step}")
        return
    matching = reader.count_runs(where, experiment=experiment)
    of = f"{stored} run{'s' * (stored != 1)} in {reader.location!r}"
    if not matching:
        asked = [fmt.clean(where)] if where else []
        asked += [f"experiment {experiment!r}"] if experiment else []
        click.echo(f"No run matches {' and '.join(asked)} ({of}).")
    else:
        click.echo(
            f"{matching} of {of} match, and none is shown: --offset {offset} and --limit leave them out."
        )
