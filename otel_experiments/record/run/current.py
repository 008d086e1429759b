"""Which run is current, as the class that user code knows; how it is found is in `record/base/current.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from otel_experiments.errors import NoActiveRunError
from otel_experiments.record.base import current
from otel_experiments.record.run.run import Run

active_runs: Final = cast("dict[str, Run]", current.active_runs)
"""The runs started and not finished in this process, by id, oldest first."""

find_run: Final = cast("Callable[[], Run | None]", current.find_run)
"""The run that is current for the caller; None when there is none, or several and the context names none of them."""


def current_run() -> Run:
    """Return the current run.

    Raises:
        NoActiveRunError: none is active, or several are and this thread or task was started outside of them.
    """
    run = find_run()
    if run is None:
        raise NoActiveRunError(action="current_run()", active=[run.name for run in active_runs.values()])
    return run
