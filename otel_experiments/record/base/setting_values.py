"""How the text of a setting is read: each function returns the value, or raises ValueError with what is wrong."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from otel_experiments.process.interruption import pass_on


def choice(*allowed: str) -> Callable[[str], str]:
    """Return what takes one of these words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"it is none of {', '.join(allowed)}")
        return text

    return parse


def positive(text: str) -> float:
    """Return a number above zero."""
    number = float(text)
    if not number > 0:
        raise ValueError("it is not above zero")
    return number


def not_negative(text: str) -> float:
    """Return a number that is not below zero."""
    number = float(text)
    if not number >= 0:
        raise ValueError("it is below zero, or no number")
    return number


def place(text: str) -> str:
    """Return an address, or the absolute path of a folder: the working directory may change."""
    if "://" in text:
        return text
    try:
        return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - links stay as they are given
    except OSError as error:
        pass_on(error)
        raise ValueError(f"it starts from a working directory that is gone ({error.strerror})") from None


def level(text: str) -> int | None:
    """Return the number of a level of `logging`; None for `off`."""
    wanted = text.strip().upper()
    if wanted == "OFF":
        return None
    level = int(wanted) if wanted.isdecimal() else logging.getLevelNamesMapping().get(wanted)
    if level is None:
        raise ValueError("it is neither the name of a level, such as INFO, nor its number, nor off")
    return level
