"""Aliases of artifacts."""

from __future__ import annotations

import click

from otel_experiments._aliases import remove_alias, set_alias
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import clean
from otel_experiments.edit.artifacts import AliasReport
from otel_experiments.query.json_values import json_line


@click.command("alias")
@store_option
@click.argument("ref")
@click.argument("name")
@json_option
@click.pass_context
def alias(ctx: click.Context, *, ref: str, name: str, as_json: bool) -> None:
    """Let the alias NAME point at the version REF; it leaves the one that it pointed at.

    `latest` moves by itself, and `v3` is a version: neither can be set.
    """
    _print(ctx, set_alias(ref, name, store=str(store_location(ctx))), as_json=as_json)


@click.command("unalias")
@store_option
@click.argument("ref")
@click.argument("name")
@json_option
@click.pass_context
def unalias(ctx: click.Context, *, ref: str, name: str, as_json: bool) -> None:
    """Take the alias NAME of the artifact REF away; its versions stay."""
    _print(ctx, remove_alias(ref, name, store=str(store_location(ctx))), as_json=as_json)


def _print(ctx: click.Context, report: AliasReport, *, as_json: bool) -> None:
    if as_json:
        shown = {
            "experiment": report.experiment,
            "name": report.name,
            "alias": report.alias,
            "before": report.before,
            "now": report.now,
            "version": report.version,
        }
        click.echo(json_line(shown))
    elif report.now is None:
        what = "was taken away" if report.before else "was not there"
        click.echo(f"{clean(report.name)}:{clean(report.alias)} {what}.")
    else:
        click.echo(f"{clean(report.name)}:{clean(report.alias)} is version {report.version}.")
    if not report.is_done:
        click.echo("Another process has set it at the same time; what it set counts.", err=True)
        ctx.exit(ExitCode.NOT_ALL)
