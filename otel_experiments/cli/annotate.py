"""`otel-experiments annotate`: judge a stored run, or one of its spans."""

from __future__ import annotations

import click

from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.errors import RunEditError
from otel_experiments.model.span import Span
from otel_experiments.query import RunView
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_annotation


@click.command("annotate")
@store_option
@click.option("--label", "-l", default="", metavar="WORD", help="The judgement as a word, such as good.")
@click.option("--comment", "-m", default="", metavar="TEXT", help="Why.")
@click.option("--author", default="", metavar="NAME", help="Who judges; you without it.")
@click.option(
    "--span", "span_id", metavar="ID", help="The span that is judged: its id, or the beginning of it."
)
@json_option
@click.argument("run")
@click.argument("name")
@click.argument("score", type=float, required=False)
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    run: str,
    name: str,
    score: float | None,
    label: str,
    comment: str,
    author: str,
    span_id: str | None,
    as_json: bool,
) -> None:
    """Judge RUN, or a span of it, by the NAME of what is judged: a score, a word, a comment.

    What you judged of it by this name before is replaced; without any of the three it is taken back.
    """
    view = open_session(ctx).only_run(run)
    span = None if span_id is None else _span(view, span_id)
    view.annotate(name, score, label=label, comment=comment, author=author, span=span)
    if as_json:
        click.echo(
            json_line({"run_id": view.id, "annotations": list(map(plain_annotation, view.annotations))})
        )
        return
    is_back = score is None and not (label or comment)
    where = "" if span is None else f", span {fmt.clean(span.name)} ({span.span_id})"
    verb = "Took back" if is_back else "Noted"
    click.echo(f"{verb} {fmt.clean(name)} of run {fmt.clean(view.name)} ({view.short_id}){where}.")


def _span(view: RunView, wanted: str) -> Span:
    found = [span for span in view.spans if span.span_id.startswith(wanted.lower())]
    if len(found) != 1:
        raise RunEditError(
            run=view.name or view.id,
            action=f"judged by its span {wanted!r}",
            why=f"{len(found)} of its spans have an id that begins so",
            fix=f"List them with their ids: otel-experiments spans --run {view.short_id} --json",
        )
    return found[0]
