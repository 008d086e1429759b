"""The roots of all errors and warnings."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class OtelExperimentsError(Exception):
    """The root of everything this package raises on purpose."""


class OtelExperimentsWarning(UserWarning):
    """The root of everything this package warns of through Python's `warnings`."""
