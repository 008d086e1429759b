"""Telling whoever reads a store what they do not get, through Python's `warnings`, at their own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from otel_experiments.errors import IncompleteReadWarning

if TYPE_CHECKING:
    from otel_experiments.errors import OtelExperimentsWarning

_OURS = __name__.partition(".")[0]
_collected: ContextVar[tuple[list[str], ...]] = ContextVar("collected", default=())


@contextmanager
def collect_incomplete() -> Iterator[list[str]]:
    """Yield a list of the texts of every `IncompleteReadWarning` in the block, whatever filters make of the warnings."""
    texts: list[str] = []
    token = _collected.set((*_collected.get(), texts))
    try:
        yield texts
    finally:
        _collected.reset(token)


def warn_reader(text: str, category: type[OtelExperimentsWarning]) -> None:
    """Warn at the line outside this package that asked; the command line prints it on stderr instead."""
    if issubclass(category, IncompleteReadWarning):
        for texts in _collected.get():
            texts.append(text)
    level = 1
    frame = sys._getframe(0)  # noqa: SLF001 - the documented way; inspect takes 10 ms to import
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _OURS:
        level += 1
        frame = frame.f_back
    warnings.warn(text, category, stacklevel=level)
