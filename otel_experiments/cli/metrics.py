"""`otel-experiments metrics RUN [NAME]`: all metrics of a run as a table, or one as a chart; `--name`: of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click
from rich.console import Console
from rich.text import Text

from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import is_unicode, make_console
from otel_experiments.cli.terminal.table import Column, print_table, room_beside
from otel_experiments.figures.spec import Axis, Curves
from otel_experiments.figures.text.paint import paint_text
from otel_experiments.figures.text.sparkline import sparkline
from otel_experiments.query import RunView, SeriesView
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_curve, plain_series
from otel_experiments.query.search.parser import parse_field
from otel_experiments.query.shown.curves import curves_of_band, label_of

CHART_HEIGHT = 14
_DERIVED = "no steps came with it: they number the points by time"


def _read_rank(ctx: click.Context, param: click.Parameter, text: str | None) -> int | Literal["all"] | None:
    """Return the number of a rank, or `all`; None where none was given."""
    if text is None or text == "all":
        return text  # type: ignore[return-value] # mypy does not narrow a str to the literal
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is neither the number of a rank nor 'all'.", ctx, param)
    return int(text)


@click.command("metrics")
@store_option
@click.argument("words", nargs=-1, metavar="RUN [NAME] | RUN... --name NAME")
@click.option("--name", "metric", metavar="NAME", help="This metric of all RUNs, in one chart.")
@click.option("--where", metavar="EXPRESSION", help="With --name: the runs that a search finds.")
@click.option(
    "--group-by",
    "field",
    metavar="FIELD",
    help="With --name: runs with one value of it, such as params.lr, are one curve.",
)
@click.option("--phase", metavar="PHASE", help="The series of this phase.")
@click.option(
    "--rank",
    callback=_read_rank,
    metavar="RANK",
    help="The series of this rank of the job, or of all; by default the lowest that has it.",
)
@click.option(
    "--x",
    "axis",
    metavar="METRIC",
    help="With NAME: draw it over this metric, such as epoch; 'step' for the steps. By default what the run declared.",
)
@click.option("--log", "is_log", is_flag=True, help="Draw the values on a logarithmic axis.")
@click.option("--buckets", type=click.IntRange(1, 100_000), help="With --json NAME: thin to so many buckets.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - an option each
    ctx: click.Context,
    *,
    words: tuple[str, ...],
    metric: str | None,
    where: str | None,
    field: str | None,
    phase: str | None,
    rank: int | Literal["all"] | None,
    axis: str | None,
    is_log: bool,
    buckets: int | None,
    as_json: bool,
) -> None:
    """Show the metrics of RUN as a table; with NAME, its chart.

    NAME may be a glob such as 'val/*': then the table holds the metrics that match. With --name, several runs are one chart, or, with
    --group-by, their means and ranges.
    """
    _refuse_mixtures(
        words,
        of_one=[rank, axis, buckets] if metric is not None else [],
        of_several=[where, field] if metric is None else [],
        is_one=metric is None,
    )
    if metric is not None:
        _show_several(
            ctx, words, metric, where=where, field=field, phase=phase, is_log=is_log, as_json=as_json
        )
        return
    run, name = words[0], words[1] if len(words) > 1 else None
    view = open_session(ctx).run(run)
    if name is None or (any(sign in name for sign in "*?[") and name not in view.metrics):
        found = view.metrics.matching(name or "*", rank=rank)
        if not view.metrics and not as_json:
            click.echo(f"Run {view.short_id} ({fmt.clean(view.name) or '-'}) has no metrics.")
            print_gauges(make_console(), view)
            return
        fitting = [one for one in found if phase is None or one.phase == phase]
        _show_all(view, fitting if name or as_json else _not_hidden(view, fitting), as_json=as_json)
        return
    series = view.metrics[name] if phase is None else view.metrics[name, phase]
    if rank == "all":
        _show_all(view, [series.of_rank(one) for one in series.ranks], as_json=as_json)
        return
    if rank is not None:
        series = series.of_rank(rank)
    if axis is None:
        axis = series.step_metric if series.step_metric in view.metrics else "step"
    elif axis != "step":
        view.metrics[axis]  # an error that names what there is
    _show_one(view, series, axis=axis, is_log=is_log, buckets=buckets, as_json=as_json)


def _refuse_mixtures(
    words: Sequence[str], *, of_one: Sequence[object], of_several: Sequence[object], is_one: bool
) -> None:
    """Refuse options of the other form: those of one run, or those of several."""
    if any(one is not None for one in of_one):
        raise click.UsageError("--rank, --x and --buckets are for one run: leave out --name, or these.")
    if any(one is not None for one in of_several) or (is_one and len(words) > 2):
        raise click.UsageError("Several runs are one chart of one metric: name it with --name.")
    if is_one and not words:
        raise click.UsageError("Missing argument 'RUN'.")


def _show_several(
    ctx: click.Context,
    names: tuple[str, ...],
    metric: str,
    *,
    where: str | None,
    field: str | None,
    phase: str | None,
    is_log: bool,
    as_json: bool,
) -> None:
    """Show one metric of the runs that are named, or that a search finds."""
    if bool(names) == (where is not None):
        raise click.UsageError("Name the runs, or give --where EXPRESSION.")
    reader = open_session(ctx)
    by = None
    if field is not None:
        (by,) = reader.check_fields([parse_field(field)])
    runs = list(reader.runs(where)) if where is not None else [reader.run(one) for one in names]
    from otel_experiments.cli.curves import show_curves  # noqa: PLC0415 - one run needs nothing of it

    show_curves(runs, metric, phase=phase, by=by, is_log=is_log, as_json=as_json)


def _not_hidden(view: RunView, found: Sequence[SeriesView]) -> list[SeriesView]:
    """Return the series without those that the run declared hidden, and say how many these are."""
    shown = [one for one in found if not one.is_hidden]
    if len(shown) < len(found):
        click.echo(
            f"{len(found) - len(shown)} hidden: otel-experiments metrics {view.short_id} '*'{typed_store()}",
            err=True,
        )
    return shown


def _show_all(view: RunView, found: Sequence[SeriesView], *, as_json: bool) -> None:
    if as_json:
        click.echo(json_line({"run_id": view.id, "metrics": [plain_series(one) for one in found]}))
        return
    if not found:
        click.echo(
            f"Run {view.short_id} ({fmt.clean(view.name)}) has no such metrics; it has {len(view.metrics)}."
        )
        return
    console = make_console()
    print_series(console, found)


def _show_one(
    view: RunView, series: SeriesView, *, axis: str, is_log: bool, buckets: int | None, as_json: bool
) -> None:
    x = None if axis == "step" else axis
    if as_json:
        shape = {"run_id": view.id, **plain_curve(series, x=x, buckets=buckets)}
        click.echo(json_line(shape))
        return
    console = make_console()
    label = fmt.clean(label_of(series))
    console.print(Text.assemble((label, "bold"), f"  run {view.short_id} ({fmt.clean(view.name)})"))
    facts = [
        f"{series.count} points",
        f"last {fmt.number(series.last)} @ {fmt.step(series.last_step)}",
        f"min {fmt.number(series.min)} @ {fmt.step(series.min_step)}",
        f"max {fmt.number(series.max)} @ {fmt.step(series.max_step)}",
        f"mean {fmt.number(series.mean)}",
    ]
    if series.nan_count:
        facts.append(f"{series.nan_count} NaN")
    if series.has_derived_steps:
        facts.append(_DERIVED)
    if x is not None:
        facts.append(f"over {fmt.clean(x)}")
    console.print(Text(", ".join(facts), style="dim"))
    width = min(console.width, 120)
    spec = _curve(series, label, buckets=width * (2 if is_unicode(console) else 1), x=x, is_log=is_log)
    for line in paint_text(spec, width=width, height=CHART_HEIGHT, is_unicode=is_unicode(console)):
        console.print(Text(line), no_wrap=True, crop=False)


def _curve(series: SeriesView, label: str, *, buckets: int, x: str | None, is_log: bool) -> Curves:
    line, area = curves_of_band(series.band(buckets=buckets, x=x), label)
    y = Axis(scale="log" if is_log else "linear")
    areas = () if area is None else (area,)
    return (
        Curves(label, (line,), areas=areas, y=y)
        if x is None
        else Curves(label, (line,), areas=areas, x=Axis("value", label=x), y=y)
    )


_COURSE = "course"


def print_series(console: Console, found: Sequence[SeriesView]) -> None:
    """Print the summaries: last, extremes with their steps, the course as a sparkline.

    The extreme that is better, where a direction was declared, is printed bold. Ranks whose series are not shown are
    counted below. The course is left out where the line has no room for it.
    """
    rows: list[list[str | Text]] = []
    for series in found:
        count = Text(fmt.number(series.count))
        if series.nan_count:
            count.append(f" {series.nan_count} NaN", style="red")
        rows.append(
            [
                fmt.clean(label_of(series)),
                count,
                fmt.number(series.last),
                Text(_at(series.min, series.min_step), style="bold" if series.direction == "min" else ""),
                Text(_at(series.max, series.max_step), style="bold" if series.direction == "max" else ""),
            ]
        )
    layout = [
        Column("metric", is_elastic=True, max_width=max(16, console.width // 3)),
        Column("points", is_right=True),
        Column("last", is_right=True),
        Column("min @ step", is_right=True),
        Column("max @ step", is_right=True),
    ]
    spark_width = min(max(8, min(24, console.width - 66)), room_beside(console, layout, rows))
    if spark_width >= len(_COURSE):
        layout.append(Column(_COURSE))
        for row, series in zip(rows, found, strict=True):
            course = series.band(buckets=spark_width).last
            row.append(sparkline(course, width=spark_width, is_unicode=is_unicode(console)))
    print_table(console, layout, rows)
    derived = [fmt.clean(label_of(series)) for series in found if series.has_derived_steps]
    if derived:
        which = ", ".join(derived[:3]) + (", ..." if len(derived) > 3 else "")
        console.print(Text(f"{which}: {_DERIVED}", style="dim"))
    hidden = {rank for series in found for rank in series.ranks} - {series.rank for series in found}
    if hidden:
        others = "1 more rank" if len(hidden) == 1 else f"{len(hidden)} more ranks"
        console.print(
            Text(f"... and {others}: otel-experiments metrics RUN --rank all{typed_store()}", style="dim")
        )


def print_gauges(console: Console, view: RunView) -> None:
    """Say of a run without metrics which gauges it has."""
    names = sorted({point.name for point in view.instrument_points if point.kind == "gauge"})
    if names:
        which = ", ".join(fmt.clean(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
        count = "1 gauge" if len(names) == 1 else f"{len(names):,} gauges"
        text = f"{count} without a step ({which}): metrics have steps, these are in run.instrument_points"
        console.print(Text(text, style="dim"), soft_wrap=True)


def _at(value: float, step: float | None) -> str:
    return "-" if step is None else f"{fmt.number(value)} @ {fmt.step(step)}"
