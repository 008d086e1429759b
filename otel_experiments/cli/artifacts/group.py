"""The list of artifacts, and the commands below it, imported on use."""

from __future__ import annotations

from typing import Final

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.lazy_group import LazyCommand, LazyGroup
from otel_experiments.cli.root import json_option, page_options, store_option
from otel_experiments.cli.session import open_session

_ROOM: Final = "otel_experiments.cli.artifacts"
_COMMANDS: Final = {
    "show": LazyCommand(f"{_ROOM}.show", "show", "Show one artifact: digest, files, who made and used it."),
    "get": LazyCommand(f"{_ROOM}.get", "get", "Write the bytes of an artifact to a file or folder."),
    "verify": LazyCommand(f"{_ROOM}.verify", "verify", "Read bytes and compare them with their digests."),
    "alias": LazyCommand(f"{_ROOM}.alias", "alias", "Let an alias, such as best, point at a version."),
    "unalias": LazyCommand(f"{_ROOM}.alias", "unalias", "Take an alias away."),
    "lineage": LazyCommand(f"{_ROOM}.show", "lineage", "Draw what something came from, and what came of it."),
}


class ArtifactGroup(LazyGroup):
    """The commands that are about one artifact, or about the bytes of all."""

    table = _COMMANDS


@click.group("artifacts", cls=ArtifactGroup, invoke_without_command=True)
@store_option
@click.option("--experiment", metavar="NAME", help="Only names of this experiment.")
@click.option("--name", metavar="NAME", help="Only versions of this name.")
@click.option("--type", "kind", metavar="TYPE", help="Only of this type, such as model or dataset.")
@click.option("--where", metavar="EXPRESSION", help="Only those of which it is true, e.g. 'size > 1e6'.")
@page_options(50)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    experiment: str | None,
    name: str | None,
    kind: str | None,
    where: str | None,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List artifacts, one version a line; or do something with one.

    REF is a name (its latest version), name:alias, name:v3, each also behind experiment/, or a digest.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = open_session(ctx).artifacts(experiment=experiment, name=name, type=kind, where=where)
    shown = found[offset : offset + limit]
    if as_json:
        from otel_experiments.query.json_values import json_line  # noqa: PLC0415 - the list needs it alone
        from otel_experiments.query.plain import plain_artifact  # noqa: PLC0415 - as above

        click.echo(json_line([plain_artifact(one) for one in shown]))
        return
    if not found:
        is_narrowed = any(given is not None for given in (experiment, name, kind, where))
        rest = (
            "Leave conditions out to see all."
            if is_narrowed
            else "A run keeps one with run.log_artifact(path, name=...)."
        )
        click.echo(f"No artifacts{' are like that' if is_narrowed else ''}. {rest}", err=True)
        ctx.exit(ExitCode.OK)
    from otel_experiments.cli.terminal.artifact_table import print_artifacts  # noqa: PLC0415 - as above
    from otel_experiments.cli.terminal.console import make_console  # noqa: PLC0415 - as above

    print_artifacts(make_console(), shown)
    if more := len(found) - offset - len(shown):
        click.echo(f"{more:,} more: --limit and --offset show them.", err=True)
