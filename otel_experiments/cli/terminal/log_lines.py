"""What a run logged, as lines for a terminal and as plain data: all but the events that recording writes itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.codec.values import dump_value
from otel_experiments.model.log import LogRecord
from otel_experiments.semconv import attributes

_WARN: Final = 13
_ERROR: Final = 17
"""SeverityNumber of logs.proto."""


def print_records(console: Console, records: Sequence[LogRecord], limit: int | None) -> None:
    """Print the last `limit` records, each with its time, severity, logger and text; an exception's last line, too."""
    if not records:
        console.print(Text("(nothing was logged)", style="dim"))
    left_out = 0 if limit is None else max(0, len(records) - limit)
    if left_out:
        console.print(Text(f"({left_out:,} earlier ones: --all)", style="dim"))
    for record in records[left_out:]:
        console.print(_line(record), soft_wrap=True)


def _line(record: LogRecord) -> Text:
    seconds, rest_ns = divmod(record.time_ns, 10**9)
    moment = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest_ns // 10**6:03d}"
    is_bad = record.severity_number >= _ERROR
    style = "red" if is_bad else "yellow" if record.severity_number >= _WARN else "dim"
    line = Text(f"{moment}  ", style="dim")
    line.append(f"{fmt.clean(record.severity_text or '-'):<8}  ", style=style)
    line.append(f"{fmt.clean(record.event_name or record.scope.name or '-')}  ", style="dim")
    line.append(fmt.clean(record_text(record)), style="default")
    return line


def record_text(record: LogRecord) -> str:
    """Return what a record says, with the exception that it brings."""
    body = (
        record.body
        if isinstance(record.body, str)
        else ""
        if record.body is None
        else dump_value(record.body)
    )
    kind, message = (
        record.attributes.get(attributes.EXCEPTION_TYPE),
        record.attributes.get(attributes.EXCEPTION_MESSAGE),
    )
    return body if kind is None else f"{body} ({kind}: {message})"
