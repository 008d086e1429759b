"""`otel-experiments ab NUMBER --by FIELD`: whether groups of runs differ by more than chance."""

from __future__ import annotations

from typing import cast, get_args

import click

from otel_experiments.analysis.samples import Goal, Method
from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.differences.ab_test import ab_test_of
from otel_experiments.query.json_values import json_line


@click.command("ab")
@store_option
@click.argument("number")
@click.option(
    "--by", metavar="FIELD", default="condition", show_default=True, help="The field that makes the groups."
)
@click.option("--where", metavar="EXPRESSION", help="Only runs that a search finds.")
@click.option(
    "--baseline",
    metavar="GROUP",
    help="The group that the others are compared with. Default: control or baseline, else the oldest run's.",
)
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    default="welch",
    show_default=True,
    help="How it is tested; the last two test pairs, and need --pair-by.",
)
@click.option(
    "--goal",
    type=click.Choice(get_args(Goal)),
    help="Which direction is better, where the metric does not say.",
)
@click.option("--pair-by", metavar="FIELD", help="The field that partners share, such as params.seed.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="The level of the test.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How it is printed.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.pass_context
def command(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    *,
    number: str,
    by: str,
    where: str | None,
    baseline: str | None,
    method: str,
    goal: str | None,
    pair_by: str | None,
    alpha: float,
    form: str,
) -> None:
    """Say whether NUMBER differs between groups of runs by more than chance explains.

    NUMBER is a field of a search expression, such as metrics.accuracy.last; each run is one value.
    """
    found = ab_test_of(
        open_session(ctx),
        number,
        by=by,
        where=where,
        baseline=baseline,
        method=cast("Method", method),
        goal=cast("Goal | None", goal),
        pair_by=pair_by,
        alpha=alpha,
    )
    match form:
        case "json":
            click.echo(json_line(found.json()))
        case "markdown":
            click.echo(found.markdown())
        case _:
            for line in found.text().split("\n"):
                click.echo(fmt.clean(line))
