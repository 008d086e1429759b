"""`otel-experiments runs --group-by`: one row a group of runs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import click
from rich.text import Text

from otel_experiments.cli.terminal import columns as col
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.errors import SearchWarning
from otel_experiments.model.search import MetricField, SearchField
from otel_experiments.query import Reader
from otel_experiments.query.json_values import json_line, plain
from otel_experiments.query.run_groups import RunGroup, group_runs
from otel_experiments.query.run_list import RunList
from otel_experiments.query.search.parser import parse_fields, parse_order
from otel_experiments.query.search.told import short


def show_groups(
    reader: Reader, runs: RunList, group_by: str, order: str | None, *, page: slice, as_json: bool
) -> None:
    """Print the groups of `runs`, which are in the order `order`; its first metric is summed up."""
    fields = reader.check_fields(parse_fields(group_by, meant=reader.meant))
    if len(fields) != 1:
        raise click.UsageError(f"--group-by takes one field, not {len(fields)}: {group_by!r}.")
    number = _first_metric(reader, order)
    groups = group_runs(runs, fields[0], number)
    shown = groups[page]
    if as_json:
        found = _plain_groups(shown, number)
        click.echo(json_line({"total": len(groups), "total_runs": len(runs), "groups": found}))
    else:
        _print_groups(shown, by=fields[0], number=number, total=len(groups), run_count=len(runs))


def _first_metric(reader: Reader, order: str | None) -> SearchField | None:
    """Return the first metric among the sort keys; None where there is none."""
    orders = () if order is None else parse_order(order, meant=reader.meant)
    metrics = [one.field for one in orders if isinstance(one.field, MetricField)]
    if not metrics:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)  # which the search has given
        return reader.check_fields(metrics[:1])[0]


def _plain_groups(groups: Sequence[RunGroup], number: SearchField | None) -> list[dict[str, Any]]:
    return [
        {
            "value": plain(group.value),
            "runs": group.run_count,
            "states": dict(group.states),
            "newest_run_id": group.newest.id,
            "newest_created_unix_nano": group.newest.created_ns,
            "metric": None if number is None else _plain_numbers(group, number),
        }
        for group in groups
    ]


def _plain_numbers(group: RunGroup, number: SearchField) -> dict[str, Any]:
    found = group.numbers
    assert found is not None
    return {
        "name": short(number),
        "runs": found.run_count,
        "best": plain(found.best),
        "best_run_id": None if found.best_run is None else found.best_run.id,
        "mean": plain(found.mean),
        "min": plain(found.low),
        "max": plain(found.high),
    }


def _print_groups(
    groups: Sequence[RunGroup], *, by: SearchField, number: SearchField | None, total: int, run_count: int
) -> None:
    console = make_console()
    headings = ["best", "mean", "min", "max"] if number is not None else []
    layout = [
        Column(col.label(by), is_elastic=True, max_width=max(16, console.width // 4)),
        Column("runs", is_right=True),
        Column("states", is_elastic=True),
        Column("newest", is_right=True),
        *(Column(heading, is_right=True) for heading in headings),
        *([Column("best run", is_elastic=True)] if number is not None else []),
    ]
    print_table(console, layout, [_row(group) for group in groups])
    cut = f"{len(groups)} of " if len(groups) < total else ""
    of = "" if number is None else f", by {fmt.clean(short(number))}"
    what = f"{cut}{total:,} group{'s' * (total != 1)} of {run_count:,} run{'s' * (run_count != 1)}{of}"
    console.print(Text(what, style="dim"))


def _row(group: RunGroup) -> list[str | Text]:
    value = "-" if group.value is None else fmt.value(group.value)
    states = ", ".join(f"{count:,} {state}" for state, count in group.states.items())
    row: list[str | Text] = [value, f"{group.run_count:,}", states, fmt.age(group.newest.age_s)]
    found = group.numbers
    if found is not None:
        numbers = (found.best, found.mean, found.low, found.high)
        row += ["-" if one is None else fmt.value(one) for one in numbers]
        row.append("-" if found.best_run is None else fmt.clean(found.best_run.name))
    return row
