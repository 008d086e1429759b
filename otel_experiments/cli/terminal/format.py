"""Values and names as a person reads them in a terminal, with the numbers of figures. Pure: text in, text out."""

from __future__ import annotations

import json
import unicodedata

from otel_experiments.figures.quantity import age, duration, number, size, step

__all__ = [
    "age",
    "clean",
    "clean_csv",
    "clean_lines",
    "duration",
    "number",
    "shorten",
    "size",
    "step",
    "value",
]


def value(found: object) -> str:
    """Return a parameter, tag or field: numbers short, text as it is, everything else as JSON."""
    if found is None:
        return "-"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return number(found)
    if isinstance(found, str):
        return clean(found)
    return clean(json.dumps(found, ensure_ascii=False, default=str))


def times(count: int) -> str:
    """Return how often something happened, as one says it."""
    return "once" if count == 1 else f"{count:,} times"


def clean(text: str) -> str:
    """Return the text in one line and without characters that could steer the terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def clean_lines(text: str) -> str:
    """Return an error or a warning without characters that could steer the terminal.

    A line of our own that is not the first is indented; any other line break is part of a name.
    """
    return "\n  ".join(map(clean, text.split("\n  ")))


def clean_csv(text: str) -> str:
    """Return CSV as a terminal may have it: its line ends stay, all else that a terminal obeys is escaped."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(map(clean, lines))


def _escape(character: str) -> str:
    if character in "\r\n\t":
        return {"\r": "\\r", "\n": "\\n", "\t": "\\t"}[character]
    if unicodedata.category(character) == "Zs":
        return " "
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def shorten(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return the text cut to `width` characters, with a sign where it was cut."""
    return text if len(text) <= width else text[: max(0, width - len(ellipsis))] + ellipsis
