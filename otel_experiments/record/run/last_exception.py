"""Which exception that nobody caught belongs to a run that nobody has finished.

The interpreter keeps the last one, of whatever statement, cell or program text it was. It is a run's where it came while
the run was on; at a prompt or in a notebook, where work goes on after a slip, only if the run has recorded nothing since.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def last_uncaught() -> BaseException | None:
    """Return the last exception that the interpreter, or the notebook, has shown; None when there was none."""
    found = getattr(sys, "last_value", None) or getattr(sys, "last_exc", None)
    return found if isinstance(found, BaseException) else None


def is_interactive() -> bool:
    """Whether somebody types statements, or runs cells, one after the other."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or find_notebook() is not None


def find_notebook() -> object | None:
    """Return the IPython shell that runs this code; None outside of one."""
    module = sys.modules.get("IPython")
    get_shell = getattr(module, "get_ipython", None)
    return get_shell() if callable(get_shell) else None


class LastException:
    """The exceptions of one run's time. `get_progress` tells how far the run has got: it changes when it records."""

    def __init__(self, get_progress: Callable[[], object]) -> None:
        self._get_progress = get_progress
        self._seen = self._mark()
        self._progress_then: object = None
        self._has_come = False

    @staticmethod
    def _mark() -> tuple[int, int]:
        # Not the object: it would keep the frames of its traceback alive, and what they hold.
        error = last_uncaught()
        return id(error), id(error.__traceback__ if error is not None else None)

    def note(self) -> None:
        """Look whether another exception has come, and how far the run had got then."""
        mark = self._mark()
        if mark != self._seen:
            self._seen = mark
            self._progress_then = self._get_progress()
            self._has_come = True

    def find(self) -> BaseException | None:
        """Return the exception after which the run did nothing more; None when there is none."""
        self.note()
        if not self._has_come or (is_interactive() and self._get_progress() != self._progress_then):
            return None
        return last_uncaught()
