"""Which run is current, as the class that user code knows; how it is found is in `record/base/current.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.errors import NoActiveRunError
from otel_experiments.record.base import current
from otel_experiments.record.run.parts import parts_of
from otel_experiments.record.run.run import Run

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort


def face_of(run: RunPort) -> Run:
    """Return the run that users have, of one in the registry of active runs or in a context."""
    return parts_of(run).core.face  # type: ignore[no-any-return] # a Run: nothing else is made of parts


def find_run() -> Run | None:
    """Return the run that is current for the caller.

    None when there is none, or several and the context names none of them.
    """
    run = current.find_run() or current.find_silent_run()
    return None if run is None else face_of(run)


def current_run() -> Run:
    """Return the current run.

    Raises:
        NoActiveRunError: none is active, or several are and this thread or task was started outside of them.
    """
    run = find_run()
    if run is None:
        raise NoActiveRunError(
            action="current_run()", active=[run.name for run in current.active_runs.values()]
        )
    return run
