"""`otel-experiments rm`: remove stored runs, with a way back, or for good."""

from __future__ import annotations

import sys

import click

from otel_experiments.cli.root import typed_store
from otel_experiments.cli.run_edits import (
    ask,
    chosen_runs,
    counted,
    edit_options,
    in_words,
    named,
    none_found,
    plain_edit,
    undo,
)
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.edit.runs import REMOVED_DAYS
from otel_experiments.query.edited import (
    EditedRun,
    check_not_recorded,
    children_of,
    contents_of,
    forks_of,
    remove_runs,
    users_of,
)
from otel_experiments.query.json_values import json_line


@click.command("rm")
@edit_options
@click.option("--children/--no-children", default=None, help="Remove child runs as well, or keep them.")
@click.option("--now", is_flag=True, help="For good, with all that hangs on them: there is no way back.")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    runs: tuple[str, ...],
    children: bool | None,
    now: bool,
    where: str | None,
    experiment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove runs: they are hidden from everything, `restore` brings them back, and `gc` purges them 30 days later.

    A name counts only where one run has it. A run that is recorded is not removed.
    """
    reader = open_session(ctx)
    found: list[EditedRun] = list(
        chosen_runs(reader, runs, where=where, experiment=experiment, with_removed=now)
    )
    if not found:
        none_found(ctx, where, as_json=as_json, action="rm")
    check_not_recorded(found)
    found += _below(found, children=children, dry_run=dry_run, yes=yes)
    check_not_recorded(found)
    verb = "remove for good" if now else "remove"
    contents = contents_of(found)
    if now and (forks := forks_of(found)):
        click.echo(f"Forks of what is removed lose the beginning of their curves: {named(forks)}.", err=True)
    if now and (users := users_of(found)):
        click.echo(f"Other runs use artifacts of what is removed: {named(users)}.", err=True)
    if not dry_run:
        ask(ctx, f"{verb.capitalize()} {counted(found)} with {in_words(contents)}: {named(found)}", yes=yes)
    shown = plain_edit("rm", found, is_dry_run=dry_run)
    if not dry_run:
        remove_runs(found, now=now)
    if as_json:
        click.echo(json_line({**shown, "purged": now}))
    elif dry_run:
        click.echo(f"Would {verb} {counted(found)} with {in_words(contents)}: {named(found)}.")
    elif now:
        click.echo(
            f"Removed {counted(found)} for good, with {in_words(contents)}: {named(found)}.\n"
            f"To free the bytes of their artifacts: otel-experiments gc{typed_store()}"
        )
    else:
        click.echo(
            f"Removed {counted(found)}: {named(found)}. In {REMOVED_DAYS} days gc purges them.\n"
            f"To bring them back: {undo(found)}"
        )


def _below(found: list[EditedRun], *, children: bool | None, dry_run: bool, yes: bool) -> list[EditedRun]:
    """Return the child runs that are removed as well."""
    below = [] if children is False else children_of(found)
    if not below or children:
        return below
    what = f"{counted(below)} {'is a child' if len(below) == 1 else 'are children'} of what is removed"
    if dry_run:
        click.echo(f"{what}: --children removes them as well, --no-children keeps them.", err=True)
        return []
    if yes or not sys.stdin.isatty():
        raise click.UsageError(
            f"{what}, {fmt.clean(below[0].name)} ({below[0].short_id}) first. "
            "Add --children to remove them as well, or --no-children to keep them."
        )
    return below if click.confirm(f"{what}. Remove them as well?", err=True) else []
