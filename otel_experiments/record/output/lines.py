"""From what is written to a stream to whole lines, of which each has the form that it has on a terminal in the end.

A progress bar writes one line again and again, with a carriage return between: its last form is kept. Several bars below each
other move the cursor up; while they do, the last lines are held back (`_Screen`), since they may be written over.
Colours and other control sequences stay as they are.
"""

from __future__ import annotations

import re
from typing import Final

MOST_CHARS: Final = 256 << 10
"""A line of more characters comes in pieces: nothing waits for its end in memory without bound."""
_ROWS: Final = 24
"""So many lines can be reached by the cursor; what is above has its last form."""
_UP: Final = re.compile(r"\x1b\[\d{0,4}[AF]")
_MOVE: Final = re.compile(r"(\n|\r|\x1b\[\d{0,4}[ABEFK])")


class Lines:
    """The lines of one stream; nothing in it takes a lock, so a signal handler may write too."""

    __slots__ = ("_rest", "_screen")

    def __init__(self) -> None:
        self._rest = ""
        self._screen: _Screen | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for the end of a line."""
        return not self._rest and self._screen is None

    def feed(self, text: str) -> str | None:
        """Take what was written; return the lines that are whole now, without the last line break. None: there are none."""
        rest, self._rest = self._rest, ""  # no call between: a signal handler that writes finds it empty
        if self._screen is not None or ("\x1b[" in text and _UP.search(text) is not None):
            return self._on_screen(rest, text)
        whole = rest + text if rest else text
        head, line_break, tail = whole.rpartition("\n")
        if "\r" in whole:
            head = "\n".join(map(_last_form, head.split("\n"))) if "\r" in head else head
            tail = _still_open(tail)
        if len(tail) > MOST_CHARS:
            head, line_break, tail = f"{head}{line_break}{tail}", "\n", ""
        self._rest = tail + self._rest
        return head if line_break else None

    def take_rest(self) -> str | None:
        """Return what is not ended by a line break yet, as lines; None: nothing but spaces."""
        rest, self._rest = self._rest, ""
        screen, self._screen = self._screen, None
        rows = screen.take_rows(all_of_them=True) if screen is not None else []
        rows += [_last_form(rest)] if rest else []
        while rows and not rows[-1].strip():
            rows.pop()
        return "\n".join(rows) if rows else None

    def _on_screen(self, rest: str, text: str) -> str | None:
        screen = self._screen
        if screen is None:
            screen = self._screen = _Screen()
        screen.write(rest)
        screen.write(text)
        is_over = screen.is_over and _UP.search(text) is None
        rows = screen.take_rows(all_of_them=is_over)
        if is_over:
            self._screen, self._rest = None, rows.pop() + self._rest
        return "\n".join(rows) if rows else None


class _Screen:
    """The last lines, over which a cursor moves.

    Attributes:
        is_over: the program has gone on with a plain line below all of it.
    """

    def __init__(self) -> None:
        self._rows = [""]
        self._at = 0
        self._is_at_start = False
        self._is_drawn = True  # whether the cursor's line was written over
        self.is_over = False

    def write(self, text: str) -> None:
        """Write at the cursor."""
        for part in _MOVE.split(text):
            if part == "\r":
                self._is_at_start = self._is_drawn = True
            elif part == "\n":
                self._break_line()
            elif part[:2] == "\x1b[" and _MOVE.fullmatch(part):
                self._move(part)
            elif part and self._is_at_start:
                self._rows[self._at], self._is_at_start = part, False
            elif part:
                self._rows[self._at] += part

    def take_rows(self, *, all_of_them: bool = False) -> list[str]:
        """Take and return the lines that are out of reach, or all."""
        count = len(self._rows) if all_of_them else max(0, min(self._at, len(self._rows) - _ROWS))
        taken, self._rows = self._rows[:count], self._rows[count:] or [""]
        self._at = max(0, self._at - count)
        return taken

    def _break_line(self) -> None:
        is_plain = not self._is_drawn and bool(self._rows[self._at].strip())
        self._at += 1
        self._is_at_start = True
        if self._at == len(self._rows):
            self._rows.append("")
            self._is_drawn, self.is_over = False, is_plain
        else:
            self._is_drawn, self.is_over = True, False

    def _move(self, part: str) -> None:
        self._is_drawn, self.is_over = True, False
        if part[-1] == "K":
            if part[2:-1] == "2" or (self._is_at_start and part[2:-1] in {"", "0"}):
                self._rows[self._at] = ""
            return
        count = min(int(part[2:-1] or 1), _ROWS)
        self._is_at_start |= part[-1] in "EF"
        down = part[-1] in "BE"
        self._at = min(self._at + count, len(self._rows) - 1) if down else max(0, self._at - count)


def _last_form(line: str) -> str:
    """Return what of a line is seen in the end: behind the last carriage return that something follows."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]


def _still_open(line: str) -> str:
    """Return as much of a line as can still be seen: a carriage return at its end may be half of a line break."""
    return f"{_last_form(line)}\r" if line.endswith("\r") else _last_form(line)
