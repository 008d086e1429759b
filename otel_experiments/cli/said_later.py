"""What was said of a run after it was recorded, on its page: note, marks, judgements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.model.annotation import Annotation
from otel_experiments.model.span import Span
from otel_experiments.query import RunView

_MOST_NOTE_LINES = 20


def print_said(
    console: Console, run: RunView, spans: Iterable[Span], heading: Callable[[Console, str], object]
) -> None:
    """Print marks, note and judgements, those that there are, the last two under a heading each."""
    record = run.record
    for word, time_ns in (
        ("pinned", record.pinned_ns),
        ("archived", record.archived_ns),
        ("removed", record.removed_ns),
    ):
        if time_ns is not None:
            moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ns / 1e9))
            console.print(Text(f"{word} {moment}", style="yellow"))
    if run.note:
        lines = [fmt.clean(line) for line in run.note.rstrip().splitlines()]
        heading(console, "note")
        for line in lines[:_MOST_NOTE_LINES]:
            console.print(Text(line))
        if len(lines) > _MOST_NOTE_LINES:
            console.print(
                Text(
                    f"({len(lines) - _MOST_NOTE_LINES} more lines: otel-experiments note {run.short_id})",
                    style="dim",
                )
            )
    if annotations := run.annotations:
        heading(console, "annotations")
        _print_annotations(console, annotations, spans)


def _print_annotations(console: Console, annotations: Iterable[Annotation], spans: Iterable[Span]) -> None:
    names = {span.span_id: span.name for span in spans}
    rows: list[list[str | Text]] = [
        [
            fmt.clean(one.name),
            "" if one.score is None else fmt.value(one.score),
            fmt.clean(one.label),
            fmt.clean(one.comment),
            fmt.clean(f"of {names.get(one.span_id, one.span_id)}" if one.span_id else ""),
            fmt.clean(one.author),
        ]
        for one in annotations
    ]
    layout = [
        Column(max_width=30),
        Column(is_right=True),
        Column(max_width=20),
        Column(is_elastic=True, max_width=60),
        Column(max_width=30),
        Column(style="dim"),
    ]
    print_table(console, layout, rows, has_header=False)
