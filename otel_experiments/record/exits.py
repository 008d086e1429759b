"""How a process ends: its still open runs get the right state, within the exit budget.

Only a SIGTERM that nobody handles is handled here, and only by noting it: the signal then does what it always
did. Neither `sys.excepthook` nor any handler of the user is replaced. Whoever installs a handler over this one may
call it: the signal is theirs then, it is noted, and what becomes of the process is their decision.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType

from otel_experiments.model.run import RunState
from otel_experiments.record.current import active_runs
from otel_experiments.record.pipeline import Pipeline

_pipelines: list[Pipeline] = []
_is_registered = False


def watch(pipeline: Pipeline) -> None:
    """Close the pipeline when the process ends."""
    global _is_registered  # noqa: PLW0603 - atexit and signals belong to the process
    _pipelines.append(pipeline)
    if not _is_registered:
        _is_registered = True
        atexit.register(_close_all)
    _watch_sigterm()


def forget(pipeline: Pipeline) -> None:
    """The pipeline was closed by hand."""
    if pipeline in _pipelines:
        _pipelines.remove(pipeline)
    if not _pipelines:
        _unwatch_sigterm()


def _close_all() -> None:
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    for pipeline in _pipelines:
        pipeline.is_exiting = True
    for run in list(active_runs.values()):
        if run.is_inherited:
            continue
        if isinstance(error, KeyboardInterrupt):
            run.cancel("KeyboardInterrupt")
        elif isinstance(error, BaseException):
            run.fail(error)
        else:
            run.finish(RunState.SUCCEEDED, reason="the process ended")
    for pipeline in _pipelines:
        pipeline.close()


def _watch_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _unwatch_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    is_chained = signal.getsignal(signal.SIGTERM) is not _on_sigterm
    for run in list(active_runs.values()):
        if run.is_inherited:
            continue
        if is_chained:
            run.note_signal("SIGTERM")
        else:
            run.end_by_signal("SIGTERM")
    if is_chained:
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
