"""What is read, as HTML for the cell of a notebook: a run, runs, series, tables. Nothing is read that is not shown.

Functions here take what views have, by protocol: views import this module when a notebook asks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.figures import panel as html
from otel_experiments.figures.quantity import age, duration, number, step
from otel_experiments.figures.svg.frame import Size
from otel_experiments.figures.svg.paint import paint
from otel_experiments.figures.svg.sparkline import paint_sparkline
from otel_experiments.model.run import ParamValue
from otel_experiments.query.json_values import json_line, plain
from otel_experiments.query.shown.curves import Drawn, figure_of, label_of

if TYPE_CHECKING:
    from otel_experiments.model.loss import Loss
    from otel_experiments.model.metric import Direction

MAX_ROWS: Final = 20
"""Of a table in an output: what else there is, is counted."""
MAX_COLUMNS: Final = 6
"""Params, and as many metrics, beside what each run has."""
_COURSE_BUCKETS: Final = 100


class ShownSeries(Drawn, Protocol):
    """What is needed of a series to show it in a table."""

    @property
    def last(self) -> float:
        """The value recorded latest."""
        ...

    @property
    def last_step(self) -> float:
        """Its step."""
        ...

    @property
    def min_step(self) -> float | None:
        """The step of the smallest value."""
        ...

    @property
    def max_step(self) -> float | None:
        """The step of the largest value."""
        ...

    @property
    def mean(self) -> float:
        """The mean of the finite values."""
        ...

    @property
    def direction(self) -> Direction | None:
        """Which way is better."""
        ...


def value_text(found: object) -> str:
    """Return a param or a cell as text: numbers short, texts as they are, all else as JSON."""
    if found is None:
        return "-"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return number(found)
    if isinstance(found, str):
        return found
    if isinstance(found, bytes | bytearray | memoryview):
        return f"{len(found):,} bytes"
    return json_line(plain(found))


def when(time_ns: int) -> str:
    """Return a time of day as the reader's clock has it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns / 1e9))


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def params_part(flat: Mapping[str, ParamValue]) -> list[html.Markup]:
    """Return the params of a run, the first of them open to the eye, the others behind a click."""
    if not flat:
        return []
    items = {key: value_text(value) for key, value in flat.items()}
    if len(items) <= MAX_ROWS:
        return [html.heading("params"), html.pairs(items)]
    first = dict(list(items.items())[: MAX_ROWS // 2])
    rest = dict(list(items.items())[MAX_ROWS // 2 : 200])
    left_out = max(0, len(items) - 200)
    return [
        html.heading("params"),
        html.pairs(first),
        html.fold(f"{len(items) - len(first)} more params", html.pairs(rest, left_out=left_out)),
    ]


def series_table(series: Sequence[ShownSeries]) -> html.Markup:
    """Return the summaries of series with their course."""
    columns: list[html.Column | str] = [
        "metric", "course", html.Column("points", is_number=True), html.Column("last", is_number=True),
        html.Column("min @ step", is_number=True), html.Column("max @ step", is_number=True),
    ]  # fmt: skip
    rows = []
    for one in series[:MAX_ROWS]:
        points = number(one.count) if not one.nan_count else f"{number(one.count)} ({one.nan_count:,} NaN)"
        rows.append(
            (
                html.code(label_of(one)),
                html.Markup(paint_sparkline(one.band(buckets=_COURSE_BUCKETS).last)),
                points,
                number(one.last),
                _extreme(one.min, one.min_step, is_best=one.direction == "min"),
                _extreme(one.max, one.max_step, is_best=one.direction == "max"),
            )
        )
    return html.table(columns, rows, left_out=len(series) - len(rows))


def _extreme(value: float, at: float | None, *, is_best: bool) -> str:
    if at is None:
        return "-"
    text = f"{number(value)} @ {step(at)}"
    return html.Markup(f"<b>{html.escaped(text)}</b>") if is_best else text


def losses_part(losses: Sequence[Loss]) -> list[html.Markup]:
    """Return what a run did not record as it was given."""
    if not losses:
        return []
    rows = [
        (html.toned(f"{one.count:,}", "warn"), one.kind, html.code(one.name) if one.name else "")
        for one in losses[:MAX_ROWS]
    ]
    columns: list[html.Column | str] = [html.Column("", is_number=True), "", ""]
    return [
        html.heading("not recorded as given"),
        html.table(columns, rows, left_out=len(losses) - len(rows)),
    ]


def series_html(series: ShownSeries) -> str:
    """Return a series: its summary and its curve."""
    facts = [
        counted(series.count, "point"),
        f"last {number(series.last)} @ {step(series.last_step)}",
        f"min {number(series.min)} @ {step(series.min_step)}",
        f"max {number(series.max)} @ {step(series.max_step)}",
        f"mean {number(series.mean)}",
        *([f"{series.nan_count:,} NaN"] if series.nan_count else []),
        *([f"better is {'lower' if series.direction == 'min' else 'higher'}"] if series.direction else []),
    ]
    drawing = paint(figure_of([series], title="").spec, Size(640, 260, has_style=False, has_title=False))
    return html.panel(html.head(label_of(series), facts=facts), drawing)


def metrics_html(title: str, series: Sequence[ShownSeries]) -> str:
    """Return the series of a run."""
    return html.panel(
        html.head(
            title,
            facts=[f"{len(series):,} series"],
        ),
        series_table(series),
    )


def params_html(flat: Mapping[str, ParamValue]) -> str:
    """Return the params of a run."""
    return html.panel(html.head("Params", facts=[counted(len(flat), "param")]), *params_part(flat)[1:])


def table_html(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return the first rows of an answer to SQL."""
    shown = columns[: 2 * MAX_COLUMNS]
    numeric = [
        all(isinstance(row[at], int | float) or row[at] is None for row in rows[:MAX_ROWS])
        for at in range(len(shown))
    ]
    heads = [html.Column(name, is_number=is_number) for name, is_number in zip(shown, numeric, strict=True)]
    body = [[_cell(one) for one in row[: len(shown)]] for row in rows[:MAX_ROWS]]
    facts = [counted(len(rows), "row"), counted(len(columns), "column")]
    if len(columns) > len(shown):
        facts.append(f"the first {len(shown)} columns are shown")
    return html.panel(
        html.head("Table", facts=facts), html.table(heads, body, left_out=len(rows) - len(body))
    )


def _cell(value: object) -> str:
    """Return a cell of SQL: integers whole, for they may be times and ids."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else value_text(value)


def varying(flats: Sequence[Mapping[str, object]], at_most: int) -> list[str]:
    """Return the keys that tell rows apart, in the order in which rows have them; all keys where none does."""
    keys = list(dict.fromkeys(key for flat in flats for key in flat))
    values = {key: {repr(flat.get(key)) for flat in flats} for key in keys}
    return ([key for key in keys if len(values[key]) > 1] or keys)[:at_most]


def names_of(many: Iterable[Iterable[str]], at_most: int) -> list[str]:
    """Return the names that most rows have, the most frequent first, equal ones in order of appearance."""
    counts: dict[str, int] = {}
    for names in many:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: -counts[name])[:at_most]


def span_text(seconds: float | None, *, is_live: bool) -> str:
    """Return how long a run took, or goes on."""
    if seconds is None:
        return "never started"
    return f"running for {duration(seconds)}" if is_live else f"took {duration(seconds)}"


def ago(seconds: float) -> str:
    """Return how long ago something was."""
    return "just now" if seconds < 1 else f"{age(seconds)} ago"
