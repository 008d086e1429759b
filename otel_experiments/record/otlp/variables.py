"""Reading standard variables that may be written for one signal or for all, and saying what of them cannot be used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


def own_variable(environ: Mapping[str, str], signal: str, what: str) -> tuple[str, str]:
    """Return the variable that holds for a signal, its own before the general one, and its text."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        text = environ.get(variable, "").strip()
        if text:
            return variable, text
    return "", ""


def unusable(variable: str, value: str, why: str, instead: str) -> str:
    """Return the notice that a variable cannot be used: why, and what happens instead."""
    return f"{variable}={value!r:.200} cannot be used: {why}. {instead} Correct or unset it."


def read_number(
    variable: str,
    text: str,
    default: float,
    parse: Callable[[str], float],
    notices: list[str],
    *,
    unit: str = "",
) -> float:
    """Return the number above zero that a text holds; the default, with a notice, where it holds none."""
    text = text.strip()
    if not text:
        return default
    try:
        number = parse(text)
        is_usable = number > 0 and math.isfinite(number)
    except (ValueError, OverflowError):
        is_usable = False
    if is_usable:
        return number
    instead = f"{default:g}{unit} is used." if default else "The default is used."
    notices.append(unusable(variable, text, "it is no number above zero", instead))
    return default
