"""The media of a run, printed: for `show`."""

from __future__ import annotations

from rich.console import Console

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.query.media_view import MediaSeries, MediaView


def print_media(console: Console, media: MediaView, limit: int | None) -> None:
    """Print what a run logged that is no number: name, type, how many, and at which steps."""
    rows = [
        [fmt.clean(name), fmt.clean(series.type), f"{len(series):,}", _reach(series)]
        for name, series in list(media.items())[:limit]
    ]
    layout = [
        Column("name", is_elastic=True, max_width=60),
        Column("type"),
        Column("count", is_right=True),
        Column("steps"),
    ]
    print_table(console, layout, rows)


def _reach(series: MediaSeries) -> str:
    steps = series.steps
    if len(steps) < 2:
        return f"{steps[0]:g}" if steps else ""
    return f"{steps[0]:g} to {steps[-1]:g}"
