"""Numbers, times and amounts of memory as a person reads them. Pure: numbers in, text out."""

from __future__ import annotations

import math


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
