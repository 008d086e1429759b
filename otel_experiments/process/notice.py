"""Telling people what happened, through the application's logging, without trusting it.

A logging handler of the application may raise, and what it raises must not come out of recording. In a forked child
it may also wait for ever for a lock that another thread of the parent held, so a child writes to standard error.
"""

from __future__ import annotations

import logging
import os
import sys

from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import Swallowing, is_interruption

_is_forked = False


def tell(
    logger: logging.Logger,
    message: str,
    *arguments: object,
    level: int = logging.WARNING,
    about: BaseException | None = None,
) -> None:
    """Log a message, with the traceback of `about`, or write it to standard error where logging cannot take it.

    Raises nothing of its own.
    """
    if not logger.isEnabledFor(level):
        return
    if _is_forked:
        _write(logger, message, arguments)
        return
    try:
        logger.log(level, message, *arguments, exc_info=about, stacklevel=2)
    except Exception as error:
        if is_interruption(error):
            raise
        _write(logger, f"{message} (logging it failed with {type(error).__name__})", arguments)


def _write(logger: logging.Logger, message: str, arguments: tuple[object, ...]) -> None:
    """Write one line with a single system call: no lock, no buffer."""
    if sys.__stderr__ is None:
        return
    with Swallowing(OSError, TypeError, ValueError):
        text = message % arguments if arguments else message
        os.write(2, f"{logger.name}: {text}\n".encode("utf-8", "backslashreplace"))


def _note_fork() -> None:
    global _is_forked  # noqa: PLW0603 - a fact about the process
    _is_forked = True


at_fork(after_in_child=_note_fork)
