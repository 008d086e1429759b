"""Where tables are printed: 80 columns unless the terminal says otherwise, colour only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal.format import clean_csv
from otel_experiments.model.run import RunState

_BADGES = {
    RunState.PENDING: ("○", "dim"),
    RunState.RUNNING: ("●", "cyan"),
    RunState.PAUSED: ("◌", "yellow"),
    RunState.SUCCEEDED: ("✓", "green"),
    RunState.FAILED: ("✗", "red"),
    RunState.CANCELLED: ("■", "yellow"),
    RunState.LOST: ("?", "magenta"),
}


_MIN_WIDTH = 20
_HEIGHT = 24


class TerminalText:
    """Writes data to a stream, escaped where the stream is a terminal: into files and pipes it goes as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()

    def write(self, text: str) -> int:
        """Write the text."""
        return self._stream.write(clean_csv(text) if self._is_terminal else text)

    def flush(self) -> None:
        """Let nothing wait."""
        self._stream.flush()


class _Console(Console):
    """Rich's console, but for its own idea of what a closed pipe means (exit code 1)."""

    def on_broken_pipe(self) -> None:
        """Let the root command see it: a reader that goes away is no error."""
        raise BrokenPipeError


def make_console() -> Console:
    """Return the console for stdout; without a terminal, or with NO_COLOR, it prints plain text."""
    width = _usable_width()
    return _Console(
        file=sys.stdout,
        highlight=False,
        markup=False,
        emoji=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        width=width,
        height=None if width is None else _HEIGHT,  # with both, rich reads COLUMNS no more
    )


def _usable_width() -> int | None:
    """Return a width where COLUMNS names none that a table can have; 0 is what terminals without a size have."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return None if int(columns) >= _MIN_WIDTH else _MIN_WIDTH
    return shutil.get_terminal_size().columns if columns.isdigit() else None  # digits that are no number: "²"


def is_unicode(console: Console) -> bool:
    """Tell whether the output can carry characters beyond ASCII."""
    return console.encoding.lower().replace("-", "").startswith("utf")


def badge(console: Console, state: RunState) -> Text:
    """Return the state as a coloured sign and its name."""
    sign, style = _BADGES[state]
    return Text(f"{sign} {state}" if is_unicode(console) else str(state), style=style)


def state_style(state: RunState) -> str:
    """Return the colour that stands for the state."""
    return _BADGES[state][1]
