"""What the commands that change stored runs have in common: which runs are meant, what is asked before, what is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.model.edit import RunContents
from otel_experiments.model.search import Visibility
from otel_experiments.query import Reader
from otel_experiments.query.edited import EditedRun, contents_of
from otel_experiments.query.json_values import json_line
from otel_experiments.query.run_list import RunList

_Command = TypeVar("_Command", bound=Callable[..., object])
_NAMED = 5


def edit_options(command: _Command) -> _Command:
    """Give a command what chooses runs, and what is asked."""
    for option in (
        json_option,
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--experiment", metavar="NAME", help="All runs of this experiment that --where finds."),
        click.option(
            "--where", metavar="EXPRESSION", help="All runs that match, as runs --where lists them."
        ),
        store_option,
    ):
        command = option(command)
    return command


def chosen_runs(
    reader: Reader,
    runs: Sequence[str],
    *,
    where: str | None,
    experiment: str | None,
    visibility: Visibility = "listed",
    with_removed: bool = False,
) -> RunList:
    """Return the runs that a command names and those that it searches, each once. A name counts only where it is unique.

    Raises:
        click.UsageError: it names none, and searches none.
        RunError: a run is not there, or several are meant.
        QueryError: the expression cannot be understood.
    """
    if not runs and where is None and experiment is None:
        raise click.UsageError(
            "Name runs, by id or by a name that one run has, or search them: --where EXPRESSION."
        )
    found = [reader.only_run(one, with_removed=with_removed) for one in runs]
    if where is not None or experiment is not None:
        found += reader.runs(where, experiment=experiment, visibility=visibility)
    return RunList({run.id: run for run in found}.values())


def none_found(ctx: click.Context, where: str | None, *, as_json: bool, action: str) -> None:
    """Say that a search found nothing, and end."""
    if as_json:
        click.echo(json_line(plain_edit(action, [], is_dry_run=False)))
    else:
        click.echo(f"No run matches {fmt.clean(where or '')!r}; nothing was changed.", err=True)
    ctx.exit(ExitCode.NOT_FOUND)


def ask(ctx: click.Context, question: str, *, yes: bool) -> None:
    """Let a change pass that a person agrees to; `question` says what would happen, without its mark."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question}? Add --yes to do it, or --dry-run to see what it is.")
    if not click.confirm(f"{question}?", err=True):
        click.echo("Nothing was changed.", err=True)
        ctx.exit(ExitCode.INTERRUPTED)


def apply_edit(  # noqa: PLR0913 - what all of these commands have
    ctx: click.Context,
    runs: Sequence[str],
    *,
    action: tuple[str, str],
    change: Callable[[RunList], object],
    where: str | None,
    experiment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    visibility: Visibility = "listed",
    more: Mapping[str, object] | None = None,
    also: Callable[[RunList], Sequence[EditedRun]] = lambda _: (),
) -> None:
    """Do what a command does to the runs that it names or searches; a search of several is asked about.

    `action` is the verb and what was done, such as `("archive", "Archived")`; `more` joins the JSON; `also` returns the other runs that
    `change` changes.
    """
    verb, done = action
    reader = open_session(ctx)
    found = chosen_runs(
        reader,
        runs,
        where=where,
        experiment=experiment,
        visibility=visibility,
        with_removed=visibility == "hidden",
    )
    if not found:
        none_found(ctx, where, as_json=as_json, action=verb)
    changed: list[EditedRun] = [*found, *also(found)]
    if not dry_run and (where is not None or experiment is not None) and len(changed) > 1:
        ask(ctx, f"{verb.capitalize()} {counted(changed)}: {named(changed)}", yes=yes)
    if not dry_run:
        change(found)
    if as_json:
        click.echo(json_line({**plain_edit(verb, changed, is_dry_run=dry_run), **(more or {})}))
    else:
        click.echo(f"{f'Would {verb}' if dry_run else done} {counted(changed)}: {named(changed)}.")


def counted(runs: Sequence[EditedRun]) -> str:
    """Return how many runs there are in words."""
    return f"{len(runs):,} run{'s' * (len(runs) != 1)}"


def named(runs: Sequence[EditedRun]) -> str:
    """Return the first runs with their ids."""
    shown = [f"{fmt.clean(run.name) or '-'} ({run.short_id})" for run in runs[:_NAMED]]
    rest = len(runs) - len(shown)
    return ", ".join([*shown, f"and {rest:,} more"] if rest else shown)


def in_words(contents: RunContents) -> str:
    """Return how much hangs on some runs in words."""
    parts = [
        f"{count:,} {noun}{'s' * (count != 1)}"
        for count, noun in (
            (contents.point_count, "point"),
            (contents.span_count, "span"),
            (contents.log_record_count, "log record"),
            (contents.data_point_count, "data point"),
            (contents.artifact_count, "artifact"),
        )
        if count
    ]
    return ", ".join(parts) or "nothing else"


def plain_edit(action: str, runs: Sequence[EditedRun], *, is_dry_run: bool) -> dict[str, Any]:  # JSON
    """Return what was done to which runs, as JSON has it."""
    return {
        "action": action,
        "dry_run": is_dry_run,
        "count": len(runs),
        "runs": [{"run_id": run.id, "name": run.name} for run in runs],
        "contents": asdict(contents_of(runs)),
    }


def undo(ids: Sequence[EditedRun]) -> str:
    """Return the command that brings runs back."""
    wanted = " ".join(run.short_id for run in ids[:_NAMED])
    return f"otel-experiments restore {wanted}{' ...' if len(ids) > _NAMED else ''}{typed_store()}"
