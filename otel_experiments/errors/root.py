"""The roots of all errors and warnings."""

from __future__ import annotations

from collections.abc import Callable


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


class OtelExperimentsError(Exception):
    """The root of everything this package raises on purpose. Errors pass from process to process, as `pickle` sends them."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...], dict[str, object]]:
        """Return what makes the error again: its text and facts, since constructors take facts by keyword."""
        return _restored, (type(self), self.args), self.__dict__


class OtelExperimentsWarning(UserWarning):
    """The root of everything this package warns of through Python's `warnings`."""


def _restored(kind: type[OtelExperimentsError], args: tuple[object, ...]) -> OtelExperimentsError:
    """Return an error of a kind, without its constructor: what it would make of its facts is there already."""
    error = kind.__new__(kind)
    error.args = args
    return error
