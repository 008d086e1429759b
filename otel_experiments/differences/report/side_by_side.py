"""Several runs as a table: a row for each thing in which they differ, a column a run, the baseline first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final, Protocol

from otel_experiments.differences.found import RunSide
from otel_experiments.figures import panel as html
from otel_experiments.figures.escape import clip, show_hidden
from otel_experiments.figures.quantity import duration
from otel_experiments.golden.report.escape import code_span
from otel_experiments.query.export.spreadsheet import defused
from otel_experiments.query.json_values import Plain, plain
from otel_experiments.query.shown.html import value_text

_GAP: Final = "  "
_MOST_KEY: Final = 28
_MOST_CELL: Final = 26
_CHARS: Final = 80
_MOST_COLUMNS: Final = 12
"""Of a table in a notebook or in Markdown."""


class Row(Protocol):
    """What is needed of a row."""

    @property
    def kind(self) -> str:
        """`param`, `metric` or `run`."""
        ...

    @property
    def key(self) -> str:
        """What differs."""
        ...

    @property
    def values(self) -> tuple[object, ...]:
        """Of each run."""
        ...

    @property
    def which(self) -> str:
        """Of a metric the statistic."""
        ...

    @property
    def direction(self) -> str | None:
        """Which way is better."""
        ...

    @property
    def relevance(self) -> float:
        """What rows are sorted by."""
        ...

    def change(self, at: int) -> str:
        """Return how far a number lies from the baseline's."""
        ...


def render_text(runs: Sequence[RunSide], rows: Sequence[Row], *, width: int) -> str:
    """Return the table; the runs for which there is no room are counted."""
    if not rows:
        return f"{_counted(len(runs))} without a difference in params, metrics, code or state."
    head = ["", *map(_name, runs)]
    lines = [[_key(row), *(_cell(row, at) for at in range(len(runs)))] for row in rows]
    limits = [_MOST_KEY] + [_MOST_CELL] * len(runs)
    widths = [min(limit, max(len(line[at]) for line in (head, *lines))) for at, limit in enumerate(limits)]
    shown, used = 1, widths[0]
    while shown < len(widths) and (shown <= 1 or used + len(_GAP) + widths[shown] <= width):
        used += len(_GAP) + widths[shown]
        shown += 1
    table = [_line(head, widths, shown), "-" * min(used, width)]
    table += [_line(line, widths, shown) for line in lines]
    rest = len(runs) - (shown - 1)
    if rest:
        table.append(f"and {rest:,} more: a wider terminal, or --format csv")
    return "\n".join(table)


def _line(cells: Sequence[str], widths: Sequence[int], shown: int) -> str:
    placed = [clip(cell, room).ljust(room) for cell, room in zip(cells[:shown], widths, strict=False)]
    return _GAP.join(placed).rstrip()


def render_json(runs: Sequence[RunSide], rows: Sequence[Row]) -> dict[str, Plain]:
    """Return the table as values that JSON can hold."""
    return {
        "runs": [
            {"run_id": one.id, "name": one.name, "experiment": one.experiment, "state": one.state, "duration_s": one.duration_s}
            for one in runs
        ],
        "rows": [
            {
                "kind": row.kind,
                "key": row.key,
                "which": row.which or None,
                "direction": row.direction,
                "relevance": round(row.relevance, 4),
                "values": [plain(value) for value in row.values],
                "changes": [row.change(at) or None for at in range(len(runs))],
            }
            for row in rows
        ],
    }  # fmt: skip


def render_markdown(runs: Sequence[RunSide], rows: Sequence[Row]) -> str:
    """Return the table in Markdown; what a program named is code."""
    shown = runs[:_MOST_COLUMNS]
    lines = [
        f"| | {' | '.join(code_span(_name(one)) or '-' for one in shown)} |",
        f"|---|{'---|' * len(shown)}",
    ]
    for row in rows:
        cells = [code_span(_cell(row, at), _CHARS) for at in range(len(shown))]
        lines.append(f"| {code_span(_key(row), _CHARS)} | {' | '.join(cells)} |")
    if len(runs) > len(shown):
        lines += ["", f"and {len(runs) - len(shown):,} more"]
    return "\n".join(lines)


def render_csv(runs: Sequence[RunSide], rows: Sequence[Row]) -> str:
    """Return the table as CSV, values as they are; behind each run but the baseline the column of its changes."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    head = ["kind", "key", "statistic"]
    for at, run in enumerate(runs):
        name = f"{run.name} {run.short_id}".strip()
        head += [name, f"{name} change"] if at else [name]
    out.writerow(defused(head))
    for row in rows:
        cells: list[object] = [row.kind, row.key, row.which]
        for at, value in enumerate(row.values):
            is_plain = value is None or isinstance(value, str | int | float)
            cells.append("" if value is None else value if is_plain else value_text(value))
            cells += [row.change(at)] if at else []
        out.writerow(defused(cells))
    return text.getvalue()


def render_html(runs: Sequence[RunSide], rows: Sequence[Row]) -> str:
    """Return the table for the cell of a notebook."""
    shown = runs[:_MOST_COLUMNS]
    columns: list[html.Column | str] = ["", "", *(html.Column(_name(one)) for one in shown)]
    body = [
        [html.badge(row.kind), html.code(_key(row)), *(_toned(row, at) for at in range(len(shown)))]
        for row in rows
    ]
    more = [html.line(f"and {len(runs) - len(shown):,} more")] if len(runs) > len(shown) else []
    facts = [f"baseline {_name(runs[0])}"] if runs else []
    return html.panel(
        html.head(f"{_counted(len(runs))} side by side", facts=facts), html.table(columns, body), *more
    )


def _toned(row: Row, at: int) -> html.Markup:
    change = row.change(at)
    tone: html.Tone = "good" if "better" in change else "bad" if "worse" in change else "soft"
    if row.kind == "metric" and change:
        return html.toned(_cell(row, at), tone)
    return html.code(_cell(row, at))


def _name(side: RunSide) -> str:
    return show_hidden(side.name) or side.short_id


def _key(row: Row) -> str:
    return show_hidden(f"{row.key} {row.which}".rstrip() if row.which == "best" else row.key)


def _cell(row: Row, at: int) -> str:
    value = row.values[at]
    if value is None:
        return "-"
    text = duration(value) if row.key == "duration_s" and isinstance(value, float) else value_text(value)
    change = row.change(at).replace(",", "") if row.kind != "param" else ""
    return show_hidden(f"{text} ({change})" if change else text)


def _counted(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"
