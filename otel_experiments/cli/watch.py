"""A page that is drawn again and again in its place on a terminal: `runs --watch`."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Final, NoReturn

import click

EVERY_S: Final = 2.0
_HOME, _CLEAR, _END_OF_LINE, _REST = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"


def watch(draw: Callable[[], None]) -> None:
    """Have `draw` print its page every two seconds, until Ctrl-C; once where stdout is no terminal, which is said."""
    if not sys.stdout.isatty():
        click.echo("--watch draws on a terminal, and this is none: printed once.", err=True)
        draw()
        return
    _redraw(draw)


def _redraw(draw: Callable[[], None]) -> NoReturn:
    screen = sys.stdout
    start = _CLEAR
    while True:
        page = _Page(screen.fileno(), screen.encoding)
        with redirect_stdout(page):
            draw()
        # In one go, and over what is there: a screen that is cleared first flickers.
        lines = page.getvalue().splitlines()[: max(1, shutil.get_terminal_size().lines - 1)]
        screen.write(start + _HOME + "".join(f"{line}{_END_OF_LINE}\n" for line in lines) + _REST)
        screen.flush()
        start = ""
        time.sleep(EVERY_S)


class _Page(io.StringIO):
    """A text that is taken for the terminal that it will be shown on: as wide, as colourful."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override] # of a text in memory it is None
        """The terminal's."""
        return self._encoding

    def isatty(self) -> bool:
        """Yes: the page is shown on one."""
        return True

    def fileno(self) -> int:
        """Return the terminal's."""
        return self._descriptor
