"""Numbers, times and names as a person reads them in a terminal. Pure: text in, text out."""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-~=+*#"


def number(value: float | None) -> str:
    """Return a number with about four significant digits, integers whole."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    size = abs(value)
    if value == int(value) and size < 1e9:
        return str(int(value))
    if size >= 1e6 or size < 1e-4:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    digits = max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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


def duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    for limit, factor, unit in (
        (9.995e-7, 1e9, "ns"),
        (9.995e-4, 1e6, "us"),
        (0.9995, 1e3, "ms"),
        (59.95, 1, "s"),
    ):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    if seconds < 1:
        return "now"
    for limit, unit_s, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (86400 * 365, 86400, "d")):
        if seconds < limit:
            return f"{int(seconds // unit_s)}{unit}"
    return f"{int(seconds // (86400 * 365))}y"


def size(count_bytes: float) -> str:
    """Return an amount of memory in its largest unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count_bytes < 1000:
            return f"{count_bytes:.3g} {unit}"
        count_bytes /= 1000
    return f"{count_bytes:.3g} TB"


def step(found: float | None) -> str:
    """Return a step: an integer where it is one."""
    return "-" if found is None else number(found)


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


def sparkline(values: Sequence[float], *, width: int, is_unicode: bool = True) -> str:
    """Return the course of a series as one line of at most `width` characters.

    Each character is the mean of its part of the values; a part with no finite value is a blank.
    """
    if not values or width < 1:
        return ""
    width = min(width, len(values))
    bounds = [len(values) * i // width for i in range(width + 1)]
    means: list[float | None] = []
    for first, last in itertools.pairwise(bounds):
        finite = [one for one in values[first:last] if math.isfinite(one)]
        means.append(math.fsum(one / len(finite) for one in finite) if finite else None)
    present = [one for one in means if one is not None]
    if not present:
        return " " * width
    low, high = min(present), max(present)
    blocks = _BLOCKS if is_unicode else _ASCII_BLOCKS
    # Halved, because the range of two finite numbers need not be finite.
    half_range = high / 2 - low / 2
    line = []
    for one in means:
        if one is None:
            line.append(" ")
        elif half_range == 0:
            line.append(blocks[3])
        else:
            line.append(blocks[min(7, int((one / 2 - low / 2) / half_range * 8))])
    return "".join(line)
