"""`otel-experiments spans [RUN]`: spans by name, attribute, duration and status."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from otel_experiments.cli.root import cursor_option, json_option, page_options, say_next_page, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.span_tree import judgements, print_tree
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.model.run import RunState
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.query.fold import FoldedNode, depth_first, fold
from otel_experiments.query.json_values import json_line
from otel_experiments.query.judged_spans import SpanAnnotations, annotations_of_spans
from otel_experiments.query.plain import plain_annotation, plain_span
from otel_experiments.query.plain_page import plain_tree
from otel_experiments.store import Store

DEFAULT_LIMIT = 100


@click.command("spans")
@store_option
@click.argument("run", required=False)
@click.option("--name", metavar="GLOB", help="Only spans of this name; *, ? and [...] make it a pattern.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="Only with this attribute; repeatable.",
)
@click.option(
    "--min-duration",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Only ended spans at least so long.",
)
@click.option(
    "--max-duration",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Only ended spans at most so long.",
)
@click.option(
    "--where", metavar="EXPRESSION", help="Only spans for which it is true, such as: duration > 0.5"
)
@click.option("--order", metavar="FIELDS", help="Sort keys, such as -duration; by default the start.")
@click.option("--errors", "is_errors", is_flag=True, help="Only spans that failed.")
@click.option("--tree", "is_tree", is_flag=True, help="As trees, with repeated siblings folded.")
@page_options(DEFAULT_LIMIT, limit_help="At most so many; the tree takes all.")
@cursor_option
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    run: str | None,
    name: str | None,
    attributes: tuple[str, ...],
    min_duration: float | None,
    max_duration: float | None,
    where: str | None,
    order: str | None,
    is_errors: bool,
    is_tree: bool,
    limit: int,
    offset: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List the spans of RUN, or of all runs, by start.

    A VALUE is read as JSON where it is some (0.5, true, "5" in quotes for the text 5), else it is text; a KEY
    alone asks for spans that have it.
    """
    reader = open_session(ctx)
    view = None if run is None else reader.run(run)
    found = reader.spans if view is None else view.spans
    found = found.named(name) if name is not None else found
    found = found.slower_than(min_duration) if min_duration is not None else found
    found = found.faster_than(max_duration) if max_duration is not None else found
    found = found.where(where) if where is not None else found
    found = found.ordered(order) if order is not None else found
    found = found.errors() if is_errors else found
    for attribute in attributes:
        found = found.with_attribute(*_attribute(attribute))
    state = None if view is None else view.state
    if is_tree:
        _show_tree(reader.store, fold(found.tree()), state=state, as_json=as_json)
        return
    page = found.first(limit, offset=offset, after=cursor)
    judged = annotations_of_spans(reader.store, page)
    say_next_page(page.cursor)
    if as_json:
        found_of = {span_id: [plain_annotation(one) for one in those] for span_id, those in judged.items()}
        click.echo(
            json_line([{**plain_span(span), "annotations": found_of.get(span.span_id, [])} for span in page])
        )
        return
    _print_table(make_console(), list(page), judged, state=state)


def _show_tree(store: Store, roots: Sequence[FoldedNode], *, state: RunState | None, as_json: bool) -> None:
    judged = annotations_of_spans(store, (span for _, node in depth_first(roots) for span in node.spans))
    if as_json:
        click.echo(json_line(plain_tree(roots, judged)))
    elif roots:
        console = make_console()
        print_tree(console, roots, state=state, now_ns=time.time_ns(), annotations=judged)
    else:
        click.echo("No such spans.")


def _attribute(text: str) -> tuple[str, str | bool | int | float | None]:
    key, equals, value = text.partition("=")
    if not key:
        raise click.BadParameter(f"{text!r} is not KEY or KEY=VALUE.", param_hint="--attribute")
    if not equals:
        return key, None
    try:
        read = json.loads(value)
    except ValueError:
        return key, value
    return key, read if isinstance(read, str | bool | int | float) else value


def _print_table(
    console: Console, spans: Sequence[Span], judged: SpanAnnotations, *, state: RunState | None
) -> None:
    if not spans:
        click.echo("No such spans.")
        return
    first_ns = min(span.start_ns for span in spans)
    rows: list[list[str | Text]] = []
    for span in spans:
        length = span.duration_ns
        shown = {key: value for key, value in span.attributes.items() if not isinstance(value, bytes)}
        rows.append(
            [
                f"+{fmt.duration((span.start_ns - first_ns) / 1e9)}",
                "-" if length is None else fmt.duration(length / 1e9),
                _status(span, state),
                fmt.clean(span.name),
                " ".join(f"{fmt.clean(key)}={fmt.value(value)}" for key, value in shown.items()),
                *([judgements([span], judged)] if judged else []),
            ]
        )
    layout = [
        Column("start", is_right=True),
        Column("time", is_right=True),
        Column("status"),
        Column("name", is_elastic=True, max_width=32),
        Column("attributes", is_elastic=True, style="dim"),
        *([Column("judged", style="yellow")] if judged else []),
    ]
    print_table(console, layout, rows)


def _status(span: Span, state: RunState | None) -> Text:
    if span.status is StatusCode.ERROR:
        return Text("failed", style="red")
    if span.status is StatusCode.OK:
        return Text("ok", style="green")
    if span.end_ns is not None:
        return Text("ended")
    if state is RunState.LOST:
        return Text("lost", style="magenta")
    return Text("open", style="cyan")
