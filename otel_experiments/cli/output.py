"""What the processes of a run printed, for a terminal and as JSON: `show RUN --output`."""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.terminal.console import TerminalText
from otel_experiments.query import RunView
from otel_experiments.query.json_values import json_line
from otel_experiments.query.output_view import Stream, text_of
from otel_experiments.query.plain_page import plain_line

_COLOUR: Final = re.compile(r"(\x1b\[[\d;]{0,40}m)")
_PLAIN: Final = "\x1b[0m"


def print_output(view: RunView, *, stream: Stream | None, tail: int | None, as_json: bool) -> None:
    """Print the lines of both streams, or of one; the last `tail` of them.

    Raises:
        Exit: there are none.
    """
    lines = view.output.lines(stream)
    if tail is not None:
        lines = lines[-tail:]
    if as_json:
        click.echo(json_line({"id": view.id, "lines": list(map(plain_line, lines))}))
        return
    if not lines:
        which = "" if stream is None else f" to {stream}"
        click.echo(f"No output{which} is recorded of this run.", err=True)
        raise click.exceptions.Exit(ExitCode.NOT_FOUND)
    _write(text_of(lines, says_rank=len({line.rank for line in lines}) > 1))


def _write(text: str) -> None:
    """Write the text with its colours; what else a terminal would obey is escaped on one."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    out = TerminalText(sys.stdout)
    for place, part in enumerate(_COLOUR.split(text)):
        if place % 2:
            sys.stdout.write(part)
        else:
            out.write(part)
    sys.stdout.write(_PLAIN if _COLOUR.search(text) else "")
